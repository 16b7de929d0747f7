package group

import (
	"encoding/hex"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/coord"
	"github.com/moldau/moldau/broker/kafka"
)

// handleJoin is JoinGroup (key 11), versions 0 to 9.
//
//   - 4 and later: a dynamic member without an id gets one and MEMBER_ID_REQUIRED,
//     and joins with it (KIP-394).
//   - 5 and later: instance ids; a known instance is replaced, the former holder
//     fenced (KIP-345). In a stable group whose protocol stays, without a rebalance.
//   - 9: such a replaced leader is told to skip the assignment (KIP-814).
//
// The answer of an accepted join waits for the end of the join phase.
func (m *Machine) handleJoin(req *coord.Request, r *kmsg.JoinGroupRequest) {
	if r.Version < 1 {
		r.RebalanceTimeoutMillis = r.SessionTimeoutMillis
	}
	g := m.groups[r.Group]
	switch session := clockMs(r.SessionTimeoutMillis); {
	case r.Group == "" || len(r.Group) > stringMax:
		m.reply(req, joinError(r.MemberID, kafka.ErrInvalidGroupID))
		return
	case tooLong(r):
		m.reply(req, joinError(r.MemberID, kafka.ErrInvalidRequest))
		return
	case session < m.cfg.SessionTimeoutMin || session > m.cfg.SessionTimeoutMax:
		m.reply(req, joinError(r.MemberID, kafka.ErrInvalidSessionTimeout))
		return
	case g == nil && r.MemberID != "":
		m.reply(req, joinError(r.MemberID, kafka.ErrUnknownMemberID))
		return
	case g == nil && (r.ProtocolType == "" || len(r.Protocols) == 0):
		m.reply(req, joinError("", kafka.ErrInconsistentGroupProtocol))
		return
	}
	if g == nil {
		g = m.create(r.Group, m.now.Wall)
		m.record(emptyGroupRecord(g))
	}
	switch {
	case !m.accepts(g, r.MemberID):
		m.reply(req, joinError("", kafka.ErrGroupMaxSizeReached))
		if mb := g.byID[r.MemberID]; mb != nil {
			m.removeMember(g, mb, "the group is full")
		}
		m.dropPending(g, r.MemberID)
		m.maybeCompleteJoin(g)
	case !g.supports(r.ProtocolType, r.Protocols):
		m.reply(req, joinError(r.MemberID, kafka.ErrInconsistentGroupProtocol))
	case r.MemberID == "":
		m.joinNew(g, req, r)
	default:
		m.joinKnown(g, req, r)
	}
}

// accepts reports whether the group has room for the one who joins. While a
// rebalance is prepared those who have joined count, so that the last to come
// back are the ones turned away.
func (m *Machine) accepts(g *group, memberID string) bool {
	mb := g.byID[memberID]
	switch g.state {
	case PreparingRebalance:
		return mb != nil && mb.join != nil || g.awaitingJoin < m.cfg.MaxSize
	case CompletingRebalance, Stable:
		return mb != nil || len(g.members) < m.cfg.MaxSize
	}
	return true
}

// joinNew is a join without a member id.
func (m *Machine) joinNew(g *group, req *coord.Request, r *kmsg.JoinGroupRequest) {
	if r.InstanceID != nil {
		id := newMemberID(*r.InstanceID, req.Random)
		if former, ok := g.static[*r.InstanceID]; ok {
			m.replaceStatic(g, g.byID[former], id, req, r)
			return
		}
		m.addMember(g, id, req, r)
		return
	}
	id := newMemberID(req.ClientID, req.Random)
	switch {
	case r.Version < 4:
		m.addMember(g, id, req, r)
		return
	case len(g.pending) >= pendingMembersMax:
		m.reply(req, joinError("", kafka.ErrCoordinatorNotAvailable))
		return
	}
	if g.pending == nil {
		g.pending = make(map[string]*timer)
	}
	t := &timer{kind: timerSession, group: g, member: id}
	g.pending[id] = t
	m.timers.arm(t, m.now.Mono.Add(clockMs(r.SessionTimeoutMillis)))
	m.reply(req, joinError(id, kafka.ErrMemberIDRequired))
}

// nameBytesMax bounds the names that a client chooses beside the group's:
// instance, protocol type and protocol. The records of a group hold no string
// beyond 32767 bytes, and a member id is such a name and 37 bytes.
const nameBytesMax = stringMax - 37

// pendingMembersMax bounds the member ids of one group that were given out
// and not used; more are refused until some expire or join.
const pendingMembersMax = 100_000

// tooLong reports whether a name of the request cannot be written down.
func tooLong(r *kmsg.JoinGroupRequest) bool {
	return len(r.ProtocolType) > nameBytesMax || r.InstanceID != nil && len(*r.InstanceID) > nameBytesMax ||
		slices.ContainsFunc(r.Protocols, func(p kmsg.JoinGroupRequestProtocol) bool { return len(p.Name) > nameBytesMax })
}

