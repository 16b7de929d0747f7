package linearizability

import (
	"slices"

	"github.com/moldau/moldau/linearizability/history"
)

// checkLogOrder holds every partition's operations against one log, directly:
// offsets order the appends, so nothing is searched for.
func checkLogOrder(r *run) {
	for _, event := range r.events {
		if event.Kind == history.EventCorrupt {
			r.violation("corrupt", nil, "at %s a client was given bytes whose checksum is wrong: %s", seconds(event.At), event.Name)
		}
	}
	for _, p := range r.parts {
		c := &logOrder{run: r, p: p, ghost: map[int64]sighting{}, epochs: map[epochOffset]sighting{}, offsets: map[uint64]sighting{}}
		for _, op := range p.scans {
			c.scan(op)
		}
		for _, op := range p.produces {
			c.ack(op)
		}
		for _, op := range p.reads {
			c.read(op)
		}
		c.highWatermarks()
		c.latest()
		c.ending()
	}
}

// logOrder is the check of one partition.
type logOrder struct {
	*run
	p       *partition
	ghost   map[int64]sighting       // committed, by offset
	epochs  map[epochOffset]sighting // by leader epoch too, replicas' tails included
	offsets map[uint64]sighting      // where a value was seen first
}

type epochOffset struct {
	epoch  int32
	offset int64
}

// sighting is a value at an offset, and who said so.
type sighting struct {
	value  uint64
	offset int64
	op     *history.Op
	read   bool // by a consumer, not only by an answer to its append
}

// scan holds a replica's log against the ghost's epochs: its tail need not be
// committed, but of one leader epoch there is one log.
func (c *logOrder) scan(op *history.Op) {
	for i := range op.Read.Records {
		c.atEpoch(&op.Read.Records[i], op)
	}
	c.contiguous(op)
}

// ack takes what an answer to an append says.
func (c *logOrder) ack(op *history.Op) {
	if !op.OK() || op.Produce.Acks == 0 {
		return
	}
	for i := range op.Produce.Records {
		if offset := ackedOffset(op, i); offset >= 0 {
			value := op.Produce.Records[i].Value
			c.place(sighting{value: value, offset: offset, op: op}, Expect(c.p.topic.Durability, op.Produce.Acks))
		}
	}
}

// read takes what a consumer was given.
func (c *logOrder) read(op *history.Op) {
	for i := range op.Read.Records {
		record := &op.Read.Records[i]
		a := c.appends[record.Value]
		if (a == nil || a.part != c.p) && c.misdirected(op) {
			c.note("%s offset %d: value %x is another log's, written there by a misdirected write", c.p, record.Offset, record.Value)
			continue
		}
		switch {
		case a == nil:
			c.violation("phantom", []*history.Op{op}, "%s offset %d: value %x was never sent", c.p, record.Offset, record.Value)
			continue
		case a.part != c.p:
			c.violation("misplaced", []*history.Op{op, a.first}, "%s offset %d: value %x was sent to %s", c.p, record.Offset, record.Value, a.part)
			continue
		case a.attempts == 0:
			c.violation("failed-write", []*history.Op{op, a.first}, "%s offset %d: value %x is there, although its append was refused", c.p, record.Offset, record.Value)
		case op.Return < a.first.Invoke:
			c.violation("read-before-write", []*history.Op{op, a.first}, "%s offset %d: value %x was read before it was sent", c.p, record.Offset, record.Value)
		case record.Key != a.sent.Key || (!c.p.topic.AppendTime && a.sent.TimestampMs > 0 && record.TimestampMs != a.sent.TimestampMs):
			c.violation("altered", []*history.Op{op, a.first}, "%s offset %d: value %x was sent with key %q timestamp %d and read with key %q timestamp %d",
				c.p, record.Offset, record.Value, a.sent.Key, a.sent.TimestampMs, record.Key, record.TimestampMs)
		}
		c.atEpoch(record, op)
		c.place(sighting{value: record.Value, offset: record.Offset, op: op, read: true}, c.p.committed())
	}
	if op.Kind == history.KindFetch {
		c.contiguous(op)
	}
	c.below(op)
}

// misdirected reports whether a write meant for another log may have landed in this
// one before an operation was answered. Whole batches are right wherever they lie:
// the format does not say which log they are of.
func (c *logOrder) misdirected(op *history.Op) bool {
	return slices.ContainsFunc(c.events, func(e *history.Event) bool {
		return e.Kind == history.EventDamage && e.Name == history.Misdirected && e.Topic == c.p.key.Topic && e.Partition == c.p.key.Partition && e.At <= op.Return
	})
}

