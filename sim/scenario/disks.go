package scenario

import (
	"time"

	"github.com/moldau/moldau/sim/workload"
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
