package scenario

import (
	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/net/simnet"
	"github.com/moldau/moldau/sim/world"
)

// leadsBehind has a node lead that does not know how much of its log is committed:
// the high watermark stands while a third one is away, and moves when that has
// been taken out of ISR, of which the coming leader does not hear.
func (s *Stage) leadsBehind(leader, coming, away *world.Node) {
	s.World.Fabric.Isolate(away.Host)
	s.lasts(instants)
	s.deaf(leader, coming)
	s.lasts(fenced)
	leader.Kill()
	s.lasts(instants)
}

// trickle is so slow, in bytes a second, that an answer with records takes seconds.
const trickle = 200

// joinsBelow is the case of KAFKA-7128.
func joinsBelow() Scenario {
	return past{brokers: 3, minInsync: 2}.retells("joins-below-epoch-start",
		"a new leader's high watermark lags, and a replica that has no more than that is back and then all there is (KAFKA-7128)",
		func(s *Stage, leader *world.Node, others []*world.Node) {
			coming, away := others[0], others[1]
			s.leadsBehind(leader, coming, away)
			defer s.link(coming, away, func(l *simnet.Link) { l.BytesPerSecond = trickle })()
			s.World.Fabric.Rejoin(away.Host)
			s.lasts(while)
			coming.Kill()
			s.lasts(while)
		})
}

// latestGoesBack is KIP-207's case.
func latestGoesBack() Scenario {
	return past{brokers: 3, minInsync: 2}.retells("latest-offset-goes-back",
		"a new leader's high watermark lags behind what was acknowledged: it does not tell a latest offset that clients know to be past (KIP-207, KAFKA-2334)",
		func(s *Stage, leader *world.Node, others []*world.Node) {
			s.leadsBehind(leader, others[0], others[1])
			s.lasts(while)
		})
}

// emptiedBeforeJoin is KIP-903's case.
func emptiedBeforeJoin() Scenario {
	long := []config.Property{{Name: "broker.session.timeout.ms", Value: "8000"}}
	return past{brokers: 2, minInsync: 1, copiesLost: 1, own: long}.retells("emptied-before-it-joins",
		"a request to take a replica into ISR is late, and meanwhile that has come back with an empty disk (KIP-903, KAFKA-14139)",
		func(s *Stage, leader *world.Node, others []*world.Node) {
			follower := others[0]
			s.part(leader, follower)
			s.lasts(4 * pastLag)
			defer s.link(leader, s.seat(), func(l *simnet.Link) { l.Delay += while })()
			s.join(leader, follower)
			s.lasts(fenced)
			follower.Kill()
			s.wipe(follower)
			s.begin(follower)
			s.deaf(leader, follower)
			s.lasts(while)
			leader.Kill()
			s.lasts(while)
		})
}

// emptiedUnderItsName is what KIP-903 says of a leader's memory: it ends with the
// incarnation that it is of.
func emptiedUnderItsName() Scenario {
	return past{brokers: 2, minInsync: 2, copiesLost: 1}.retells("emptied-under-its-name",
		"a follower comes back with an empty disk: what the one before it had counts no more, and it does not lead (KIP-903)",
		func(s *Stage, leader *world.Node, others []*world.Node) {
			follower := others[0]
			follower.Kill()
			s.wipe(follower)
			s.deaf(leader, follower)
			s.begin(follower)
			s.lasts(instants)
			leader.Kill()
			s.lasts(while)
		})
}

// eligibleNoMore is what KIP-966 empties the list of eligible leaders for.
func eligibleNoMore() Scenario {
	return past{brokers: 3, minInsync: 2}.retells("eligible-no-more",
		"a replica was eligible to lead while nothing was committed, which others do again without it; then they die, and it does not lead (KIP-966)",
		func(s *Stage, leader *world.Node, others []*world.Node) {
			back, away := others[0], others[1]
			s.World.Fabric.Isolate(back.Host)
			s.lasts(fenced)
			s.World.Fabric.Isolate(away.Host)
			s.lasts(fenced)
			s.World.Fabric.Rejoin(back.Host)
			s.lasts(2 * while)
			leader.Kill()
			back.Kill()
			s.World.Fabric.Rejoin(away.Host)
			s.lasts(while)
		})
}

// acknowledgesAlone is what Jepsen found in Kafka 0.8.
func acknowledgesAlone() Scenario {
	return past{brokers: 5, minInsync: 2}.retells("leader-acknowledges-alone",
		"a leader that no follower reaches is alone in ISR and then dies: what it took meanwhile was not acknowledged (Jepsen: Kafka, 2013)",
		func(s *Stage, leader *world.Node, others []*world.Node) {
			for _, n := range others {
				s.part(leader, n)
			}
			s.lasts(2 * pastLag)
			leader.Kill()
			s.lasts(while)
		})
}
