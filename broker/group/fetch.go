package group

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/coord"
	"github.com/moldau/moldau/broker/kafka"
)

// handleFetch is OffsetFetch (key 9), versions 1 to 10: all of a group's
// offsets from 2, require_stable from 7 (KIP-447; no offset is pending while
// there are no transactions), several groups from 8 (KIP-709), topic ids from
// 10 (KIP-848). A group or partition that is not known has offset -1, without
// an error.
//
// The answer waits until what it shows is committed.
func (m *Machine) handleFetch(req *coord.Request, r *kmsg.OffsetFetchRequest) {
	resp := kmsg.NewPtrOffsetFetchResponse()
	if r.Version < 8 {
		resp.Topics = m.fetchOne(r)
	} else {
		for i := range r.Groups {
			resp.Groups = append(resp.Groups, m.fetchGroup(&r.Groups[i], r.Version >= 10))
		}
	}
	m.replyCommitted(req, resp)
}

// absent is the answer for a partition without a committed offset.
const absent = int64(-1)

// fetchOne is the fetch of the one group of versions below 8.
func (m *Machine) fetchOne(r *kmsg.OffsetFetchRequest) []kmsg.OffsetFetchResponseTopic {
	g := m.groups[r.Group]
	var out []kmsg.OffsetFetchResponseTopic
	if r.Topics == nil && r.Version >= 2 {
		return m.fetchOneAll(g)
	}
	for i := range r.Topics {
		t := &r.Topics[i]
		id := m.topicIDOf(t.Topic)
		answer := kmsg.OffsetFetchResponseTopic{Topic: t.Topic}
		for _, p := range t.Partitions {
			answer.Partitions = append(answer.Partitions, onePartition(p, g.fetch(t.Topic, id, p)))
		}
		out = append(out, answer)
	}
	return out
}

// fetchOneAll is everything that a group, which may be nil, committed.
func (m *Machine) fetchOneAll(g *group) []kmsg.OffsetFetchResponseTopic {
	if g == nil {
		return nil
	}
	var out []kmsg.OffsetFetchResponseTopic
	for _, t := range g.offsets {
		id := m.topicIDOf(t.name)
		answer := kmsg.OffsetFetchResponseTopic{Topic: t.name}
		for i := range t.partitions {
			if c := t.at(i); c.of(id) {
				answer.Partitions = append(answer.Partitions, onePartition(t.partitions[i].partition, c))
			}
		}
		if len(answer.Partitions) > 0 {
			out = append(out, answer)
		}
	}
	return out
}

// fetch is a committed offset, or the one that stands for none. g may be nil.
func (g *group) fetch(topic string, id kafka.UUID, partition int32) committed {
	if g != nil {
		if c, ok := g.offset(topic, id, partition); ok {
			return c
		}
	}
	return committed{offset: absent, leaderEpoch: -1}
}

// fetchGroup is the fetch of one group of version 8 and later.
func (m *Machine) fetchGroup(r *kmsg.OffsetFetchRequestGroup, byID bool) kmsg.OffsetFetchResponseGroup {
	out := kmsg.OffsetFetchResponseGroup{Group: r.Group}
	g := m.groups[r.Group]
	if r.Topics == nil {
		if g != nil {
			out.Topics = m.fetchAll(g, byID)
		}
		return out
	}
	for i := range r.Topics {
		t := &r.Topics[i]
		answer := kmsg.OffsetFetchResponseGroupTopic{Topic: t.Topic, TopicID: t.TopicID}
		name, id, code := t.Topic, kafka.UUID(t.TopicID), kafka.ErrNone
		if !byID {
			id = m.topicIDOf(name)
		} else if known, ok := m.topics.Name(id); ok {
			name = known
		} else {
			code = kafka.ErrUnknownTopicID
		}
		for _, p := range t.Partitions {
			c := committed{offset: absent, leaderEpoch: -1}
			if code == kafka.ErrNone {
				c = g.fetch(name, id, p)
			}
			one := groupPartition(p, c)
			one.ErrorCode = int16(code)
			answer.Partitions = append(answer.Partitions, one)
		}
		out.Topics = append(out.Topics, answer)
	}
	return out
}

// fetchAll is everything that a group committed; by id, without the topics
// that are no more.
func (m *Machine) fetchAll(g *group, byID bool) []kmsg.OffsetFetchResponseGroupTopic {
	var out []kmsg.OffsetFetchResponseGroupTopic
	for _, t := range g.offsets {
		answer := kmsg.OffsetFetchResponseGroupTopic{Topic: t.name}
		id, ok := m.topics.ID(t.name)
		if byID && !ok {
			continue
		}
		if byID {
			answer.TopicID = id
		}
		for i := range t.partitions {
			if c := t.at(i); c.of(id) {
				answer.Partitions = append(answer.Partitions, groupPartition(t.partitions[i].partition, c))
			}
		}
		if len(answer.Partitions) > 0 {
			out = append(out, answer)
		}
	}
	return out
}

func onePartition(p int32, c committed) kmsg.OffsetFetchResponseTopicPartition {
	return kmsg.OffsetFetchResponseTopicPartition{Partition: p, Offset: c.offset, LeaderEpoch: c.leaderEpoch, Metadata: ptr(c.metadata())}
}

func groupPartition(p int32, c committed) kmsg.OffsetFetchResponseGroupTopicPartition {
	return kmsg.OffsetFetchResponseGroupTopicPartition{Partition: p, Offset: c.offset, LeaderEpoch: c.leaderEpoch, Metadata: ptr(c.metadata())}
}
