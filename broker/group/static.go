package group

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/coord"
	"github.com/moldau/moldau/broker/kafka"
)

// replaceStatic gives the place of former to the same instance's new run,
// whose member id is id. Whoever still waits under the old id is fenced.
//
// In a stable group whose protocol stays the same nobody else notices: the new
// member is written down and keeps the assignment (KIP-345).
func (m *Machine) replaceStatic(g *group, former *member, id string, req *coord.Request, r *kmsg.JoinGroupRequest) {
	if former.join != nil {
		m.reply(former.join, joinError(former.id, kafka.ErrFencedInstanceID))
		former.join = nil
		g.awaitingJoin--
	}
	if former.sync != nil {
		m.reply(former.sync, syncError(kafka.ErrFencedInstanceID))
		former.sync = nil
	}
	leader := g.leader
	mb := g.rename(former, id)
	m.touch(mb)
	g.updateMember(mb, r)
	if g.state != Stable || g.selectProtocol() != *g.protocol {
		m.awaitJoin(g, mb, req)
		if g.state == PreparingRebalance {
			m.maybeCompleteJoin(g)
			return
		}
		m.prepareRebalance(g, "a static member came back")
		return
	}
	rec := groupRecord(g)
	if !m.room(recordSizeMax(rec)) {
		m.awaitJoin(g, mb, req)
		m.prepareRebalance(g, "a static member's return does not fit into a record")
		return
	}
	g.subscribed = g.subscribedTopics()
	m.record(rec)
	resp := joinAnswer(g, mb)
	if r.Version >= 9 {
		resp.SkipAssignment = mb.id == g.leader
	} else {
		// An older client that leads would assign anew: it is told of the
		// leader that was, and takes itself for a follower.
		resp.LeaderID, resp.Members = leader, nil
	}
	m.replyCommitted(req, resp)
}

// rename gives a static member a new id, at the same place among the members.
func (g *group) rename(former *member, id string) *member {
	former.session.stop()
	mb := *former
	mb.id = id
	mb.session = timer{kind: timerSession, group: g, member: id}
	for i := range g.members {
		if g.members[i] == former {
			g.members[i] = &mb
		}
	}
	delete(g.byID, former.id)
	g.byID[id] = &mb
	g.static[*mb.instanceID] = id
	if g.leader == former.id {
		g.leader = id
	}
	return &mb
}
