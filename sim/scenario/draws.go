package scenario

import (
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/moldau/moldau/broker"
	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/sim/workload"
	"github.com/moldau/moldau/sim/world"
)

// OneOf draws one of the values.
func OneOf[T any](draw *rand.Rand, values ...T) T { return values[draw.IntN(len(values))] }

// Topics draws n topics that keep everything.
func Topics(draw *rand.Rand, n int) (specs []workload.TopicSpec) {
	for i := range n {
		specs = append(specs, workload.TopicSpec{
			Name: "t" + strconv.Itoa(i), Partitions: int32(1 + draw.IntN(4)),
			Durability:  OneOf(draw, history.DurabilitySync, history.DurabilitySync, history.DurabilityOS),
			RetentionMs: -1, RetentionBytes: -1, AppendTime: draw.IntN(6) == 0,
		})
	}
	return specs
}

// Settings draws what a broker is started with: bounds small enough to be met
// within a run. It fits as fault.Config's Resettle.
func Settings(draw *rand.Rand) world.Settings {
	number := func(name string, values ...int64) config.Property {
		return config.Property{Name: name, Value: strconv.FormatInt(OneOf(draw, values...), 10)}
	}
	return world.Settings{
		Shards: 1 + draw.IntN(3),
		Properties: []config.Property{
			number("log.index.interval.bytes", 64, 4096),
			number("offsets.topic.num.partitions", 1, 3),
			number("moldau.request.memory.bytes", 4<<20, 112<<20),
			number("metadata.log.max.record.bytes.between.snapshots", 1000, 20000, 20971520),
		},
		Tuning: tuning(draw),
	}
}

// tuning draws the bounds of segments, journal and marks.
func tuning(draw *rand.Rand) broker.Tuning {
	block := OneOf[int64](draw, 64<<10, 256<<10, 1<<20)
	return broker.Tuning{
		SegmentBytesMax:   OneOf[int64](draw, 8<<10, 64<<10, 1<<20),
		JournalBlockBytes: block, JournalBytes: block * OneOf[int64](draw, 2, 4),
		InlineBytesMax: OneOf(draw, 200, 4<<10, 32<<10),
		DirectFilesMax: OneOf(draw, -1, 1, 4), HandlesMax: OneOf(draw, 1, 8, 4096),
		MarksBytes:             OneOf[int64](draw, 16<<10, 1<<20, 128<<20),
		MarksInterval:          OneOf(draw, 200*time.Millisecond, time.Second),
		BackgroundSyncInterval: OneOf(draw, 500*time.Millisecond, 5*time.Second),
	}
}

// syncTime draws how long a disk takes to sync when nothing is wrong. With no time
// between a write and its sync, hardly anything could strike there.
func syncTime(draw *rand.Rand) time.Duration {
	return OneOf(draw, 0, 300*time.Microsecond, 2*time.Millisecond, 10*time.Millisecond)
}
