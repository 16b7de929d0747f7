package explore

import (
	"encoding/binary"
	"fmt"

	"github.com/moldau/moldau/broker/replica"
)

// message is one that is held back on its way, and may arrive at any time.
type message struct {
	kind     messageKind
	from, to int
	epoch    int64 // incarnation of the sender
	position replica.Position
	ask      replica.Ask
	answer   replica.Answer
	proposal replica.Proposal
}

type messageKind uint8

const (
	heldFetch  messageKind = iota // a follower's request
	heldAnswer                    // a leader's answer; to is the follower
	heldReport
	heldAlter
)

func (m *message) encode(dst []byte) []byte {
	dst = append(dst, byte(m.kind), byte(m.from), byte(m.to))
	for _, v := range []int64{
		m.epoch, m.position.BrokerEpoch, int64(m.position.LeaderEpoch), m.position.LEO, int64(m.position.LastEpoch), m.position.Durable,
		int64(m.position.DurableEpoch), m.position.LogStart, m.ask.Offset, int64(m.ask.LastEpoch), int64(m.ask.LeaderEpoch), int64(m.ask.Leader),
		int64(m.ask.Incarnation), m.ask.HighWatermark, int64(m.answer.Code), m.answer.HighWatermark, m.answer.LogStart,
		int64(m.answer.Diverging.Epoch), m.answer.Diverging.Offset, int64(len(m.answer.Batches)),
	} {
		dst = binary.AppendVarint(dst, v)
	}
	dst = append(dst, m.answer.Data.Bytes...)
	return appendProposal(dst, &m.proposal)
}

func (m *message) String() string {
	switch m.kind {
	case heldFetch:
		return fmt.Sprintf("fetch of %s at %d, D %d, epoch %d", name(m.from), m.ask.Offset, m.ask.Durable, m.ask.LeaderEpoch)
	case heldAnswer:
		return fmt.Sprintf("answer to %s's fetch at %d, epoch %d", name(m.to), m.ask.Offset, m.ask.LeaderEpoch)
	case heldReport:
		return fmt.Sprintf("report of %s: D %d, epoch %d", name(m.from), m.position.Durable, m.position.LeaderEpoch)
	}
	return fmt.Sprintf("AlterPartition of %s: %s", name(m.from), proposalText(&m.proposal))
}

func proposalText(p *replica.Proposal) string {
	s := "ISR {"
	for i, m := range p.ISR {
		if i > 0 {
			s += ","
		}
		s += name(int(m.Broker) - 1)
	}
	return s + fmt.Sprintf("}, epochs %d/%d", p.LeaderEpoch, p.PartitionEpoch)
}

// held are the messages under way, oldest first.
type held struct{ messages []message }

func (h *held) encode(dst []byte) []byte {
	dst = append(dst, byte(len(h.messages)))
	for i := range h.messages {
		dst = h.messages[i].encode(dst)
	}
	return dst
}

// with is h and one message more.
func (h *held) with(m message) *held {
	return &held{append(append([]message(nil), h.messages...), m)}
}

// without is h less the n-th message.
func (h *held) without(n int) *held {
	return &held{append(append([]message(nil), h.messages[:n]...), h.messages[n+1:]...)}
}
