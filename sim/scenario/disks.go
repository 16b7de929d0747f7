package scenario

import (
	"time"

	"github.com/moldau/moldau/sim/workload"
	"github.com/moldau/moldau/sim/world"
)

// diskFull lets the disk fill up, and gives space back.
func diskFull() Scenario {
	return Scenario{
		Name:  "disk-full",
		About: "the disk has no space for a while: appends are refused, all else goes on, and appends do afterwards",
		Plan: func(d *Draw) Plan {
			return Plan{
				Nodes: oneNode(d.Rand), Topics: Topics(d.Rand, 2), Net: anyNet(d.Rand), Resettle: Settings,
				Faults: d.swarm("kill", "kill-at", "stop", "power", "disk-slow").With(often(5*time.Second, "disk-full")...),
				Clients: func(topics []*workload.Topic) []workload.Actor {
					return []workload.Actor{
						idempotent(d.Rand, topics), plain(d.Rand, topics), reader(d.Rand, topics), member(d.Rand, "g", topics),
						workload.Admin{Topics: topics, Every: 2 * time.Second, Timeout: clientTimeout, DeleteRecords: true, Configs: true},
					}
				},
			}
		},
	}
}

// twoDirs has several log directories of which one fails: the others serve on.
func twoDirs() Scenario {
	return Scenario{
		Name:  "two-dirs",
		About: "two or three log directories, of which one at a time fails, hangs or is gone for a while",
		Plan: func(d *Draw) Plan {
			dirs := []string{"d1", "d2", "d3"}[:2+d.Rand.IntN(2)]
			topics := Topics(d.Rand, 3)
			for i := range topics {
				topics[i].Partitions += 2
			}
			return Plan{
				Nodes:  []world.NodeConfig{{ID: 1, LogDirs: dirs, Settings: Settings(d.Rand)}},
				Topics: topics, Net: anyNet(d.Rand), Resettle: Settings,
				Faults: d.swarm("kill", "power", "stop", "disk-read-error", "disk-write-error", "disk-name-error", "disk-hang").
					With(named("disk-lost")...),
				Clients: func(topics []*workload.Topic) []workload.Actor {
					return []workload.Actor{
						idempotent(d.Rand, topics), plain(d.Rand, topics), reader(d.Rand, topics), member(d.Rand, "g", topics),
						workload.Admin{Topics: topics, Every: 2 * time.Second, Timeout: clientTimeout, AddPartitions: 6},
					}
				},
			}
		},
	}
}
