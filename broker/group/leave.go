package group

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/coord"
	"github.com/moldau/moldau/broker/kafka"
)

// handleLeave is LeaveGroup (key 13), versions 0 to 5: one member, from 3 a
// batch of them, named by member id or, by an administrator, by instance id
// alone (KIP-345), from 5 with a reason (KIP-800).
func (m *Machine) handleLeave(req *coord.Request, r *kmsg.LeaveGroupRequest) {
	resp := kmsg.NewPtrLeaveGroupResponse()
	if r.Group == "" {
		resp.ErrorCode = int16(kafka.ErrInvalidGroupID)
		m.reply(req, resp)
		return
	}
	leaving := r.Members
	if r.Version < 3 {
		leaving = []kmsg.LeaveGroupRequestMember{{MemberID: r.MemberID}}
	}
	g := m.groups[r.Group]
	left := 0
	for i := range leaving {
		code := m.leave(g, &leaving[i])
		if code == kafka.ErrNone {
			left++
		}
		resp.Members = append(resp.Members, kmsg.LeaveGroupResponseMember{
			MemberID: leaving[i].MemberID, InstanceID: leaving[i].InstanceID, ErrorCode: int16(code),
		})
	}
	if r.Version < 3 {
		resp.ErrorCode, resp.Members = resp.Members[0].ErrorCode, nil
	}
	if left > 0 {
		switch g.state {
		case Stable, CompletingRebalance:
			m.prepareRebalance(g, "members left")
		case PreparingRebalance:
			m.maybeCompleteJoin(g)
		}
	}
	if len(m.out.Records) > 0 {
		m.replyCommitted(req, resp)
		return
	}
	m.reply(req, resp)
}

// leave takes one member out of the group, which may be nil.
func (m *Machine) leave(g *group, who *kmsg.LeaveGroupRequestMember) kafka.ErrorCode {
	if g == nil {
		return kafka.ErrUnknownMemberID
	}
	id := who.MemberID
	if id == "" {
		if who.InstanceID == nil {
			return kafka.ErrUnknownMemberID
		}
		id = g.static[*who.InstanceID]
	} else if _, ok := g.pending[id]; ok {
		m.dropPending(g, id)
		return kafka.ErrNone
	}
	mb, code := g.check(id, who.InstanceID)
	if code == kafka.ErrNone {
		m.removeMember(g, mb, "left")
	}
	return code
}
