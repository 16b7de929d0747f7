package group

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/coord"
	"github.com/moldau/moldau/broker/kafka"
)

// handleOffsetDelete is OffsetDelete (key 47), version 0 (KIP-496): removes
// single offsets. A topic that the members read is refused (86); a group with
// members of another protocol type than the consumer's wholly (68).
func (m *Machine) handleOffsetDelete(req *coord.Request, r *kmsg.OffsetDeleteRequest) {
	resp := kmsg.NewPtrOffsetDeleteResponse()
	g := m.groups[r.Group]
	switch {
	case g == nil:
		resp.ErrorCode = int16(kafka.ErrGroupIDNotFound)
	case g.state != Empty && g.protocolType != consumerProtocolType:
		resp.ErrorCode = int16(kafka.ErrNonEmptyGroup)
	case !m.offsetDeleteFits(r):
		resp.ErrorCode = int16(kafka.ErrUnknownServerError)
	}
	if resp.ErrorCode != 0 {
		m.reply(req, resp)
		return
	}
	for i := range r.Topics {
		t := &r.Topics[i]
		partitions := m.topics.Partitions(t.Topic)
		answer := kmsg.OffsetDeleteResponseTopic{Topic: t.Topic}
		for j := range t.Partitions {
			p := t.Partitions[j].Partition
			code := kafka.ErrNone
			switch {
			case p < 0 || int(p) >= partitions:
				code = kafka.ErrUnknownTopicOrPartition
			case g.subscribedTo(t.Topic):
				code = kafka.ErrGroupSubscribedToTopic
			case m.removeOffset(g, t.Topic, p):
				m.record(offsetTombstone(g.id, t.Topic, p))
			}
			answer.Partitions = append(answer.Partitions, kmsg.OffsetDeleteResponseTopicPartition{Partition: p, ErrorCode: int16(code)})
		}
		resp.Topics = append(resp.Topics, answer)
	}
	if len(m.out.Records) > 0 {
		m.replyCommitted(req, resp)
		return
	}
	m.reply(req, resp)
}

// offsetDeleteFits reports whether all that the request names would fit into
// one batch.
func (m *Machine) offsetDeleteFits(r *kmsg.OffsetDeleteRequest) bool {
	n := 0
	for i := range r.Topics {
		n += len(r.Topics[i].Partitions) * recordSizeMax(offsetTombstone(r.Group, r.Topics[i].Topic, 0))
	}
	return m.room(n)
}
