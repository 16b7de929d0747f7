package scenario

import (
	"slices"
	"time"

	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/sim/workload"
	"github.com/moldau/moldau/sim/world"
)

// rollingKills ends one node after the other, when the one before is back.
func rollingKills() Scenario {
	return Scenario{
		Name:  "rolling-kills",
		About: "one node after the other is killed, loses power or stops, each when the one before serves again: appends go on all the while",
		Plan: func(d *Draw) Plan {
			return calmCluster(d, func(s *Stage) {
				for i := s.Rand.IntN(len(s.World.Nodes())); s.World.Sleep(s.between(apartFirst, apartFirst+togetherMin), s.Stop); i++ {
					n := s.World.Nodes()[i%len(s.World.Nodes())]
					s.World.Trace("inject", "rolling-kills: "+n.Host)
					s.Available(s.Topics[0], 0, n.Host+" went down", availableMax)
					f := named("kill", "power", "stop")[s.Rand.IntN(3)]
					f.Strike(s.Injector.Site(f.Name, n))
					s.World.Await(n.Ready(), restartWait)
				}
			})
		},
	}
}

// powerLossAll takes the power of all nodes at one time.
func powerLossAll() Scenario {
	return Scenario{
		Name:  "power-loss-all",
		About: "all nodes lose power at once, in the middle of everything: at durability sync nothing acknowledged is lost",
		Plan: func(d *Draw) Plan {
			p := calmCluster(d, func(s *Stage) {
				s.repeat(func() {
					s.World.Trace("inject", "power-loss-all")
					for _, n := range s.World.Nodes() {
						n.PowerLoss()
					}
					s.startAll()
				})
			})
			for i := range p.Topics {
				p.Topics[i].Durability = history.DurabilitySync
			}
			p.Faults = d.swarm("disk-slow", "disk-hang", "kill-recovery", "kill-at")
			return p
		},
	}
}

// startAll starts the nodes that are down, in any order.
func (s *Stage) startAll() {
	nodes := slices.Clone(s.World.Nodes())
	s.Rand.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
	for _, n := range nodes {
		s.World.Sleep(s.between(0, time.Second), nil)
		if n.Running() {
			continue
		}
		if err := n.Start(); err != nil {
			s.World.Trace("inject", err.Error())
		}
	}
}

// pauses stops a process for a while, as SIGSTOP does, again and again.
func pauses(name, about string, whom func(*Stage) *world.Node) Scenario {
	return Scenario{
		Name: name, About: about,
		Plan: func(d *Draw) Plan {
			return calmCluster(d, func(s *Stage) {
				s.repeat(func() {
					n := whom(s)
					s.World.Trace("inject", name+": "+n.Host)
					long := s.Rand.IntN(2) == 0
					if long {
						s.Available(s.Topics[0], 0, n.Host+" was paused", availableMax)
					}
					if !n.Pause() {
						return
					}
					if long {
						s.apart()
					} else {
						s.World.Sleep(s.between(100*time.Millisecond, time.Second), s.Stop)
					}
					n.Resume()
				})
			})
		},
	}
}

func pauseLeader() Scenario {
	return pauses("pause-leader", "the leader's process stands still for a while, and goes on with a view of long ago: what it does then counts for nothing",
		func(s *Stage) *world.Node { return s.Leader(s.Topics[0], 0) })
}

func pauseController() Scenario {
	return pauses("pause-controller", "the active controller's process stands still for a while: another one takes over, and it learns so",
		func(s *Stage) *world.Node { return s.Controller() })
}

// clockJumps lets the clocks of three nodes go wrong, each another way.
func clockJumps() Scenario {
	return Scenario{
		Name:  "clock-jumps",
		About: "the clocks of three nodes jump, drift and stand still, while processes end: leads and offices do not depend on them",
		Plan: func(d *Draw) Plan {
			p := calmCluster(d, nil)
			p.Faults = d.swarm("kill", "pause", "net-delay", "clock-coarse").With(often(2*time.Second, "clock-jump")...).With(often(4*time.Second, "clock-drift")...)
			return p
		},
	}
}

// topicDeletion makes and deletes replicated topics while nodes come and go.
func topicDeletion() Scenario {
	return Scenario{
		Name:  "topic-deletion",
		About: "replicated topics come and go, some under the same name again, while nodes are killed and cut off",
		Plan: func(d *Draw) Plan {
			churned := replicated(d.Rand, 1, 3, 2)[0]
			other, same := churned, churned
			other.Name, same.Name = "churn", "same"
			return Plan{
				Nodes: three.machines(d.Rand), Topics: replicated(d.Rand, 1, 3, 2), Net: lan(d.Rand), Resettle: clusterSettings,
				Faults: d.swarm("kill", "power", "stop", "pause", "kill-at", "net-partition", "net-isolated", "net-lost-replies", "net-delay", "disk-slow"),
				Clients: func(topics []*workload.Topic) []workload.Actor {
					admin := workload.Admin{Every: paceLeast, Timeout: clientTimeout, Churn: other}
					again := admin
					again.Churn, again.SameName = same, true
					return []workload.Actor{idempotent(d.Rand, topics), reader(d.Rand, topics), admin, admin2(admin), again}
				},
			}
		},
	}
}
