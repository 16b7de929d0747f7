package scenario

import (
	"time"

	"github.com/moldau/moldau/sim/workload"
	"github.com/moldau/moldau/sim/world"
)

// four brokers beside one controller: three of them may be down, and there is
// somebody to elect the fourth.
var four = shape{nodes: 5, voters: 1, dedicated: true}

// uncleanly has the last member of the ISR go away, while one outside of it
// is there.
func uncleanly(name, about string, allowed bool) Scenario {
	return Scenario{
		Name: name, About: about,
		Plan: func(d *Draw) Plan {
			topics := replicated(d.Rand, 2, 3, OneOf(d.Rand, 1, 2))
			for i := range topics {
				topics[i].Unclean, topics[i].Partitions = allowed, 1
			}
			return Plan{
				Nodes: four.machines(d.Rand), Topics: topics, Net: lan(d.Rand), Faults: d.swarm("net-delay", "disk-slow"),
				Clients: func(topics []*workload.Topic) []workload.Actor { return clusterClients(d.Rand, topics) },
				Script:  func(s *Stage) { s.repeat(func() { s.leaveBehind() }) },
			}
		},
	}
}

// leaveBehind cuts some broker off until it has left all ISRs, kills the others,
// and lets it come back alone.
func (s *Stage) leaveBehind() {
	brokers := s.World.Nodes()[1:]
	behind := brokers[s.Rand.IntN(len(brokers))]
	s.World.Trace("inject", "left behind: "+behind.Host)
	s.World.Fabric.Isolate(behind.Host)
	s.World.Sleep(s.between(time.Second, 3*time.Second), s.Stop)
	for _, n := range brokers {
		if n != behind {
			n.Kill()
		}
	}
	s.World.Fabric.Rejoin(behind.Host)
	s.World.Sleep(s.between(time.Second, 4*time.Second), s.Stop)
	s.startAll()
}

func uncleanAllowed() Scenario {
	return uncleanly("unclean-allowed", "all brokers but one that was left behind go away, and it may lead: one log comes of it all the same", true)
}

func uncleanForbidden() Scenario {
	return uncleanly("unclean-forbidden", "all brokers but one that was left behind go away, and it may not lead: nothing is lost", false)
}

// wiped brokers, three of which come back empty one after the other.
var wiped = shape{nodes: 6, voters: 3}

// diskLost takes the disk of one broker at a time, for good.
func diskLost() Scenario {
	return Scenario{
		Name:  "disk-lost",
		About: "a broker's disk is lost and replaced by an empty one: it copies everything anew, and nothing is lost",
		Plan: func(d *Draw) Plan {
			return Plan{
				Nodes: wiped.machines(d.Rand), Topics: replicated(d.Rand, 2, 3, 2), Net: lan(d.Rand), Faults: d.swarm("net-delay", "disk-slow"),
				CopiesLostMax: 1,
				Clients:       func(topics []*workload.Topic) []workload.Actor { return clusterClients(d.Rand, topics) },
				Script: func(s *Stage) {
					for s.World.Sleep(s.between(5*time.Second, 10*time.Second), s.Stop) {
						n := s.World.Nodes()[wiped.voters+s.Rand.IntN(wiped.nodes-wiped.voters)]
						s.World.Trace("inject", "disk-lost: "+n.Host)
						n.PowerLoss()
						s.wipe(n)
						s.World.Sleep(s.between(0, 2*time.Second), s.Stop)
						s.startAll()
						s.World.Await(n.Ready(), restartWait)
					}
				},
			}
		},
	}
}

// wipe replaces all log directories of a node that is down.
func (s *Stage) wipe(n *world.Node) {
	for _, dir := range n.LogDirs() {
		if err := s.World.Replace(n, dir); err != nil {
			s.World.Trace("inject", err.Error())
		}
	}
}

// bitRotOneReplica has bits of one node's logs change.
func bitRotOneReplica() Scenario {
	return Scenario{
		Name:  "bit-rot-one-replica",
		About: "bits of one node's logs change for good: it, or a client whose operator replaces the copy, finds so, and it copies from the others what it lost",
		Plan: func(d *Draw) Plan {
			p := calmCluster(d, func(s *Stage) {
				n := s.World.Nodes()[s.Rand.IntN(len(s.World.Nodes()))]
				rot, kill := named("disk-rot")[0], named("kill")[0]
				for s.World.Sleep(s.between(2*time.Second, 5*time.Second), s.Stop) {
					rot.Strike(s.Injector.Site(rot.Name, n))
					if s.Rand.IntN(3) == 0 {
						kill.Strike(s.Injector.Site(kill.Name, n))
					}
				}
			})
			p.CopiesLostMax = 1
			return p
		},
	}
}
