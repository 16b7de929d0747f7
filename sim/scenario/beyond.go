package scenario

import (
	"slices"
	"time"

	"github.com/moldau/moldau/sim/fault"
	"github.com/moldau/moldau/sim/workload"
	"github.com/moldau/moldau/sim/world"
)

// beyondFaults destroy the only copy of what was durable, and tell nobody.
var beyondFaults = [...]string{"disk-rot", "disk-lost-write", "disk-misdirect", "disk-replaced"}

// beyond has the disk do what no promise of one node survives. What is asked then
// is less, and not nothing: wrong bytes are never taken for right ones, the
// partitions that were spared lose nothing, and the node serves.
func beyond() Scenario {
	return Scenario{
		Name:  "beyond",
		About: "the disk of the only copy rots, loses or misdirects writes, or comes back empty: it is found out, and nothing else suffers",
		Plan: func(d *Draw) Plan {
			topics := Topics(d.Rand, 2)
			for i := range topics {
				topics[i].Partitions += 2
			}
			must := beyondFaults[d.Rand.IntN(len(beyondFaults))]
			faults := fault.Draw(d.Streams.Stream("faults"), named(slices.Concat(beyondFaults[:], []string{"kill", "power", "stop", "kill-at"})...), true)
			return Plan{
				Nodes:  []world.NodeConfig{{ID: 1, LogDirs: []string{"d1", "d2"}, Settings: Settings(d.Rand)}},
				Topics: topics, Net: anyNet(d.Rand), Resettle: Settings, CopiesLostMax: 1,
				Faults: faults.With(often(10*time.Second, must)...).With(named("kill")...),
				Clients: func(topics []*workload.Topic) []workload.Actor {
					return []workload.Actor{
						idempotent(d.Rand, topics), plain(d.Rand, topics), reader(d.Rand, topics), sessions(d.Rand, topics), member(d.Rand, "g", topics),
					}
				},
			}
		},
	}
}
