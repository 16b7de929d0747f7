package scenario

import (
	"strings"
	"time"

	"github.com/moldau/moldau/disk/simfs"
	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/sim/world"
)

// lastStanding is the case that KIP-966 is for.
func lastStanding() Scenario {
	return past{brokers: 3, minInsync: 2, durability: history.DurabilityOS}.retells("last-member-loses-power",
		"the last member of ISR loses power and what it had not synced, and is back before the others: one that was eligible leads (KIP-966)",
		func(s *Stage, leader *world.Node, others []*world.Node) {
			s.World.Fabric.Isolate(leader.Host)
			s.lasts(while)
			last := s.Leader(s.Topics[0], 0)
			for _, n := range others {
				if n != last {
					s.World.Fabric.Isolate(n.Host)
				}
			}
			s.lasts(fenced)
			last.PowerLoss()
			s.begin(last)
			s.lasts(while)
		})
}

// slowSync is what a sync takes on a disk where much is written and not durable.
const slowSync = 40 * time.Millisecond

// pausedMajority is what Jepsen found in NATS, with a majority's copy.
func pausedMajority() Scenario {
	return past{brokers: 5, minInsync: 3, slow: true}.retells("power-loss-among-pauses",
		"one of the three that acknowledged loses power, and is back with two that were paused while the other two are (Jepsen: NATS 2.12.1, lazy fsync)",
		func(s *Stage, leader *world.Node, others []*world.Node) {
			a, b, c, struck := others[0], others[1], others[2], others[3]
			undo := s.Injector.Site("script", struck).Disk(func(f *simfs.Faults) { f.SyncLatency = max(f.SyncLatency, slowSync) })
			a.Pause()
			b.Pause()
			s.lasts(fenced)
			struck.PowerLoss()
			undo()
			leader.Pause()
			c.Pause()
			a.Resume()
			b.Resume()
			s.begin(struck)
			s.lasts(while)
		})
}

// rottenLeads is what Jepsen found in NATS, with a damaged file.
func rottenLeads() Scenario {
	return past{brokers: 3, minInsync: 2, copiesLost: 1}.retells("damaged-log-does-not-lead",
		"a replica starts with a damaged log, and then all others die: it does not lead (Jepsen: NATS 2.12.1, bit errors)",
		func(s *Stage, leader *world.Node, others []*world.Node) {
			other, rotten := others[0], others[1]
			other.Kill()
			s.lasts(instants)
			rotten.Kill()
			s.deaf(leader, rotten)
			log := func(name string) bool {
				return strings.HasSuffix(name, ".log") && strings.Contains(name, "/"+s.Topics[0].Spec.Name+"-0/")
			}
			if s.World.Atlas.AllowsNode(rotten.Host) {
				rotten.Disk.OnceOnto(simfs.Rot, log, log)
			}
			s.begin(rotten)
			s.lasts(instants)
			leader.Kill()
			s.lasts(while)
		})
}
