package workload

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/linearizability/history"
)

// commit commits all places that are known.
func (m *member) commit() {
	l := m.toCoordinator()
	if l == nil {
		return
	}
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.Generation, req.MemberID, req.InstanceID = m.fetcher.versions.commit, m.Group, m.generation, m.id, m.instance()
	travel := m.env.Recorder.NewRequest()
	var ops []*history.Op
	for _, at := range m.spots {
		if at.position < 0 {
			continue
		}
		metadata := "m" + strconv.FormatUint(m.env.Recorder.NewValue(), 10)
		i := slices.IndexFunc(req.Topics, func(t kmsg.OffsetCommitRequestTopic) bool { return t.TopicID == at.topic.ID })
		if i < 0 {
			t := kmsg.NewOffsetCommitRequestTopic()
			t.Topic, t.TopicID = at.topic.Spec.Name, at.topic.ID
			i = len(req.Topics)
			req.Topics = append(req.Topics, t)
		}
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.Metadata = at.number, at.position, &metadata
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, p)
		op := m.offsetOp(history.KindCommitOffset, at, l.node, travel)
		op.Offset.Value, op.Offset.Metadata = at.position, metadata
		ops = append(ops, op)
	}
	if len(ops) == 0 {
		return
	}
	for _, op := range ops {
		m.env.Recorder.Begin(op)
	}
	call := l.ask(req, m.Timeout)
	if call.err != nil {
		for _, op := range ops {
			m.env.Recorder.End(op, call.unknown(), 0, call.at)
		}
		m.fetcher.failed(call.err)
		m.coordinator = nobody
		return
	}
	m.fetcher.answered()
	m.committed(call, ops)
}

// committed takes the answer to a commit.
func (m *member) committed(call *call, ops []*history.Op) {
	resp := call.resp.(*kmsg.OffsetCommitResponse)
	for _, op := range ops {
		code, found := int16(0), false
		for i := range resp.Topics {
			t := &resp.Topics[i]
			if m.topicText(resp.Version >= commitByID, t.Topic, t.TopicID) != op.Topic {
				continue
			}
			for j := range t.Partitions {
				if t.Partitions[j].Partition == op.Partition {
					code, found = t.Partitions[j].ErrorCode, true
				}
			}
		}
		if !found {
			m.env.Recorder.Fail(m.env.Name, fmt.Sprintf("the answer to OffsetCommit leaves partition %d out", op.Partition))
			m.env.Recorder.End(op, history.OutcomeMaybe, 0, call.at)
			continue
		}
		m.env.Recorder.Answered(op, code, call.at)
		m.told(code)
	}
}

// topicText is the text of the id of a topic in an answer, "" for a stranger.
func (m *member) topicText(byID bool, name string, id [16]byte) string {
	for _, t := range m.Topics {
		if byID && t.ID == id || !byID && t.Spec.Name == name {
			return t.Text()
		}
	}
	return ""
}

func (m *member) offsetOp(kind history.Kind, at *spot, node int32, travel int64) *history.Op {
	return &history.Op{
		Request: travel, Client: m.env.Name, Node: node, Kind: kind, Topic: at.topic.Text(), Partition: at.number,
		Offset: &history.Offset{Group: m.Group, Member: m.who(), Generation: m.generation, Value: history.Unknown, CoordinatorEpoch: history.Unknown},
	}
}

// fetchOffsets asks for the committed offsets of some spots.
func (m *member) fetchOffsets(asking []*spot) {
	l := m.toCoordinator()
	if l == nil {
		return
	}
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version, req.RequireStable = m.fetcher.versions.offsetFetch, m.env.Rand.IntN(2) == 0
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group = m.Group
	travel := m.env.Recorder.NewRequest()
	var ops []*history.Op
	for _, at := range asking {
		i := slices.IndexFunc(group.Topics, func(t kmsg.OffsetFetchRequestGroupTopic) bool { return t.TopicID == at.topic.ID })
		if i < 0 {
			t := kmsg.NewOffsetFetchRequestGroupTopic()
			t.Topic, t.TopicID = at.topic.Spec.Name, at.topic.ID
			i = len(group.Topics)
			group.Topics = append(group.Topics, t)
		}
		group.Topics[i].Partitions = append(group.Topics[i].Partitions, at.number)
		ops = append(ops, m.offsetOp(history.KindFetchOffset, at, l.node, travel))
	}
	req.Groups = append(req.Groups, group)
	for _, op := range ops {
		m.env.Recorder.Begin(op)
	}
	call := l.ask(req, m.Timeout)
	if call.err != nil {
		for _, op := range ops {
			m.env.Recorder.End(op, history.OutcomeFailed, 0, call.at)
		}
		m.fetcher.failed(call.err)
		m.coordinator = nobody
		return
	}
	m.fetcher.answered()
	resp := call.resp.(*kmsg.OffsetFetchResponse)
	for i, at := range asking {
		m.offsetFetched(resp, at, ops[i], call.at)
	}
}

// offsetFetched takes the answer for one spot.
func (m *member) offsetFetched(resp *kmsg.OffsetFetchResponse, at *spot, op *history.Op, when int64) {
	if len(resp.Groups) == 1 && resp.Groups[0].ErrorCode != 0 {
		m.env.Recorder.Answered(op, resp.Groups[0].ErrorCode, when)
		m.told(resp.Groups[0].ErrorCode)
		return
	}
	for i := range resp.Groups {
		for j := range resp.Groups[i].Topics {
			t := &resp.Groups[i].Topics[j]
			if m.topicText(resp.Version >= offsetFetchByID, t.Topic, t.TopicID) != op.Topic {
				continue
			}
			for k := range t.Partitions {
				p := &t.Partitions[k]
				if p.Partition != at.number {
					continue
				}
				if p.ErrorCode == 0 {
					at.asked, at.position = true, p.Offset
					op.Offset.Value = p.Offset
					if p.Metadata != nil {
						op.Offset.Metadata = *p.Metadata
					}
				}
				m.env.Recorder.Answered(op, p.ErrorCode, when)
				m.told(p.ErrorCode)
				return
			}
		}
	}
	m.env.Recorder.Fail(m.env.Name, fmt.Sprintf("the answer to OffsetFetch leaves %s out", at))
	m.env.Recorder.End(op, history.OutcomeFailed, 0, when)
}
