package scenario

import (
	"time"

	"github.com/moldau/moldau/sim/workload"
)

// promptMax is how long an answer may take where only clocks go wrong: less than
// a client waits, more than it asks to wait.
const promptMax = 2 * time.Second

// clocks lets the node's clocks go wrong under requests that wait, and nothing
// else: what is to happen after a time does, and at once where it is due.
func clocks() Scenario {
	return Scenario{
		Name:  "clocks",
		About: "the node's clocks jump, drift and stand still under requests that wait: no answer is late for it",
		Plan: func(d *Draw) Plan {
			return Plan{
				Nodes: groupNode(d), Topics: Topics(d.Rand, 2), Net: anyNet(d.Rand), Settle: true, Prompt: promptMax,
				Faults: d.swarm("clock-drift", "clock-coarse", "net-fragments").With(often(2*time.Second, "clock-jump")...),
				Clients: func(topics []*workload.Topic) []workload.Actor {
					waits := reader(d.Rand, topics)
					waits.MinBytes, waits.MaxBytes, waits.MaxWait = 64<<10, 128<<10, 500*time.Millisecond
					steady := member(d.Rand, "g", topics)
					steady.Deaths, steady.Leaves = 0, 0
					return []workload.Actor{
						idempotent(d.Rand, topics), plain(d.Rand, topics), waits, sessions(d.Rand, topics), steady,
						workload.Admin{Topics: topics, Every: 2 * time.Second, Timeout: clientTimeout, Configs: true},
					}
				},
			}
		},
	}
}
