package workload

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/linearizability/history"
)

const (
	findCoordinatorVersion = 4
	joinGroupVersion       = 9
	syncGroupVersion       = 5
	heartbeatVersion       = 4
	leaveGroupVersion      = 5
)

// findCoordinator asks for the group's coordinator.
func (m *member) findCoordinator() bool {
	node, ok := m.fetcher.findCoordinator(m.Group)
	m.coordinator = node
	return ok
}

// findCoordinator asks for a group's coordinator.
func (c *client) findCoordinator(group string) (int32, bool) {
	l := c.link(nobody)
	if l == nil {
		return nobody, false
	}
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.Version, req.CoordinatorKeys = findCoordinatorVersion, []string{group}
	call := l.ask(req, c.limit)
	if call.err != nil {
		c.failed(call.err)
		return nobody, false
	}
	c.answered()
	resp := call.resp.(*kmsg.FindCoordinatorResponse)
	if len(resp.Coordinators) != 1 || resp.Coordinators[0].Key != group {
		c.env.Recorder.Fail(c.env.Name, "the answer to FindCoordinator is not about the group that was asked for")
		return nobody, false
	}
	answer := &resp.Coordinators[0]
	if answer.ErrorCode != 0 {
		c.pause(retryLater)
		return nobody, false
	}
	c.reach(answer.NodeID, address(answer.Host, answer.Port))
	return answer.NodeID, true
}

// reach takes the address of a node that metadata may not have named, as it was
// away then.
func (c *client) reach(node int32, addr string) {
	if !slices.ContainsFunc(c.brokers, func(b kafkaBroker) bool { return b.node == node }) {
		c.brokers = append(c.brokers, kafkaBroker{node, addr})
	}
}

// toCoordinator is the connection to the coordinator, nil if there is none.
func (m *member) toCoordinator() *link {
	l := m.fetcher.link(m.coordinator)
	if l == nil {
		m.coordinator = nobody
	}
	return l
}

// join joins the group and syncs.
func (m *member) join() {
	l := m.toCoordinator()
	if l == nil {
		return
	}
	m.spots, m.leads = nil, false
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID = joinGroupVersion, m.Group, m.id, m.instance()
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = int32(m.Session.Milliseconds()), int32(m.Rebalance.Milliseconds())
	req.ProtocolType = protocolType
	one := kmsg.NewJoinGroupRequestProtocol()
	one.Name, one.Metadata = protocolName, subscription(m.Topics)
	req.Protocols = append(req.Protocols, one)

	// Of no history: a generation counts from when its assignment is written, and
	// a crash before that lets another begin with its number.
	call := l.askUntil(req, m.Rebalance+m.Timeout, m.env.Stop)
	if call.err != nil {
		m.fetcher.failed(call.err)
		m.coordinator = nobody
		return
	}
	m.fetcher.answered()
	resp := call.resp.(*kmsg.JoinGroupResponse)
	if resp.ErrorCode == 0 || kafka.ErrorCode(resp.ErrorCode) == kafka.ErrMemberIDRequired {
		m.id = resp.MemberID
	}
	if resp.ErrorCode == 0 {
		m.generation = resp.Generation
	}
	switch {
	case kafka.ErrorCode(resp.ErrorCode) == kafka.ErrMemberIDRequired:
	case !m.told(resp.ErrorCode):
	case m.Mute:
		m.beatOnly()
	default:
		m.sync(resp)
	}
}

// op makes an operation of the member.
func (m *member) op(kind history.Kind, node int32) *history.Op {
	return &history.Op{
		Client: m.env.Name, Node: node, Kind: kind,
		Group: &history.Group{Group: m.Group, Member: m.who(), Generation: m.generation, Topics: m.topicIDs()},
	}
}

