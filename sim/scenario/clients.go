package scenario

import (
	"math/rand/v2"
	"time"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/internal/invariant"
	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/sim/fault"
	"github.com/moldau/moldau/sim/workload"
	"github.com/moldau/moldau/sim/world"
)

// The pace of clients: a minute with four of them comes to some thousands of
// operations.
const (
	paceLeast     = 150 * time.Millisecond
	paceMost      = 400 * time.Millisecond
	clientTimeout = 3 * time.Second
)

func pace(draw *rand.Rand) time.Duration {
	return paceLeast + time.Duration(draw.Int64N(int64(paceMost-paceLeast)))
}

// anyCodec draws a compression, none half of the time.
func anyCodec(draw *rand.Rand) batch.Codec {
	if draw.IntN(2) == 0 {
		return batch.CodecNone
	}
	return batch.Codec(draw.IntN(5))
}

// idempotent draws a producer that repeats what got no answer.
func idempotent(draw *rand.Rand, topics []*workload.Topic) workload.Producer {
	return workload.Producer{
		Topics: topics, Acks: -1, Idempotent: true, Codec: anyCodec(draw), RecordsMax: 1 + draw.IntN(8), ValueBytes: 1 << (4 + draw.IntN(8)),
		PartsMax: 1 + draw.IntN(4), InFlight: 1 + draw.IntN(5), Every: pace(draw), Timeout: clientTimeout, GiveUp: draw.IntN(60),
	}
}

// plain draws a producer without idempotence.
func plain(draw *rand.Rand, topics []*workload.Topic) workload.Producer {
	return workload.Producer{
		Topics: topics, Acks: OneOf[int16](draw, -1, -1, 1, 0), Repeats: draw.IntN(4) == 0, Codec: anyCodec(draw), RecordsMax: 1 + draw.IntN(6),
		ValueBytes: 1 << (4 + draw.IntN(10)), PartsMax: 1 + draw.IntN(3), InFlight: 1 + draw.IntN(4), Every: pace(draw), Timeout: clientTimeout, GiveUp: draw.IntN(40),
	}
}

// reader draws a consumer without a session.
func reader(draw *rand.Rand, topics []*workload.Topic) workload.Consumer {
	return workload.Consumer{
		Topics: topics, Polls: draw.IntN(2) == 0, Committed: draw.IntN(2) == 0, MinBytes: int32(1 + draw.IntN(200)), MaxBytes: int32(1 << (9 + draw.IntN(9))),
		MaxWait: 200 * time.Millisecond, Every: pace(draw), Timeout: clientTimeout, Lookups: 150, Seeks: draw.IntN(60),
	}
}

// sessions draws a consumer with a session, and its shadows.
func sessions(draw *rand.Rand, topics []*workload.Topic) workload.Consumer {
	return workload.Consumer{
		Topics: topics, Sessions: true, MinBytes: 1, MaxWait: 100 * time.Millisecond, Every: 2 * pace(draw), Timeout: clientTimeout,
		Lookups: 50, Seeks: draw.IntN(30),
	}
}

// member draws a member of a group.
func member(draw *rand.Rand, group string, topics []*workload.Topic) workload.Member {
	return workload.Member{
		Group: group, Topics: topics, Session: 6 * time.Second, Rebalance: 6 * time.Second, Every: pace(draw), Timeout: clientTimeout,
		Deaths: draw.IntN(15), Leaves: draw.IntN(15), Away: time.Duration(1+draw.IntN(9)) * time.Second,
	}
}

// oneNode is one machine with settings that were drawn.
func oneNode(draw *rand.Rand) []world.NodeConfig {
	return []world.NodeConfig{{ID: 1, Settings: Settings(draw)}}
}

// anyNet draws how traffic fares when nothing is wrong.
func anyNet(draw *rand.Rand) Net {
	return Net{Delay: time.Duration(draw.IntN(2000)) * time.Microsecond, Jitter: time.Duration(1+draw.IntN(3000)) * time.Microsecond}
}

// synced are n topics that keep everything and sync before they acknowledge.
func synced(draw *rand.Rand, n int) []workload.TopicSpec {
	specs := Topics(draw, n)
	for i := range specs {
		specs[i].Durability = history.DurabilitySync
	}
	return specs
}

// swarm draws from the faults of the names.
func (d *Draw) swarm(names ...string) fault.Swarm {
	return fault.Draw(d.Streams.Stream("faults"), named(names...), false)
}

// named are the faults of the names, which the scenarios know.
func named(names ...string) []fault.Fault {
	found, err := fault.Find(names...)
	invariant.Check(err == nil, "%v", err)
	return found
}

// Groups of faults.
var (
	processFaults = [...]string{"kill", "power", "kill-at", "kill-recovery", "crash-loop", "pause", "stop", "resettle"}
	networkFaults = [...]string{
		"net-delay", "net-spikes", "net-slow", "net-fragments", "net-resets", "net-lost-replies", "net-refused", "net-backlog", "net-reset",
		"net-half-open", "net-partition", "net-one-way", "net-isolated", "net-clog", "net-swizzle",
	}
	clockFaults = [...]string{"clock-jump", "clock-drift", "clock-coarse"}
)
