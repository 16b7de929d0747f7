package group

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/coord"
	"github.com/moldau/moldau/broker/kafka"
)

// handleHeartbeat is Heartbeat (key 12), versions 0 to 4: instance ids from 3
// (KIP-345). During a rebalance a heartbeat keeps the session and answers
// REBALANCE_IN_PROGRESS, which makes the member join again.
func (m *Machine) handleHeartbeat(req *coord.Request, r *kmsg.HeartbeatRequest) {
	resp := kmsg.NewPtrHeartbeatResponse()
	resp.ErrorCode = int16(m.heartbeat(r))
	m.reply(req, resp)
}

func (m *Machine) heartbeat(r *kmsg.HeartbeatRequest) kafka.ErrorCode {
	if r.Group == "" {
		return kafka.ErrInvalidGroupID
	}
	g := m.groups[r.Group]
	if g == nil {
		return kafka.ErrUnknownMemberID
	}
	mb, code := g.check(r.MemberID, r.InstanceID)
	switch {
	case code != kafka.ErrNone:
		return code
	case r.Generation != g.generation:
		return kafka.ErrIllegalGeneration
	}
	m.touch(mb)
	if g.state == PreparingRebalance {
		return kafka.ErrRebalanceInProgress
	}
	return kafka.ErrNone
}
