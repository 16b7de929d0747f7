package logdir

import (
	"slices"

	"github.com/moldau/moldau/broker/kafka"
)

// findLost notes the logs that the marks or the journal say had synced records
// here, and of which no folder is left that says so. Their marks stay, so that
// every later recovery says the same: the metadata may not have heard of it yet.
func (r *recovery) findLost() {
	for id := range r.marks { //det:ok a set is made of it
		r.lose(id)
	}
	for id := range r.journal.items { //det:ok a set is made of it
		r.lose(id)
	}
}

// lose is findLost for one log.
func (r *recovery) lose(id kafka.TopicPartition) {
	d := r.d
	if _, found := d.byID[id]; found || d.lost[id] {
		return
	}
	e := marksEntry{id: id, asOf: r.journal.sequence}
	if m := r.marks[id]; m != nil {
		e.synced, e.start = m.synced, m.start
	}
	for _, it := range r.journal.items[id] {
		switch it.kind {
		case itemLogStart:
			e.start = it.offset
		case itemMark: // a deletion has left one of 0
			e.synced = it.offset
		}
	}
	if e.synced > 0 {
		d.lost[id] = true
		d.background.marks.put(&e, 0)
	}
}

// Lost reports a partition that had synced records in this directory, by its
// marks, and whose folder Open did not find, or not under this topic id; and one
// whose folder does not say whose log it holds. Such a replica is damaged, and
// what has its name is not to be deleted. It is lost in every incarnation until
// its folder is back, Create begins its log anew, or ForgetLost says that nobody
// wants it.
func (d *Dir) Lost(topic string, id kafka.TopicPartition) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lost[id] || d.senseless[name{topic, id.Partition}]
}

// ForgetLost drops what is remembered of lost partitions that were deleted. A
// crash soon after may bring the memory of them back.
func (d *Dir) ForgetLost(ids []kafka.TopicPartition) {
	for _, id := range d.takeLost(ids) {
		d.background.put(job{kind: jobForget, id: id})
	}
}

// takeLost ends that ids are lost and lists those that were.
func (d *Dir) takeLost(ids []kafka.TopicPartition) (lost []kafka.TopicPartition) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range ids {
		if d.lost[id] {
			delete(d.lost, id)
			lost = append(lost, id)
		}
	}
	return lost
}

// takeNames ends that the folders of what begins anew hold other logs, and lists
// whose they seemed to be.
func (d *Dir) takeNames(specs []Spec) (others []kafka.TopicPartition) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range specs {
		delete(d.senseless, name{specs[i].Topic, specs[i].ID.Partition})
	}
	for id, i := range d.byID { //det:ok a set is made of it
		if slices.ContainsFunc(specs, func(s Spec) bool { return s.Topic == d.recovered[i].Topic && s.ID.Partition == id.Partition }) {
			delete(d.byID, id)
			others = append(others, id)
		}
	}
	return others
}

// beginAnew makes it durable that lost partitions begin with nothing: their
// folders are there by now, and a crash before this leaves them damaged.
func (d *Dir) beginAnew(specs []Spec) error {
	ids := make([]kafka.TopicPartition, len(specs))
	for i := range specs {
		ids[i] = specs[i].ID
	}
	lost := append(d.takeLost(ids), d.takeNames(specs)...)
	if len(lost) == 0 {
		return nil
	}
	return d.background.call(func() error {
		for _, id := range lost {
			d.background.marks.remove(id)
		}
		// An old journal that recovery has left may carry the lost log's bytes.
		return d.background.checkpoint(d.background.kept != nil, false)
	})
}
