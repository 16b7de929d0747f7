package group

import (
	"time"

	"github.com/moldau/moldau/broker/kafka"
)

// newMemberJoinTimeout is how long a new member waits for the end of the join
// phase before it is taken for gone.
const newMemberJoinTimeout = 5 * time.Minute

// clockMs is a protocol's milliseconds as a duration. Below zero counts as zero.
func clockMs(ms int32) time.Duration { return time.Duration(max(ms, 0)) * time.Millisecond }

func (m *Machine) touchFor(mb *member, d time.Duration) {
	m.timers.arm(&mb.session, m.now.Mono.Add(d))
}

// startPhase arms the one timer of the join or the sync phase.
func (m *Machine) startPhase(g *group, kind timerKind, d time.Duration) {
	g.phase.kind = kind
	m.timers.arm(&g.phase, m.now.Mono.Add(d))
}

// rebalance begins a rebalance, or, when one runs, completes its join phase
// if nobody is waited for any more.
func (m *Machine) rebalance(g *group, reason string) {
	if g.state == PreparingRebalance {
		m.maybeCompleteJoin(g)
		return
	}
	m.prepareRebalance(g, reason)
}

// prepareRebalance asks all members to join again. Members that wait for
// their assignment are told so at once; the others learn it by a heartbeat.
func (m *Machine) prepareRebalance(g *group, reason string) {
	if g.state == CompletingRebalance {
		m.failSyncs(g, kafka.ErrRebalanceInProgress)
	}
	for _, mb := range g.members {
		g.setOwesSync(mb, false)
	}
	g.phase.stop()
	initial := g.state == Empty
	m.setState(g, PreparingRebalance)
	m.tell(RebalanceStarted{Group: g.id, Generation: g.generation, Members: len(g.members), Reason: reason})
	if initial {
		g.newMemberAdded = false
		g.initialDelay = m.cfg.InitialRebalanceDelay
		g.initialRemaining = max(g.rebalanceTimeout()-g.initialDelay, 0)
		m.startPhase(g, timerInitial, g.initialDelay)
		return
	}
	if g.allJoined() {
		m.completeJoin(g)
		return
	}
	m.startPhase(g, timerJoin, g.rebalanceTimeout())
}

// maybeCompleteJoin ends the join phase when everybody has joined. The first
// rebalance of an empty group waits for its time instead: who else may come?
func (m *Machine) maybeCompleteJoin(g *group) {
	if g.state == PreparingRebalance && g.allJoined() && g.previous != Empty {
		m.completeJoin(g)
	}
}

// expireInitial ends the first rebalance, or prolongs it when somebody came.
func (m *Machine) expireInitial(g *group) {
	if !g.newMemberAdded || g.initialRemaining == 0 {
		m.completeJoin(g)
		return
	}
	g.newMemberAdded = false
	delay := min(m.cfg.InitialRebalanceDelay, g.initialRemaining)
	g.initialRemaining = max(g.initialRemaining-g.initialDelay, 0)
	g.initialDelay = delay
	m.startPhase(g, timerInitial, delay)
}

// completeJoin begins the next generation with those who joined. Static
// members stay though they are silent, until their sessions end.
func (m *Machine) completeJoin(g *group) {
	g.phase.stop()
	for i := 0; i < len(g.members); {
		mb := g.members[i]
		if mb.join != nil || mb.instanceID != nil {
			i++
			continue
		}
		m.removeMember(g, mb, "did not join in time")
	}
	if len(g.members) > 0 && !g.electLeader() {
		m.startPhase(g, timerJoin, g.rebalanceTimeout())
		return
	}
	g.generation++
	if len(g.members) == 0 {
		g.protocol = nil
		g.subscribed = g.subscribedTopics()
		m.setState(g, Empty)
		m.tell(GroupEmptied{Group: g.id, Generation: g.generation})
		m.record(groupRecord(g))
		return
	}
	selected := g.selectProtocol()
	g.protocol = &selected
	g.subscribed = g.subscribedTopics()
	m.setState(g, CompletingRebalance)
	for _, mb := range g.members {
		if mb.join != nil {
			req := mb.join
			mb.join = nil
			g.awaitingJoin--
			m.reply(req, joinAnswer(g, mb))
		}
		m.touch(mb)
		mb.isNew = false
		g.setOwesSync(mb, true)
	}
	m.startPhase(g, timerSync, g.rebalanceTimeout())
}

// electLeader makes sure that the leader is one who joined. It reports false
// when nobody did.
func (g *group) electLeader() bool {
	if leader := g.byID[g.leader]; leader != nil && leader.join != nil {
		return true
	}
	for _, mb := range g.members {
		if mb.join != nil {
			g.leader = mb.id
			return true
		}
	}
	return false
}

// expireSync removes the members that owe a SyncGroup to the generation,
// however alive their heartbeats are, and rebalances the rest.
func (m *Machine) expireSync(g *group) {
	if g.owingSync == 0 || g.state != CompletingRebalance && g.state != Stable {
		return
	}
	for i := 0; i < len(g.members); {
		if mb := g.members[i]; mb.owesSync {
			m.removeMember(g, mb, "did not sync in time")
			continue
		}
		i++
	}
	m.prepareRebalance(g, "members did not sync in time")
}

// expireSession ends the session of a member or of a member id that was given
// out and not used.
func (m *Machine) expireSession(g *group, id string) {
	if _, ok := g.pending[id]; ok {
		delete(g.pending, id)
		if g.state == PreparingRebalance && g.allJoined() {
			m.completeJoin(g)
		}
		return
	}
	mb := g.byID[id]
	if mb == nil || !mb.isNew && (mb.join != nil || mb.sync != nil) {
		// One who waits for an answer cannot send heartbeats; the answer
		// begins the session anew.
		return
	}
	m.removeMember(g, mb, "session expired")
	switch {
	case g.state == Stable || g.state == CompletingRebalance:
		m.prepareRebalance(g, "a member's session expired")
	case g.state == PreparingRebalance && g.allJoined():
		m.completeJoin(g)
	}
}

// removeMember takes a member out and answers what it waits for. The caller
// decides what that means for the group.
func (m *Machine) removeMember(g *group, mb *member, reason string) {
	if mb.join != nil {
		m.reply(mb.join, joinError("", kafka.ErrUnknownMemberID))
		mb.join = nil
		g.awaitingJoin--
	}
	if mb.sync != nil {
		m.reply(mb.sync, syncError(kafka.ErrUnknownMemberID))
		mb.sync = nil
	}
	g.remove(mb)
	m.tell(MemberRemoved{Group: g.id, Member: mb.id, Generation: g.generation, Reason: reason})
}

// failSyncs answers everybody who waits for an assignment with code.
func (m *Machine) failSyncs(g *group, code kafka.ErrorCode) {
	for _, mb := range g.members {
		if mb.sync != nil {
			m.reply(mb.sync, syncError(code))
			mb.sync = nil
			m.touch(mb)
		}
	}
}
