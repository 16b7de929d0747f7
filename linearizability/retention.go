package linearizability

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/moldau/moldau/linearizability/history"
)

// checkRetention asks of every record that is gone by whose leave, and of every
// acknowledged log start whether it held.
func checkRetention(r *run) {
	for _, p := range r.parts {
		c := &retention{run: r, p: p}
		c.justified()
		c.regress()
	}
}

// retention is the check of one partition.
type retention struct {
	*run
	p *partition
}

// logStart is the log start that an operation answered, Unknown if none. A
// follower may lag with it.
func logStart(op *history.Op) int64 {
	switch {
	case !op.OK():
	case op.Produce != nil:
		return op.Produce.LogStart
	case op.Read != nil && !op.Read.Follower:
		return op.Read.LogStart
	case op.ListOffsets != nil && op.ListOffsets.Target == history.Earliest:
		return op.ListOffsets.Offset
	case op.Delete != nil:
		return op.Delete.LowWatermark
	}
	return history.Unknown
}

// all are the operations that answer a log start, by invoke.
func (p *partition) all() []*history.Op {
	ops := append(p.showing(), p.deletes...)
	sortOps(ops)
	return ops
}

// standing is a record at the offset where it stood.
type standing struct {
	offset int64
	a      *appended
}

// standings are the records of a partition whose offsets are known, by offset.
func (r *run) standings(p *partition) []standing {
	offsets := map[uint64]int64{}
	for _, op := range p.reads {
		for _, record := range op.Read.Records {
			offsets[record.Value] = record.Offset
		}
	}
	var all []standing
	for _, a := range p.appends {
		if offset, read := offsets[a.sent.Value]; read {
			all = append(all, standing{offset, a})
		} else if a.offset >= 0 {
			all = append(all, standing{a.offset, a})
		}
	}
	slices.SortFunc(all, func(a, b standing) int { return cmp.Compare(a.offset, b.offset) })
	return all
}

// justified: when a log start was first seen above a record, the record had
// been deleted on request, or had the age, or what remained had the size.
func (c *retention) justified() {
	ops := c.p.all()
	slices.SortStableFunc(ops, func(a, b *history.Op) int { return cmp.Compare(a.Return, b.Return) })
	standings := c.standings(c.p)
	next, sent, goneBytes, produced := 0, int64(0), int64(0), 0
	for _, op := range ops {
		start := logStart(op)
		first := next
		for next < len(standings) && standings[next].offset < start {
			goneBytes += bytesOf(standings[next].a)
			next++
		}
		for produced < len(c.p.produces) && c.p.produces[produced].Invoke <= op.Return {
			if c.p.produces[produced].Outcome != history.OutcomeFailed {
				sent += c.p.produces[produced].Produce.Bytes
			}
			produced++
		}
		for _, s := range standings[first:next] {
			if !c.mayBeGone(s, op, sent-goneBytes) {
				c.violation("deleted-early", []*history.Op{op, s.a.first}, "%s offset %d: value %x was gone (log start %d) before it had the age, %d ms, or the log the size, %d bytes, and nobody had asked",
					c.p, s.offset, s.a.sent.Value, start, c.least("retention.ms", c.p.topic.RetentionMs, op.Return), c.least("retention.bytes", c.p.topic.RetentionBytes, op.Return))
				break
			}
		}
	}
}

func bytesOf(a *appended) int64 {
	return a.first.Produce.Bytes / int64(len(a.first.Produce.Records))
}

// mayBeGone reports whether a record may be gone by the time an operation
// returned, the records left having at most so many bytes.
func (c *retention) mayBeGone(s standing, op *history.Op, left int64) bool {
	for _, d := range c.p.deletes {
		if d.Outcome != history.OutcomeFailed && d.Invoke <= op.Return && (d.Delete.Before == history.Latest || d.Delete.Before > s.offset) {
			return true
		}
	}
	skew := c.h.Header.SkewMaxMs
	if keep := c.least("retention.ms", c.p.topic.RetentionMs, op.Return); keep >= 0 {
		stamped := s.a.sent.TimestampMs
		if c.p.topic.AppendTime || stamped <= 0 {
			stamped = c.h.Header.EpochMs + s.a.first.Invoke/1e6 - skew
		}
		if c.h.Header.EpochMs+op.Return/1e6+skew-stamped >= keep {
			return true
		}
	}
	if keep := c.least("retention.bytes", c.p.topic.RetentionBytes, op.Return); keep >= 0 && (left >= keep || s.a.first.Produce.Bytes == 0) {
		return true
	}
	return c.excused(c.p, c.p.committed(), s.a.first.Invoke, op.Return) ||
		s.a.ack != nil && c.excused(c.p, Expect(c.p.topic.Durability, s.a.acks), s.a.first.Invoke, op.Return)
}

// least is the smallest value that a setting of the topic may have had up to a
// time, -1 for no limit.
func (c *retention) least(name string, first, by int64) int64 {
	least := first
	for _, op := range c.settings(name) {
		value, err := strconv.ParseInt(op.Config.Value, 10, 64)
		if op.Invoke <= by && (err == nil && value >= 0 || op.Config.Unset) && (least < 0 || value < least) {
			least = value
		}
	}
	return least
}

// settings are the changes of a setting of the topic that may have happened.
func (c *retention) settings(name string) (ops []*history.Op) {
	resource := "topic/" + c.p.key.Topic
	for _, op := range c.alters {
		if op.Config.Name == name && op.Config.Resource == resource {
			ops = append(ops, op)
		}
	}
	return ops
}

// regress: once a DeleteRecords was acknowledged, nobody sees a smaller log
// start, nor a record below it.
func (c *retention) regress() {
	if len(c.p.deletes) == 0 {
		return
	}
	var acked *history.Op
	sweep(c.p.all(), func(op *history.Op) {
		if op.Delete != nil && op.OK() && (acked == nil || op.Delete.LowWatermark > acked.Delete.LowWatermark) {
			acked = op
		}
	}, func(op *history.Op) {
		if acked == nil || !op.OK() {
			return
		}
		low := acked.Delete.LowWatermark
		below := op.Read != nil && !op.Read.Follower && len(op.Read.Records) > 0 && op.Read.Records[0].Offset < low
		start := logStart(op)
		if (start < 0 || start >= low) && !below || c.excused(c.p, c.p.committed(), acked.Invoke, op.Return) {
			return
		}
		if start >= 0 && start < low {
			c.violation("log-start-back", []*history.Op{acked, op}, "%s: the log start was %d after %d had been acknowledged", c.p, start, low)
		}
		if below {
			c.violation("deleted-read", []*history.Op{acked, op}, "%s: offset %d was read after all below %d had been deleted", c.p, op.Read.Records[0].Offset, low)
		}
	})
}
