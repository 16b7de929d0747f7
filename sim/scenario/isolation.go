package scenario

import (
	"time"

	"github.com/moldau/moldau/sim/workload"
	"github.com/moldau/moldau/sim/world"
)

// Times of the scripts that take one node away from the others.
const (
	apartFirst  = 3 * time.Second // before something is cut off
	apartLeast  = 6 * time.Second // so long it stays so at least; long enough for availableMax
	apartMost   = 9 * time.Second
	togetherMin = 3 * time.Second // between the end of one cut and the next
	// availableMax is within what time appends go on when a leader is killed or
	// cut off, for any seed; for nearly all it is far less.
	availableMax = 5 * time.Second
	// laggingMax is the same where a follower alone is cut off: the leader waits for
	// it until replica.lag.time.max.ms, 5 s, has passed.
	laggingMax = 8 * time.Second
)

// prober finds out when appends go on: it sends one record after another and does
// not wait long.
func prober(topics ...*workload.Topic) workload.Producer {
	return workload.Producer{
		Topics: topics, Acks: -1, RecordsMax: 1, ValueBytes: 16, PartsMax: 1, InFlight: 1, Every: 60 * time.Millisecond, Timeout: 400 * time.Millisecond, Hasty: true,
	}
}

// calmCluster is three nodes with one topic of one partition first, which a script
// may watch, and quick clients.
func calmCluster(d *Draw, script func(*Stage)) Plan {
	topics := replicated(d.Rand, 2, 3, 2)
	topics[0].Partitions = 1
	return Plan{
		Nodes: three.machines(d.Rand), Topics: topics, Net: lan(d.Rand), Script: script,
		Clients: func(topics []*workload.Topic) []workload.Actor {
			return append(clusterClients(d.Rand, topics), prober(topics[0]))
		},
	}
}

// repeat does something again and again until the run is over.
func (s *Stage) repeat(do func()) {
	for s.World.Sleep(s.between(apartFirst, apartFirst+togetherMin), s.Stop) {
		do()
	}
}

func (s *Stage) between(least, most time.Duration) time.Duration {
	return least + time.Duration(s.Rand.Int64N(int64(most-least)+1))
}

// apart holds while something is cut.
func (s *Stage) apart() { s.World.Sleep(s.between(apartLeast, apartMost), s.Stop) }

// others are the hosts of all nodes but one.
func (s *Stage) others(one *world.Node) (hosts []string) {
	for _, n := range s.World.Nodes() {
		if n != one {
			hosts = append(hosts, n.Host)
		}
	}
	return hosts
}

// leaderIsolated cuts the leader of a partition off: from everybody, or from the
// other nodes alone, so that clients still reach it.
func leaderIsolated() Scenario {
	return Scenario{
		Name:  "leader-isolated",
		About: "the leader is cut off, from all or from the other nodes alone: another one leads soon, and nothing that it acknowledged is lost",
		Plan: func(d *Draw) Plan {
			return calmCluster(d, func(s *Stage) {
				s.repeat(func() {
					leader := s.Leader(s.Topics[0], 0)
					s.World.Trace("inject", "leader-isolated: "+leader.Host)
					s.Available(s.Topics[0], 0, leader.Host+", the leader, was cut off", availableMax)
					if s.Rand.IntN(2) == 0 {
						s.World.Fabric.Isolate(leader.Host)
						s.apart()
						s.World.Fabric.Rejoin(leader.Host)
						return
					}
					s.cutOff(leader)
				})
			})
		},
	}
}

// cutOff cuts a node off from the other nodes for a while.
func (s *Stage) cutOff(n *world.Node) {
	for _, other := range s.others(n) {
		s.World.Fabric.Partition(n.Host, other)
	}
	s.apart()
	for _, other := range s.others(n) {
		s.World.Fabric.Heal(n.Host, other)
	}
}

