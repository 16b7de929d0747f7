package scenario

import (
	"strconv"
	"time"

	"github.com/moldau/moldau/broker"
	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/sim/fault"
	"github.com/moldau/moldau/sim/workload"
	"github.com/moldau/moldau/sim/world"
)

// mixed produces and consumes, everything drawn, any fault.
func mixed() Scenario {
	return Scenario{
		Name:  "mixed",
		About: "producers and consumers on one node, any settings, any faults",
		Plan: func(d *Draw) Plan {
			return Plan{
				Nodes:  []world.NodeConfig{{ID: 1, Shards: 1 + d.Rand.IntN(3), Properties: d.Settings(), Tuning: d.Tuning()}},
				Topics: d.Topics(1 + d.Rand.IntN(3)),
				Faults: fault.Draw(d.Streams.Stream("faults"), fault.All(), false),
				Net:    Net{Delay: time.Duration(d.Rand.IntN(2000)) * time.Microsecond, Jitter: time.Duration(1+d.Rand.IntN(3000)) * time.Microsecond},
				Clients: func(topics []*workload.Topic) []workload.Actor {
					return []workload.Actor{
						workload.Producer{Topics: topics, Acks: -1, Idempotent: true, Codec: batch.Codec(d.Rand.IntN(5)), RecordsMax: 8, ValueBytes: 200, PartsMax: 3, InFlight: 1 + d.Rand.IntN(5), Every: 60 * time.Millisecond, Timeout: 3 * time.Second},
						workload.Producer{Topics: topics, Acks: []int16{-1, 1, 0}[d.Rand.IntN(3)], RecordsMax: 4, ValueBytes: 1 << (4 + d.Rand.IntN(9)), PartsMax: 2, InFlight: 1 + d.Rand.IntN(3), Every: 80 * time.Millisecond, Timeout: 3 * time.Second, GiveUp: 10},
						workload.Consumer{Topics: topics, MinBytes: int32(1 + d.Rand.IntN(100)), MaxBytes: int32(1 << (8 + d.Rand.IntN(12))), MaxWait: 200 * time.Millisecond, Every: 60 * time.Millisecond, Timeout: 3 * time.Second, Lookups: 30, Seeks: 20},
						workload.Consumer{Topics: topics, Sessions: true, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: 100 * time.Millisecond, Every: 80 * time.Millisecond, Timeout: 3 * time.Second, Lookups: 10, Seeks: 10},
					}
				},
			}
		},
	}
}

// oneOf draws one of the values.
func oneOf[T any](d *Draw, values ...T) T { return values[d.Rand.IntN(len(values))] }

// Topics draws n topics that keep everything.
func (d *Draw) Topics(n int) (specs []workload.TopicSpec) {
	for i := range n {
		specs = append(specs, workload.TopicSpec{
			Name: "t" + strconv.Itoa(i), Partitions: int32(1 + d.Rand.IntN(4)),
			Durability:  oneOf(d, history.DurabilitySync, history.DurabilitySync, history.DurabilityOS),
			RetentionMs: -1, RetentionBytes: -1, AppendTime: d.Rand.IntN(6) == 0,
		})
	}
	return specs
}

// Settings draws a broker's settings: sizes small enough for their limits to be
// met within a run.
func (d *Draw) Settings() []config.Property {
	number := func(name string, values ...int64) config.Property {
		return config.Property{Name: name, Value: strconv.FormatInt(oneOf(d, values...), 10)}
	}
	return []config.Property{
		number("log.index.interval.bytes", 64, 4096),
		number("offsets.topic.num.partitions", 1, 3),
		number("moldau.request.memory.bytes", 4<<20, 112<<20),
	}
}

// Tuning draws bounds that a run can meet: of segments, journal, marks.
func (d *Draw) Tuning() broker.Tuning {
	block := oneOf[int64](d, 64<<10, 256<<10, 1<<20)
	return broker.Tuning{
		SegmentBytesMax:   oneOf[int64](d, 8<<10, 64<<10, 1<<20),
		JournalBlockBytes: block, JournalBytes: block * oneOf[int64](d, 2, 4),
		InlineBytesMax: oneOf(d, 200, 4<<10, 32<<10),
		DirectFilesMax: oneOf(d, -1, 1, 4), HandlesMax: oneOf(d, 1, 8, 4096),
		MarksBytes:             oneOf[int64](d, 16<<10, 1<<20, 128<<20),
		MarksInterval:          oneOf(d, 200*time.Millisecond, time.Second),
		BackgroundSyncInterval: oneOf(d, 500*time.Millisecond, 5*time.Second),
	}
}
