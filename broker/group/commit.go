package group

import (
	"strings"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/coord"
	"github.com/moldau/moldau/broker/kafka"
)

// handleCommit is OffsetCommit (key 8), versions 2 to 10.
//
//   - 2 to 4: a retention of the commit's own. 6: leader epochs (KIP-320).
//     7: instance ids (KIP-345). 10: topic ids (KIP-848).
//   - Topics and partitions that do not exist are answered for themselves
//     (3, or 100 for an id), before the group is looked at.
//   - A consumer that assigns itself commits with generation -1, to a group
//     without members; the group is made by it.
//
// All accepted offsets of a request are one batch.
func (m *Machine) handleCommit(req *coord.Request, r *kmsg.OffsetCommitRequest) {
	resp := kmsg.NewPtrOffsetCommitResponse()
	names, some := m.checkCommitTopics(r, resp)
	if !some {
		m.reply(req, resp)
		return
	}
	g, code := m.checkCommit(r)
	if code == kafka.ErrNone {
		code = m.commit(g, r, names, resp)
	}
	if code != kafka.ErrNone {
		refuseCommits(resp, code)
	}
	if len(m.out.Records) > 0 {
		m.replyCommitted(req, resp)
		return
	}
	m.reply(req, resp)
}

// checkCommitTopics answers for the topics and partitions that do not exist.
// It returns the topics' names, and whether something is left to commit.
func (m *Machine) checkCommitTopics(r *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse) (names []string, some bool) {
	names = make([]string, len(r.Topics))
	resp.Topics = make([]kmsg.OffsetCommitResponseTopic, len(r.Topics))
	for i := range r.Topics {
		t, answer := &r.Topics[i], &resp.Topics[i]
		names[i] = t.Topic
		unknown := kafka.ErrUnknownTopicOrPartition
		if r.Version >= 10 {
			names[i], _ = m.topics.Name(t.TopicID)
			unknown = kafka.ErrUnknownTopicID
		}
		partitions := m.topics.Partitions(names[i])
		if partitions > 0 {
			unknown = kafka.ErrUnknownTopicOrPartition
		}
		answer.Topic, answer.TopicID = t.Topic, t.TopicID
		answer.Partitions = make([]kmsg.OffsetCommitResponseTopicPartition, len(t.Partitions))
		for j := range t.Partitions {
			p := t.Partitions[j].Partition
			answer.Partitions[j].Partition = p
			if p < 0 || int(p) >= partitions {
				answer.Partitions[j].ErrorCode = int16(unknown)
				continue
			}
			some = true
		}
	}
	return names, some
}

// checkCommit finds the group and says whether this client may commit to it.
// The group is nil when the commit will make it.
func (m *Machine) checkCommit(r *kmsg.OffsetCommitRequest) (*group, kafka.ErrorCode) {
	g := m.groups[r.Group]
	if g == nil {
		switch {
		case len(r.Group) > stringMax:
			return nil, kafka.ErrInvalidGroupID
		case r.Generation < 0:
			return nil, kafka.ErrNone
		case r.Version >= 9:
			return nil, kafka.ErrGroupIDNotFound
		}
		return nil, kafka.ErrIllegalGeneration
	}
	if r.Generation < 0 && g.state == Empty {
		return g, kafka.ErrNone
	}
	mb, code := g.check(r.MemberID, r.InstanceID)
	switch {
	case code != kafka.ErrNone:
		return g, code
	case r.Generation != g.generation:
		return g, kafka.ErrIllegalGeneration
	case g.state == CompletingRebalance:
		// The member knows of the generation, but nobody owns anything in it.
		return g, kafka.ErrRebalanceInProgress
	}
	m.touch(mb)
	return g, kafka.ErrNone
}