// newMemberID is Kafka's form: the client's or instance's name, a dash, and
// the random id as Java prints it.
// A client's name that is too long for that is cut.
func newMemberID(name string, random kafka.UUID) string {
	name = name[:min(len(name), nameBytesMax)]
	b := make([]byte, 0, len(name)+37)
	b = append(append(b, name...), '-')
	for i, part := range [][]byte{random[:4], random[4:6], random[6:8], random[8:10], random[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return string(b)
}

// joinKnown is a join with a member id.
func (m *Machine) joinKnown(g *group, req *coord.Request, r *kmsg.JoinGroupRequest) {
	if _, ok := g.pending[r.MemberID]; ok {
		if r.InstanceID != nil {
			// Ids are given out to dynamic members only.
			m.reply(req, joinError("", kafka.ErrUnknownServerError))
			return
		}
		m.addMember(g, r.MemberID, req, r)
		return
	}
	mb, code := g.check(r.MemberID, r.InstanceID)
	if code != kafka.ErrNone {
		m.reply(req, joinError(r.MemberID, code))
		return
	}
	switch {
	case g.state == PreparingRebalance:
		m.joinAgain(g, mb, req, r, "a member joins again")
	case g.state == CompletingRebalance && mb.matches(r.Protocols):
		// It may not have got the answer to its first join.
		m.reply(req, joinAnswer(g, mb))
	case g.state == Stable && mb.id != g.leader && mb.matches(r.Protocols):
		m.reply(req, joinAnswer(g, mb))
	case g.state == Stable && mb.id == g.leader:
		// The leader may ask for a rebalance for reasons of its own, such as
		// partitions that were added.
		m.joinAgain(g, mb, req, r, "the leader joins again")
	default:
		m.joinAgain(g, mb, req, r, "a member changed its protocols")
	}
}

// addMember takes in a new member. Until the join phase ends it cannot send
// heartbeats, so it gets a time of its own to wait.
func (m *Machine) addMember(g *group, id string, req *coord.Request, r *kmsg.JoinGroupRequest) {
	m.dropPending(g, id)
	mb := &member{
		id: id, clientHost: req.ClientHost,
		clientID:   req.ClientID[:min(len(req.ClientID), stringMax)],
		instanceID: r.InstanceID,
		isNew:      true,
	}
	mb.session = timer{kind: timerSession, group: g, member: id}
	mb.update(r)
	if g.state == PreparingRebalance && g.previous == Empty {
		g.newMemberAdded = true
	}
	g.add(mb, r.ProtocolType)
	m.awaitJoin(g, mb, req)
	m.touchFor(mb, newMemberJoinTimeout)
	m.rebalance(g, "a member joins")
}

// joinAgain is a known member's join.
func (m *Machine) joinAgain(g *group, mb *member, req *coord.Request, r *kmsg.JoinGroupRequest, reason string) {
	g.updateMember(mb, r)
	m.awaitJoin(g, mb, req)
	m.rebalance(g, reason)
}

// awaitJoin lets the request wait for the end of the join phase. A request of
// the same member that waits already was given up by its client.
func (m *Machine) awaitJoin(g *group, mb *member, req *coord.Request) {
	if mb.join != nil {
		m.reply(mb.join, joinError(mb.id, kafka.ErrRebalanceInProgress))
	} else {
		g.awaitingJoin++
	}
	waits := *req
	mb.join = &waits
}

func (m *Machine) dropPending(g *group, id string) {
	if t := g.pending[id]; t != nil {
		t.stop()
		delete(g.pending, id)
	}
}

func (g *group) updateMember(mb *member, r *kmsg.JoinGroupRequest) {
	g.countSupport(mb, -1)
	mb.update(r)
	g.countSupport(mb, 1)
}

func (mb *member) update(r *kmsg.JoinGroupRequest) {
	mb.protocols = protocolsOf(r.Protocols)
	mb.sessionTimeout, mb.rebalanceTimeout = r.SessionTimeoutMillis, r.RebalanceTimeoutMillis
}

// joinAnswer tells a member of the generation; the leader gets all members.
func joinAnswer(g *group, mb *member) *kmsg.JoinGroupResponse {
	resp := kmsg.NewPtrJoinGroupResponse()
	resp.Generation = g.generation
	resp.ProtocolType, resp.Protocol = ptr(g.protocolType), g.protocol
	resp.LeaderID, resp.MemberID = g.leader, mb.id
	if mb.id == g.leader {
		resp.Members = g.describeToLeader()
	}
	return resp
}

func (g *group) describeToLeader() []kmsg.JoinGroupResponseMember {
	out := make([]kmsg.JoinGroupResponseMember, len(g.members))
	for i, mb := range g.members {
		out[i] = kmsg.JoinGroupResponseMember{MemberID: mb.id, InstanceID: mb.instanceID}
		if g.protocol != nil {
			out[i].ProtocolMetadata = mb.metadata(*g.protocol)
		}
	}
	return out
}

func joinError(memberID string, code kafka.ErrorCode) *kmsg.JoinGroupResponse {
	resp := kmsg.NewPtrJoinGroupResponse()
	resp.Generation = -1
	resp.MemberID, resp.ErrorCode = memberID, int16(code)
	return resp
}

func ptr[T any](v T) *T { return &v }
