package shard

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/seglog/logdir"
)

// placing is a replica on its way to a directory: the controller is told where
// it is to lie, and it is made once an image says so. Were one written to
// before, and its directory lost, it would be taken for a replica that was never
// written to.
type placing struct {
	dir   *logdir.Dir
	found bool  // recovery found its log there
	since int64 // the offset of the image that first asked for it
}

// PlacedTo is the offset of an image: all replicas that older ones name are
// open, or cannot be opened. The controller has yet to hear where others lie.
func (m *Manager) PlacedTo() int64 { return m.placed.Load() }

// await keeps a replica until an image has it in the directory. untold takes
// what the controller has to be told.
func (m *Manager) await(img *metaimage.Image, id kafka.TopicPartition, p placing, untold map[*logdir.Dir][]kafka.TopicPartition) {
	before, known := m.placing[id]
	if p.since = img.Offset(); known {
		p.since = before.since
	}
	m.placing[id] = p
	if !known || before.dir != p.dir {
		untold[p.dir] = append(untold[p.dir], id)
	}
}

// forgetPlacing drops those among ids that are not this broker's any more.
func (m *Manager) forgetPlacing(ids []kafka.TopicPartition) {
	for _, id := range ids {
		delete(m.placing, id)
	}
}

// withUnplaceable adds to the partitions that an image changed those whose
// directory went offline before they were made in it: they need another one.
func (m *Manager) withUnplaceable(img *metaimage.Image, changed []kafka.TopicPartition) []kafka.TopicPartition {
	var more []kafka.TopicPartition
	for id, p := range m.placing { //det:ok sorted below
		if !p.found && p.dir.Err() != nil && img.Partition(id) != nil && !slices.Contains(changed, id) {
			more = append(more, id)
		}
	}
	slices.SortFunc(more, func(a, b kafka.TopicPartition) int {
		return cmp.Or(bytes.Compare(a.Topic[:], b.Topic[:]), cmp.Compare(a.Partition, b.Partition))
	})
	return append(slices.Clip(changed), more...)
}

// countPlaced publishes PlacedTo.
func (m *Manager) countPlaced() {
	oldest := int64(math.MaxInt64)
	for _, p := range m.placing { //det:ok a minimum
		oldest = min(oldest, p.since)
	}
	m.placed.Store(oldest)
}

// place picks the directory of a new replica: the one that was picked before, if
// it is online, else the online one with the fewest replicas of those that are not cordoned. Where all are, the controller gave the replica to
// this broker before it heard of it, and a cordoned one takes it.
func (m *Manager) place(id kafka.TopicPartition, cordoned []*logdir.Dir) *logdir.Dir {
	if p, ok := m.placing[id]; ok && p.dir.Err() == nil {
		return p.dir
	}
	planned := make(map[*logdir.Dir]int)
	for _, p := range m.placing { //det:ok counted
		planned[p.dir]++
	}
	var best *logdir.Dir
	least := 0
	for _, d := range m.cfg.Dirs {
		if d.Err() != nil {
			continue
		}
		n := d.Stats().Partitions + planned[d]
		if slices.Contains(cordoned, d) {
			n += cordonedLoad
		}
		if best == nil || n < least {
			best, least = d, n
		}
	}
	return best
}

// cordonedLoad is more replicas than any directory has.
const cordonedLoad = math.MaxInt / 2