// commit stores what the request may store. It decides before it changes
// anything whether the records fit.
func (m *Machine) commit(g *group, r *kmsg.OffsetCommitRequest, names []string, resp *kmsg.OffsetCommitResponse) kafka.ErrorCode {
	expires := int64(-1)
	if r.Version >= 2 && r.Version <= 4 && r.RetentionTimeMillis >= 0 {
		expires = m.now.Wall + r.RetentionTimeMillis
	}
	buf := make([]byte, 0, commitSizeHint(r))
	for i := range r.Topics {
		id := m.topicIDOf(names[i])
		for j := range r.Topics[i].Partitions {
			p, answer := &r.Topics[i].Partitions[j], &resp.Topics[i].Partitions[j]
			if answer.ErrorCode != 0 {
				continue
			}
			if p.Metadata != nil && (utf16Len(*p.Metadata) > m.cfg.OffsetMetadataMaxBytes || len(*p.Metadata) > stringMax) {
				answer.ErrorCode = int16(kafka.ErrOffsetMetadataTooLarge)
				continue
			}
			c := m.committedOf(r, p, id, expires)
			start := len(buf)
			buf = appendOffsetKey(buf, r.Group, names[i], p.Partition)
			middle := len(buf)
			buf = appendOffsetValue(buf, c)
			m.record(coord.Record{Key: buf[start:middle:middle], Value: buf[middle:len(buf):len(buf)]})
		}
	}
	if !m.room(0) {
		m.out.Records, m.size = nil, 0
		return kafka.ErrInvalidCommitOffsetSize
	}
	if len(m.out.Records) > 0 {
		m.storeCommit(g, r, names, resp, expires)
	}
	return kafka.ErrNone
}

// storeCommit changes the state as the records say.
func (m *Machine) storeCommit(g *group, r *kmsg.OffsetCommitRequest, names []string, resp *kmsg.OffsetCommitResponse, expires int64) {
	if g == nil {
		g = m.create(r.Group, -1)
	}
	for i := range r.Topics {
		id := m.topicIDOf(names[i])
		for j := range r.Topics[i].Partitions {
			if p := &r.Topics[i].Partitions[j]; resp.Topics[i].Partitions[j].ErrorCode == 0 {
				m.setOffset(g, names[i], p.Partition, m.committedOf(r, p, id, expires))
			}
		}
	}
}

// committedOf is the offset that one partition of a request commits. With a
// retention of its own it is written in a version without epoch and topic id.
func (m *Machine) committedOf(r *kmsg.OffsetCommitRequest, p *kmsg.OffsetCommitRequestTopicPartition, id kafka.UUID, expires int64) committed {
	c := committed{offset: p.Offset, commitTime: m.now.Wall, leaderEpoch: -1, topicID: id}
	if r.Version >= 6 {
		c.leaderEpoch = p.LeaderEpoch
	}
	if expires >= 0 {
		c.topicID = kafka.UUID{}
	}
	if expires >= 0 || p.Metadata != nil && *p.Metadata != "" {
		c.rare = &rare{expires: expires}
		if p.Metadata != nil {
			c.rare.metadata = strings.Clone(*p.Metadata)
		}
	}
	return c
}

// refuseCommits gives code to every partition that has no error of its own.
func refuseCommits(resp *kmsg.OffsetCommitResponse, code kafka.ErrorCode) {
	for i := range resp.Topics {
		for j := range resp.Topics[i].Partitions {
			if p := &resp.Topics[i].Partitions[j]; p.ErrorCode == 0 {
				p.ErrorCode = int16(code)
			}
		}
	}
}

// commitSizeHint is about the bytes of a commit's keys and values.
func commitSizeHint(r *kmsg.OffsetCommitRequest) int {
	n := 0
	for i := range r.Topics {
		n += len(r.Topics[i].Partitions) * (64 + len(r.Group) + len(r.Topics[i].Topic))
	}
	return n
}

// utf16Len is the length that Java gives to the string.
func utf16Len(s string) int {
	n := 0
	for _, r := range s {
		n += max(utf16.RuneLen(r), 1)
	}
	return n
}
