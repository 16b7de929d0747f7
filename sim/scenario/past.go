package scenario

import (
	"fmt"
	"slices"
	"time"

	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/net/simnet"
	"github.com/moldau/moldau/sim/workload"
	"github.com/moldau/moldau/sim/world"
)

// The scenarios of the files past*.go retell what once went wrong in a real
// system, step by step: who leads a partition, who follows it, what is cut and who
// dies in which order follow from the script, and a seed decides the moments. Each
// is there for a rule of the replication contract: without it, it shows what the
// others saw.

// Times of the scripts.
const (
	sceneFirst = 2 * time.Second        // before a scene, and between the end of one and the next
	sceneMost  = 4 * time.Second        //
	moment     = 20 * time.Millisecond  // a few messages
	instants   = 150 * time.Millisecond // less than the session of a broker
	fenced     = 700 * time.Millisecond // a broker that is cut off is fenced by then, and all know so
	while      = 1500 * time.Millisecond
	pastLag    = time.Second // replica.lag.time.max.ms of these clusters
)

// past is what a script of the past is played with.
type past struct {
	brokers    int // beside one controller that nothing strikes
	minInsync  int
	durability history.Durability
	unclean    bool
	slow       bool              // disks are slow: much is written and not synced
	copiesLost int               // see Plan
	own        []config.Property // of each node
}

// retells makes a scenario of a script that is played again and again.
func (p past) retells(name, about string, scene func(s *Stage, leader *world.Node, others []*world.Node)) Scenario {
	return Scenario{
		Name: name, About: about,
		Plan: func(d *Draw) Plan {
			topics := replicated(d.Rand, 1, int16(p.brokers), p.minInsync)
			topics[0].Partitions, topics[0].Unclean, topics[0].Durability = 1, p.unclean, history.DurabilitySync
			if p.durability != "" {
				topics[0].Durability = p.durability
			}
			faults := d.swarm("net-fragments")
			if p.slow {
				faults = faults.With(often(2*time.Second, "disk-slow")...)
			}
			return Plan{
				Nodes: p.machines(d), Topics: topics, Net: lan(d.Rand), Faults: faults, CopiesLostMax: p.copiesLost,
				Clients: func(topics []*workload.Topic) []workload.Actor {
					steady := workload.Producer{
						Topics: topics, Acks: -1, RecordsMax: 3, ValueBytes: 64, PartsMax: 1, InFlight: inFlightMax, Every: 30 * time.Millisecond, Timeout: clientTimeout,
					}
					asks := reader(d.Rand, topics)
					asks.Every, asks.Lookups = paceLeast, 600
					return []workload.Actor{steady, idempotent(d.Rand, topics), asks, prober(topics[0])}
				},
				Script: func(s *Stage) { s.scenes(name, scene) },
			}
		},
	}
}

// inFlightMax is how many requests the steady producer has under way.
const inFlightMax = 5

// machines are one controller and the brokers.
func (p past) machines(d *Draw) []world.NodeConfig {
	nodes := shape{nodes: p.brokers + 1, voters: 1, dedicated: true}.machines(d.Rand)
	for i := range nodes {
		nodes[i].Own = append(nodes[i].Own, config.Property{Name: "replica.lag.time.max.ms", Value: fmt.Sprint(pastLag.Milliseconds())})
		nodes[i].Own = append(nodes[i].Own, p.own...)
	}
	return nodes
}

// scenes plays a scene with whoever leads, and lets everything come back.
func (s *Stage) scenes(name string, scene func(s *Stage, leader *world.Node, others []*world.Node)) {
	for s.World.Sleep(s.between(sceneFirst, sceneMost), s.Stop) {
		leader := s.Leader(s.Topics[0], 0)
		others := slices.DeleteFunc(slices.Clone(s.World.Nodes()), func(n *world.Node) bool { return n == leader || !n.Broker() })
		s.Rand.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
		s.World.Trace("inject", name+": "+leader.Host+" leads")
		release := s.keep(append(others, leader))
		scene(s, leader, others)
		s.mend()
		release()
	}
}

// keep has nobody else start the processes of nodes that end, until release.
func (s *Stage) keep(nodes []*world.Node) (release func()) {
	var held []func()
	for _, n := range nodes {
		if release, ok := s.Injector.Site("script", n).Keep(); ok {
			held = append(held, release)
		}
	}
	return func() {
		for _, release := range held {
			release()
		}
	}
}

// link changes how traffic fares from one node to another, until undo.
func (s *Stage) link(from, to *world.Node, change func(*simnet.Link)) (undo func()) {
	return s.Injector.Site("script", from).Link(from.Host, to.Host, change)
}

// mend ends all cuts, starts who is down, and waits until all serve.
func (s *Stage) mend() {
	nodes := s.World.Nodes()
	for i, a := range nodes {
		s.World.Fabric.Rejoin(a.Host)
		a.Resume()
		for _, b := range nodes[:i] {
			s.World.Fabric.Heal(a.Host, b.Host)
		}
	}
	s.startAll()
	for _, n := range nodes {
		s.World.Await(n.Ready(), restartWait)
	}
}

// deaf cuts the way from one node to another: what follows from the first's
// answers does not reach the other, whose requests arrive.
func (s *Stage) deaf(from, to *world.Node) { s.World.Fabric.PartitionOneWay(from.Host, to.Host) }

// part cuts both ways between two nodes.
func (s *Stage) part(a, b *world.Node) { s.World.Fabric.Partition(a.Host, b.Host) }

// join ends what was cut between two nodes.
func (s *Stage) join(a, b *world.Node) { s.World.Fabric.Heal(a.Host, b.Host) }

// lasts lets time go by, about as much as is said.
func (s *Stage) lasts(d time.Duration) { s.World.Sleep(s.between(d/2, d+d/2), s.Stop) }

// begin starts a node that is down and waits until it serves.
func (s *Stage) begin(n *world.Node) {
	if err := n.Start(); err != nil {
		s.World.Trace("inject", err.Error())
		return
	}
	s.World.Await(n.Ready(), restartWait)
}

// seat is the controller of a cluster of the past.
func (s *Stage) seat() *world.Node { return s.World.Nodes()[0] }