// controllerMinority cuts the active controller off from the other nodes.
func controllerMinority() Scenario {
	return Scenario{
		Name:  "controller-minority",
		About: "the active controller is cut off from the other nodes, while clients reach it: what it decides alone comes to nothing",
		Plan: func(d *Draw) Plan {
			p := calmCluster(d, func(s *Stage) {
				s.repeat(func() {
					controller := s.Controller()
					s.World.Trace("inject", "controller-minority: "+controller.Host)
					s.Available(s.Topics[0], 0, controller.Host+", the active controller, was cut off", availableMax)
					s.cutOff(controller)
				})
			})
			clients := p.Clients
			p.Clients = func(topics []*workload.Topic) []workload.Actor {
				spec := topics[0].Spec
				spec.Name = "churn"
				return append(clients(topics), workload.Admin{Every: 300 * time.Millisecond, Timeout: clientTimeout, Churn: spec})
			}
			return p
		},
	}
}

// splitBrain splits nodes and clients into two groups, again and again.
func splitBrain() Scenario {
	return Scenario{
		Name:  "split-brain",
		About: "nodes and clients fall into two groups that do not hear each other: one log comes of it",
		Plan: func(d *Draw) Plan {
			return calmCluster(d, func(s *Stage) {
				s.repeat(func() {
					alone := s.World.Nodes()[s.Rand.IntN(len(s.World.Nodes()))]
					groups := [2][]string{{alone.Host}, s.others(alone)}
					for _, client := range s.Clients {
						side := s.Rand.IntN(2)
						groups[side] = append(groups[side], client)
					}
					s.World.Trace("inject", "split-brain: "+alone.Host)
					s.between2(groups, s.World.Fabric.Partition)
					s.apart()
					s.between2(groups, s.World.Fabric.Heal)
				})
			})
		},
	}
}

// between2 does something to each pair of hosts of different groups.
func (s *Stage) between2(groups [2][]string, do func(a, b string)) {
	for _, a := range groups[0] {
		for _, b := range groups[1] {
			do(a, b)
		}
	}
}

// asymmetric cuts ways between nodes in one direction only.
func asymmetric() Scenario {
	return Scenario{
		Name:  "asymmetric",
		About: "between nodes nothing passes one way, while the way back stays: leaders and controllers that are heard and do not hear",
		Plan: func(d *Draw) Plan {
			return calmCluster(d, func(s *Stage) {
				s.repeat(func() {
					nodes := s.World.Nodes()
					from := nodes[s.Rand.IntN(len(nodes))]
					to := s.others(from)
					if s.Rand.IntN(2) == 0 {
						to = to[:1]
					}
					s.World.Trace("inject", "asymmetric: "+from.Host)
					back := s.Rand.IntN(2) == 0
					for _, other := range to {
						if back {
							s.World.Fabric.PartitionOneWay(other, from.Host)
						} else {
							s.World.Fabric.PartitionOneWay(from.Host, other)
						}
					}
					s.apart()
					for _, other := range to {
						s.World.Fabric.Heal(from.Host, other)
					}
				})
			})
		},
	}
}

// slowFollower cuts the way between the leader and one follower alone.
func slowFollower() Scenario {
	return Scenario{
		Name:  "slow-follower",
		About: "one follower does not hear of its leader, though both hear of the controller: the leader goes on without it after its lag",
		Plan: func(d *Draw) Plan {
			return calmCluster(d, func(s *Stage) {
				s.repeat(func() {
					leader := s.Leader(s.Topics[0], 0)
					if leader == s.Controller() {
						return // the follower would lose the controller, too
					}
					others := s.others(leader)
					follower := others[s.Rand.IntN(len(others))]
					if follower == s.Controller().Host {
						return
					}
					s.World.Trace("inject", "slow-follower: "+leader.Host+" "+follower)
					s.Available(s.Topics[0], 0, follower+" was cut off from "+leader.Host+", the leader", laggingMax)
					s.World.Fabric.Partition(leader.Host, follower)
					s.World.Sleep(s.between(laggingMax, 2*laggingMax), s.Stop)
					s.World.Fabric.Heal(leader.Host, follower)
				})
			})
		},
	}
}
