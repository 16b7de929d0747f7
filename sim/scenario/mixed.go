package scenario

import (
	"time"

	"github.com/moldau/moldau/broker/batch"
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
				Nodes:    []world.NodeConfig{{ID: 1, Settings: Settings(d.Rand)}},
				Topics:   Topics(d.Rand, 1+d.Rand.IntN(3)),
				Faults:   fault.Draw(d.Streams.Stream("faults"), fault.All(), false),
				Resettle: Settings,
				Net:      Net{Delay: time.Duration(d.Rand.IntN(2000)) * time.Microsecond, Jitter: time.Duration(1+d.Rand.IntN(3000)) * time.Microsecond},
				Clients: func(topics []*workload.Topic) []workload.Actor {
					return []workload.Actor{
						workload.Producer{Topics: topics, Acks: -1, Idempotent: true, Codec: batch.Codec(d.Rand.IntN(5)), RecordsMax: 8, ValueBytes: 200, PartsMax: 3, InFlight: 1 + d.Rand.IntN(5), Every: 110 * time.Millisecond, Timeout: 3 * time.Second},
						workload.Producer{Topics: topics, Acks: []int16{-1, 1, 0}[d.Rand.IntN(3)], RecordsMax: 4, ValueBytes: 1 << (4 + d.Rand.IntN(9)), PartsMax: 2, InFlight: 1 + d.Rand.IntN(3), Every: 160 * time.Millisecond, Timeout: 3 * time.Second, GiveUp: 10},
						workload.Consumer{Topics: topics, MinBytes: int32(1 + d.Rand.IntN(100)), MaxBytes: int32(1 << (8 + d.Rand.IntN(12))), MaxWait: 200 * time.Millisecond, Every: 110 * time.Millisecond, Timeout: 3 * time.Second, Lookups: 30, Seeks: 20},
						workload.Consumer{Topics: topics, Sessions: true, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: 100 * time.Millisecond, Every: 160 * time.Millisecond, Timeout: 3 * time.Second, Lookups: 10, Seeks: 10},
					}
				},
			}
		},
	}
}