// atEpoch: of one leader epoch and offset there is one sequence of bytes, over
// all replicas and incarnations, whatever struck.
func (c *logOrder) atEpoch(record *history.Record, op *history.Op) {
	if record.Epoch < 0 {
		return
	}
	key := epochOffset{record.Epoch, record.Offset}
	before, there := c.epochs[key]
	if !there {
		c.epochs[key] = sighting{value: record.Value, offset: record.Offset, op: op}
	} else if before.value != record.Value {
		c.violation("divergence", []*history.Op{before.op, op}, "%s epoch %d offset %d has two values, %x and %x", c.p, record.Epoch, record.Offset, before.value, record.Value)
	}
}

// place: an offset has one value and a value one offset, unless what was there
// could lawfully be lost in between. e is what the newer sighting was promised.
func (c *logOrder) place(s sighting, e Expectation) {
	if before, there := c.ghost[s.offset]; !there {
		c.ghost[s.offset] = s
	} else if before.value != s.value {
		if !c.lawful(before, s, e) {
			c.violation("inconsistent", []*history.Op{before.op, s.op}, "%s offset %d has two values, %x and %x", c.p, s.offset, before.value, s.value)
		}
		if s.op.Invoke >= before.op.Invoke {
			c.ghost[s.offset] = s
		}
	} else if s.read && !before.read {
		c.ghost[s.offset] = s
	}
	before, there := c.offsets[s.value]
	if !there {
		c.offsets[s.value] = s
		return
	}
	if a := c.appends[s.value]; before.offset != s.offset && a != nil && !a.repeats && !c.lawful(before, s, e) {
		c.violation("two-offsets", []*history.Op{before.op, s.op}, "%s value %x stands at two offsets, %d and %d", c.p, s.value, before.offset, s.offset)
	}
}

// lawful reports whether one of two sightings that cannot both hold could have
// been lost: something struck between the first of their appends and the last
// of their sightings.
func (c *logOrder) lawful(one, other sighting, e Expectation) bool {
	from := min(one.op.Invoke, other.op.Invoke)
	for _, s := range []sighting{one, other} {
		if a := c.appends[s.value]; a != nil {
			from = min(from, a.first.Invoke)
		}
		if acksOf(s.op) == 1 && c.staleLeader(c.p, s.op.Node, s.op.Return) {
			return true
		}
	}
	to := max(one.op.Return, other.op.Return)
	return c.excused(c.p, e, from, to) || c.excused(c.p, Expect(c.p.topic.Durability, acksOf(one.op)), from, to)
}

// acksOf is the acks under which an operation says that a record is there: of
// an append its own, of a read all.
func acksOf(op *history.Op) int16 {
	if op.Produce != nil {
		return op.Produce.Acks
	}
	return -1
}

// contiguous: offsets grow one by one, from the position asked for on.
func (c *logOrder) contiguous(op *history.Op) {
	want := op.Read.Position
	for i := range op.Read.Records {
		offset := op.Read.Records[i].Offset
		switch {
		case want >= 0 && offset < want:
			c.violation("disorder", []*history.Op{op}, "%s offset %d came where %d was next", c.p, offset, want)
			return
		case want >= 0 && offset > want && !c.p.topic.Sparse:
			c.violation("gap", []*history.Op{op}, "%s offset %d came where %d was next", c.p, offset, want)
			return
		}
		want = offset + 1
	}
}

// below: a consumer gets nothing from the high watermark on, and nothing from
// the last stable offset on if it asked so.
func (c *logOrder) below(op *history.Op) {
	read := op.Read
	n := len(read.Records)
	if read.LastStable >= 0 && read.HighWatermark >= 0 && read.LastStable > read.HighWatermark {
		c.violation("above-high-watermark", []*history.Op{op}, "%s last stable offset %d lies above the high watermark %d", c.p, read.LastStable, read.HighWatermark)
	}
	if n == 0 {
		return
	}
	last := read.Records[n-1].Offset
	if read.HighWatermark >= 0 && last >= read.HighWatermark {
		c.violation("above-high-watermark", []*history.Op{op}, "%s offset %d was read, the high watermark was %d", c.p, last, read.HighWatermark)
	}
	if read.Committed && read.LastStable >= 0 && last >= read.LastStable {
		c.violation("above-last-stable", []*history.Op{op}, "%s offset %d was read, the last stable offset was %d", c.p, last, read.LastStable)
	}
	if read.LogStart >= 0 && read.Records[0].Offset < read.LogStart && read.Position >= read.LogStart {
		c.violation("below-log-start", []*history.Op{op}, "%s offset %d was read, the log start was %d", c.p, read.Records[0].Offset, read.LogStart)
	}
}