// sync gets the assignment; the leader brings it.
func (m *member) sync(joined *kmsg.JoinGroupResponse) {
	l := m.toCoordinator()
	if l == nil {
		return
	}
	req := kmsg.NewPtrSyncGroupRequest()
	req.Version, req.Group, req.Generation, req.MemberID, req.InstanceID = syncGroupVersion, m.Group, m.generation, m.id, m.instance()
	req.ProtocolType, req.Protocol = kmsg.StringPtr(protocolType), kmsg.StringPtr(protocolName)
	m.leads = joined.LeaderID == joined.MemberID
	m.looked = m.env.Clock.Mono()
	if m.leads && !joined.SkipAssignment { // else its own plan of before stands, of the partitions known then (KIP-814)
		m.planned = m.known()
		var err error
		if req.GroupAssignment, err = plan(joined.Members, m.Topics); err != nil {
			m.env.Recorder.Fail(m.env.Name, fmt.Sprintf("the subscriptions in a JoinGroup answer: %v", err))
			return
		}
	}
	op := m.op(history.KindAssign, l.node)
	call := m.fetcher.recordUntil(l, req, op, m.Rebalance+m.Timeout, m.env.Stop)
	if call.err != nil {
		m.coordinator = nobody
		return
	}
	resp := call.resp.(*kmsg.SyncGroupResponse)
	if resp.ErrorCode == 0 {
		spots, err := assigned(resp.MemberAssignment, m.Topics)
		if err != nil {
			m.env.Recorder.Fail(m.env.Name, fmt.Sprintf("the assignment in a SyncGroup answer: %v", err))
		}
		m.spots, m.joined = spots, true
		for _, at := range spots {
			op.Group.Partitions = append(op.Group.Partitions, at.key())
		}
	}
	m.env.Recorder.Answered(op, resp.ErrorCode, call.at)
	m.told(resp.ErrorCode)
	m.beat = m.env.Clock.Mono().Add(m.Session / beatsPerSession)
}

// heartbeat beats once. Members that have nothing to read have no other progress
// to show.
func (m *member) heartbeat() {
	l := m.toCoordinator()
	if l == nil {
		return
	}
	m.beat = m.env.Clock.Mono().Add(m.Session / beatsPerSession)
	req := kmsg.NewPtrHeartbeatRequest()
	req.Version, req.Group, req.Generation, req.MemberID, req.InstanceID = heartbeatVersion, m.Group, m.generation, m.id, m.instance()
	op := &history.Op{Client: m.env.Name, Node: l.node, Kind: history.KindMetadata}
	m.env.Recorder.Begin(op)
	call := l.ask(req, m.Timeout)
	if call.err != nil {
		m.env.Recorder.End(op, history.OutcomeFailed, 0, call.at)
		m.fetcher.failed(call.err)
		m.coordinator = nobody
		return
	}
	m.fetcher.answered()
	code := call.resp.(*kmsg.HeartbeatResponse).ErrorCode
	if len(m.spots) == 0 && m.joined {
		m.env.Recorder.Answered(op, code, call.at)
	} else {
		m.env.Recorder.Drop(op)
	}
	m.told(code)
}

// beatOnly is all that a mute member does, until it is thrown out.
func (m *member) beatOnly() {
	m.env.trace("will not sync, member " + m.id)
	for !m.env.stopping() && !m.out {
		if m.coordinator != nobody || m.findCoordinator() {
			m.heartbeat()
		}
		m.fetcher.pause(m.Session / beatsPerSession)
	}
}

// leave leaves the group and stays away for a while.
func (m *member) leave() {
	l := m.toCoordinator()
	if l == nil {
		return
	}
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Version, req.Group = leaveGroupVersion, m.Group
	one := kmsg.NewLeaveGroupRequestMember()
	one.MemberID, one.InstanceID = m.id, m.instance()
	req.Members = append(req.Members, one)
	op := m.op(history.KindLeaveGroup, l.node)
	call := m.fetcher.record(l, req, op)
	if call.err == nil {
		resp := call.resp.(*kmsg.LeaveGroupResponse)
		code := resp.ErrorCode
		if code == 0 && len(resp.Members) == 1 {
			code = resp.Members[0].ErrorCode
		}
		m.env.Recorder.Answered(op, code, call.at)
	}
	m.forget()
	m.stayAway()
}
