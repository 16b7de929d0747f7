package group

import (
	"cmp"
	"slices"
	"strings"

	"github.com/moldau/moldau/broker/kafka"
)

// committed is a committed offset as it travels.
type committed struct {
	offset      int64
	commitTime  int64 // wall ms
	leaderEpoch int32 // -1 when not known
	topicID     kafka.UUID
	rare        *rare
}

// rare holds what few offsets have.
type rare struct {
	metadata string
	expires  int64 // wall ms; -1 for the retention of the broker
	// topicID is set when it is not that of the topicOffsets.
	topicID      kafka.UUID
	otherTopicID bool
}

func (c *committed) metadata() string {
	if c.rare == nil {
		return ""
	}
	return c.rare.metadata
}

func (c *committed) expires() int64 {
	if c.rare == nil {
		return -1
	}
	return c.rare.expires
}

// stored is a committed offset at rest: 32 bytes, for there are millions.
type stored struct {
	offset      int64
	commitTime  int64
	rare        *rare
	leaderEpoch int32
	partition   int32
}

// topicOffsets are a group's offsets of one topic. Invariant: not empty.
type topicOffsets struct {
	name       string
	id         kafka.UUID
	partitions []stored // by partition
}

// find is where the partition is or belongs.
func (t *topicOffsets) find(partition int32) (int, bool) {
	// Commits mostly come in the order of partitions.
	if n := len(t.partitions); n == 0 || t.partitions[n-1].partition < partition {
		return n, false
	}
	return slices.BinarySearchFunc(t.partitions, partition, func(s stored, p int32) int { return cmp.Compare(s.partition, p) })
}

// at is the offset at index i.
func (t *topicOffsets) at(i int) committed {
	s := t.partitions[i]
	c := committed{offset: s.offset, commitTime: s.commitTime, leaderEpoch: s.leaderEpoch, topicID: t.id, rare: s.rare}
	if s.rare != nil && s.rare.otherTopicID {
		c.topicID = s.rare.topicID
	}
	return c
}

// findTopic is where the topic is or belongs.
func (g *group) findTopic(name string) (int, bool) {
	return slices.BinarySearchFunc(g.offsets, name, func(t *topicOffsets, name string) int { return strings.Compare(t.name, name) })
}

// of reports whether the offset is one of the topic with that id. Two ids that
// are both known and differ mean two topics of the same name.
func (c *committed) of(id kafka.UUID) bool {
	return c.topicID == id || c.topicID.IsZero() || id.IsZero()
}

// offset is a committed offset of the group.
func (g *group) offset(topic string, id kafka.UUID, partition int32) (committed, bool) {
	ti, ok := g.findTopic(topic)
	if !ok {
		return committed{}, false
	}
	pi, ok := g.offsets[ti].find(partition)
	if !ok {
		return committed{}, false
	}
	c := g.offsets[ti].at(pi)
	return c, c.of(id)
}

// setOffset stores an offset.
func (m *Machine) setOffset(g *group, topic string, partition int32, c committed) {
	ti, ok := g.findTopic(topic)
	if !ok {
		g.offsets = slices.Insert(g.offsets, ti, &topicOffsets{name: m.names.intern(topic), id: c.topicID})
	}
	t := g.offsets[ti]
	s := stored{offset: c.offset, commitTime: c.commitTime, leaderEpoch: c.leaderEpoch, partition: partition, rare: c.rare}
	if c.topicID != t.id {
		s.rare = &rare{metadata: c.metadata(), expires: c.expires(), topicID: c.topicID, otherTopicID: true}
	}
	pi, ok := t.find(partition)
	if ok {
		t.partitions[pi] = s
		return
	}
	t.partitions = slices.Insert(t.partitions, pi, s)
	m.offsets++
}

// removeOffset forgets an offset. It reports whether it was there.
func (m *Machine) removeOffset(g *group, topic string, partition int32) bool {
	ti, ok := g.findTopic(topic)
	if !ok {
		return false
	}
	pi, ok := g.offsets[ti].find(partition)
	if ok {
		m.removeOffsetAt(g, ti, pi)
	}
	return ok
}

// removeOffsetAt forgets the offset at the topic's and the partition's index.
func (m *Machine) removeOffsetAt(g *group, ti, pi int) {
	t := g.offsets[ti]
	t.partitions = slices.Delete(t.partitions, pi, pi+1)
	m.offsets--
	if len(t.partitions) == 0 {
		m.names.release(t.name)
		g.offsets = slices.Delete(g.offsets, ti, ti+1)
	}
}

// topicNames lets all groups share one copy of a topic's name, and tells
// whether any has offsets of a topic.
type topicNames struct {
	byName map[string]*topicName
}

type topicName struct {
	name string
	uses int // number of topicOffsets
}

func (n *topicNames) intern(name string) string {
	t := n.byName[name]
	if t == nil {
		if n.byName == nil {
			n.byName = make(map[string]*topicName)
		}
		t = &topicName{name: strings.Clone(name)}
		n.byName[t.name] = t
	}
	t.uses++
	return t.name
}

func (n *topicNames) release(name string) {
	t := n.byName[name]
	if t.uses--; t.uses == 0 {
		delete(n.byName, name)
	}
}

// find is the shared copy of a name that some group uses.
func (n *topicNames) find(name []byte) (string, bool) {
	if t := n.byName[string(name)]; t != nil {
		return t.name, true
	}
	return "", false
}

func (n *topicNames) uses(name string) bool { return n.byName[name] != nil }
