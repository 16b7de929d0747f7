package group

import (
	"bytes"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/coord"
	"github.com/moldau/moldau/broker/kafka"
)

// handleSync is SyncGroup (key 14), versions 0 to 5: instance ids from 3
// (KIP-345), protocol type and name from 5, where both must be there (KIP-559).
//
// Members wait for the leader's assignment; all answers of a generation wait
// until it is committed, or two coordinators could hand out one generation
// twice.
func (m *Machine) handleSync(req *coord.Request, r *kmsg.SyncGroupRequest) {
	if r.Version >= 5 && (r.ProtocolType == nil || r.Protocol == nil) {
		m.reply(req, syncError(kafka.ErrInconsistentGroupProtocol))
		return
	}
	if r.Group == "" {
		m.reply(req, syncError(kafka.ErrInvalidGroupID))
		return
	}
	g := m.groups[r.Group]
	if g == nil {
		m.reply(req, syncError(kafka.ErrUnknownMemberID))
		return
	}
	mb, code := g.check(r.MemberID, r.InstanceID)
	switch {
	case code != kafka.ErrNone:
	case r.Generation != g.generation:
		code = kafka.ErrIllegalGeneration
	case differs(r.ProtocolType, ptr(g.protocolType)) || differs(r.Protocol, g.protocol):
		code = kafka.ErrInconsistentGroupProtocol
	case g.state == PreparingRebalance:
		code = kafka.ErrRebalanceInProgress
	}
	if code != kafka.ErrNone {
		m.reply(req, syncError(code))
		return
	}
	m.clearSyncDebt(g, mb)
	if g.state == Stable {
		m.touch(mb)
		m.replyCommitted(req, syncAnswer(g, mb))
		return
	}
	if mb.sync != nil {
		m.reply(mb.sync, syncError(kafka.ErrRebalanceInProgress))
	}
	waits := *req
	mb.sync = &waits
	if mb.id == g.leader {
		m.assign(g, r.GroupAssignment)
	}
}

// clearSyncDebt notes that the member has synced.
func (m *Machine) clearSyncDebt(g *group, mb *member) {
	g.setOwesSync(mb, false)
	if g.owingSync == 0 {
		g.phase.stop()
	}
}

// assign makes the leader's assignment the generation's. Members that the
// leader forgot get an empty one.
func (m *Machine) assign(g *group, list []kmsg.SyncGroupRequestGroupAssignment) {
	for _, mb := range g.members {
		mb.assignment = nil
	}
	for i := range list {
		if mb := g.byID[list[i].MemberID]; mb != nil {
			mb.assignment = bytes.Clone(list[i].MemberAssignment)
		}
	}
	rec := groupRecord(g)
	if !m.room(recordSizeMax(rec)) {
		m.failSyncs(g, kafka.ErrUnknownServerError)
		m.prepareRebalance(g, "the assignment exceeds max.message.bytes")
		return
	}
	m.record(rec)
	m.setState(g, Stable)
	m.tell(GroupStable{Group: g.id, Generation: g.generation, Members: len(g.members), Leader: g.leader})
	for _, mb := range g.members {
		if mb.sync != nil {
			m.replyCommitted(mb.sync, syncAnswer(g, mb))
			mb.sync = nil
			m.touch(mb)
		}
	}
}

// differs reports whether a client's idea contradicts the group's.
func differs(theirs, ours *string) bool {
	return theirs != nil && ours != nil && *theirs != *ours
}

func syncAnswer(g *group, mb *member) *kmsg.SyncGroupResponse {
	resp := kmsg.NewPtrSyncGroupResponse()
	resp.ProtocolType, resp.Protocol = ptr(g.protocolType), g.protocol
	resp.MemberAssignment = mb.assignment
	return resp
}

func syncError(code kafka.ErrorCode) *kmsg.SyncGroupResponse {
	resp := kmsg.NewPtrSyncGroupResponse()
	resp.ErrorCode = int16(code)
	return resp
}
