package linearizability

import (
	"cmp"
	"slices"

	"github.com/moldau/moldau/linearizability/history"
)

// ending holds all that was said against what is there in the end.
func (c *logOrder) ending() {
	f := &c.p.final
	if c.p.deletedAt < never {
		return
	}
	if !f.whole {
		if c.excused(c.p, c.p.committed(), c.h.End, c.h.End) {
			c.note("%s: damaged, so that offsets from %d to %d cannot be read", c.p, f.holeAt, f.end)
			return
		}
		c.unread()
		return
	}
	c.lost()
	c.replicas()
	c.order()
	c.torn()
	for _, op := range c.p.showing() {
		if end := shown(op); end > f.end && !c.excused(c.p, c.p.committed(), c.began(op), c.h.End) {
			c.violation("committed-lost", append([]*history.Op{op}, f.reads...)[:2], "%s: offsets up to %d were committed, the log ends at %d", c.p, end, f.end)
			return
		}
	}
}

// unread says why there is no final log to hold anything against.
func (c *logOrder) unread() {
	f := &c.p.final
	for _, op := range f.reads {
		if !c.p.topic.Sparse && len(op.Read.Records) == 0 && op.Read.Position >= max(f.start, 0) && op.Read.Position < op.Read.HighWatermark {
			c.violation("unreadable", []*history.Op{op}, "%s: offset %d is below the high watermark %d and comes in no answer", c.p, op.Read.Position, op.Read.HighWatermark)
			return
		}
	}
	switch {
	case len(c.p.appends) == 0:
	case len(f.reads) == 0:
		c.broken("%s: appends and no final read", c.p)
	default:
		c.broken("%s: the final reads leave offsets from %d to %d out", c.p, f.holeAt, f.end)
	}
}

// lost: what was acknowledged or read is there.
func (c *logOrder) lost() {
	f := &c.p.final
	at := map[uint64]int64{}
	for _, record := range f.records {
		at[record.Value] = record.Offset
	}
	for _, a := range c.p.appends {
		if a.ack == nil {
			continue
		}
		if _, there := at[a.sent.Value]; there || (a.offset >= 0 && a.offset < f.start) || (a.offset < 0 && f.start > 0) {
			continue
		}
		if !c.excused(c.p, Expect(c.p.topic.Durability, a.acks), a.first.Invoke, c.h.End) {
			c.violation("lost", []*history.Op{a.ack}, "%s offset %d: value %x was acknowledged with acks %d and is gone, the log is %d..%d", c.p, a.offset, a.sent.Value, a.acks, f.start, f.end)
		}
	}
	for _, s := range c.sightings() {
		record, by := f.at(s.offset)
		if !s.read || s.offset < f.start || (record != nil && record.Value == s.value) {
			continue
		}
		a := c.appends[s.value]
		if a == nil || c.excused(c.p, c.p.committed(), a.first.Invoke, c.h.End) {
			continue
		}
		c.violation("read-then-lost", []*history.Op{s.op, by, a.first}, "%s offset %d: value %x was read and is gone, the log is %d..%d", c.p, s.offset, s.value, f.start, f.end)
	}
}

// replicas: in the end, with nothing wrong and nothing under way for a while, all
// replicas hold one log, as far as each has it. An election that loses records
// loses them for all; only damage is one replica's own.
func (c *logOrder) replicas() {
	damage := Expectation{Kept: c.p.committed().Kept, LostBy: []history.EventKind{history.EventDamage}}
	for _, op := range c.p.scans {
		if !op.Read.Final {
			continue
		}
		for i := range op.Read.Records {
			record := &op.Read.Records[i]
			if there, by := c.p.final.at(record.Offset); there != nil && there.Value != record.Value && !c.excused(c.p, damage, 0, c.h.End) {
				c.violation("replica-differs", []*history.Op{op, by}, "%s offset %d: the log of node %d has value %x in the end, the leader gave %x", c.p, record.Offset, op.Node, record.Value, there.Value)
				return
			}
		}
	}
}

// sightings by offset, so that reports come in order.
func (c *logOrder) sightings() []sighting {
	all := make([]sighting, 0, len(c.ghost))
	for _, s := range c.ghost {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b sighting) int { return cmp.Compare(a.offset, b.offset) })
	return all
}

// order: an append that was acknowledged before another was sent has the
// smaller offset. From the end of the log down, the earliest acknowledgement
// seen so far must not come before the sending of what is below.
func (c *logOrder) order() {
	f := &c.p.final
	var above *appended
	for i := len(f.records) - 1; i >= 0; i-- {
		a := c.appends[f.records[i].Value]
		if a == nil {
			continue
		}
		if above != nil && above.returned() < a.first.Invoke && !c.excused(c.p, Expect(c.p.topic.Durability, above.acks), above.first.Invoke, a.first.Invoke) {
			c.violation("order", []*history.Op{above.ack, a.first}, "%s: value %x at offset %d was sent after value %x had been acknowledged at offset %d",
				c.p, a.sent.Value, f.records[i].Offset, above.sent.Value, above.offset)
			return
		}
		if a.ack != nil && a.offset == f.records[i].Offset && (above == nil || a.returned() < above.returned()) {
			above = a
		}
	}
}

// torn: a batch is there as a whole, its records one after another, or not.
func (c *logOrder) torn() {
	f := &c.p.final
	for _, op := range c.p.produces {
		records := op.Produce.Records
		if len(records) < 2 {
			continue
		}
		prev := int64(history.Unknown)
		for i := range records {
			offset := int64(history.Unknown)
			if s, there := c.offsets[records[i].Value]; there {
				if record, _ := f.at(s.offset); record != nil && record.Value == s.value {
					offset = s.offset
				}
			}
			whole := i == 0 || offset == prev+1 || (offset < 0 && prev < 0) || (prev < 0 && offset == f.start)
			if !whole && !c.p.topic.Sparse && !c.appends[records[i].Value].repeats && !c.excused(c.p, c.p.committed(), op.Invoke, c.h.End) {
				c.violation("torn", []*history.Op{op}, "%s: value %x is at offset %d, the next of its batch, %x, at %d", c.p, records[i-1].Value, prev, records[i].Value, offset)
				break
			}
			prev = offset
		}
	}
}
