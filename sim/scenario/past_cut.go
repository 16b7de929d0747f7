package scenario

import (
	"github.com/moldau/moldau/sim/world"
)

// restartBehind is KIP-101's first case.
func restartBehind() Scenario {
	return past{brokers: 2, minInsync: 2}.retells("restart-behind-high-watermark",
		"a follower that does not know yet what is committed restarts, and then its leader dies: it leads with all it has (KIP-101, KAFKA-1211)",
		func(s *Stage, leader *world.Node, others []*world.Node) {
			follower := others[0]
			s.deaf(leader, follower)
			s.lasts(moment)
			follower.Kill()
			s.begin(follower)
			s.lasts(instants)
			leader.Kill()
			s.lasts(while)
		})
}

// shorterLeads is KIP-101's second case.
func shorterLeads() Scenario {
	return past{brokers: 2, minInsync: 1, slow: true}.retells("shorter-log-leads",
		"both replicas lose power and the one with the shorter log is back first: the other one gives up what is not in it (KIP-101)",
		func(s *Stage, leader *world.Node, others []*world.Node) {
			first, second := leader, others[0]
			if s.Rand.IntN(2) == 0 {
				first, second = second, first
			}
			leader.PowerLoss()
			others[0].PowerLoss()
			s.begin(first)
			s.lasts(while)
			s.begin(second)
			s.lasts(instants)
		})
}

// quickUnclean is KIP-279's case.
func quickUnclean() Scenario {
	return past{brokers: 2, minInsync: 1, unclean: true}.retells("unclean-in-quick-turns",
		"two replicas lead in turn, each without what the other one took: the log of the last leader is the log (KIP-279, KAFKA-6361)",
		func(s *Stage, leader *world.Node, others []*world.Node) {
			other := others[0]
			other.Kill()
			s.lasts(fenced)
			leader.Kill()
			s.begin(other)
			s.lasts(fenced)
			other.Kill()
			s.begin(leader)
			s.lasts(fenced)
			s.begin(other)
			s.lasts(instants)
		})
}

// missedElection is KAFKA-6880's case.
func missedElection() Scenario {
	return past{brokers: 3, minInsync: 1}.retells("missed-election",
		"a follower hears nothing of two elections, after which its leader of old leads again with another log (KAFKA-6880, KIP-320)",
		func(s *Stage, leader *world.Node, others []*world.Node) {
			late, short := others[0], others[1]
			s.deaf(leader, short)
			s.lasts(2 * instants)
			s.part(s.seat(), late)
			s.lasts(fenced)
			leader.Kill()
			s.join(leader, short)
			s.lasts(fenced)
			s.begin(leader)
			s.lasts(fenced)
			short.Kill()
			s.lasts(while)
		})
}
