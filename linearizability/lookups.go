package linearizability

import (
	"cmp"
	"slices"
	"sort"

	"github.com/moldau/moldau/linearizability/history"
)

// checkLookups holds look-ups by time and by epoch against a scan of what was
// read, and sessions against their shadows.
func checkLookups(r *run) {
	for _, p := range r.parts {
		if len(p.lists)+len(p.epochEnds) == 0 {
			continue
		}
		if r.excused(p, p.committed(), 0, r.h.End) {
			r.note("%s: something struck that takes records, so that no one log is there to scan", p)
			continue
		}
		newLookups(r, p).check()
	}
	checkSessions(r)
}

// lookups is the check of one partition.
type lookups struct {
	*run
	p        *partition
	records  []history.Record // read by anybody, by offset
	low      int              // index of the first that never was below a log start
	greatest []int64          // of records[low:low+i+1], the greatest timestamp
}

func newLookups(r *run, p *partition) *lookups {
	l := &lookups{run: r, p: p}
	start, seen := int64(0), make(map[int64]struct{}, len(p.appends))
	for _, op := range p.all() {
		start = max(start, logStart(op))
		if op.Read == nil || !op.OK() {
			continue
		}
		for i := range op.Read.Records {
			if _, twice := seen[op.Read.Records[i].Offset]; !twice {
				seen[op.Read.Records[i].Offset] = struct{}{}
				l.records = append(l.records, op.Read.Records[i])
			}
		}
	}
	slices.SortFunc(l.records, func(a, b history.Record) int { return cmp.Compare(a.Offset, b.Offset) })
	l.low = l.from(start)
	greatest := int64(-1 << 62)
	for _, record := range l.records[l.low:] {
		greatest = max(greatest, record.TimestampMs)
		l.greatest = append(l.greatest, greatest)
	}
	return l
}

// from is the index of the first record at or after an offset.
func (l *lookups) from(offset int64) int {
	return sort.Search(len(l.records), func(i int) bool { return l.records[i].Offset >= offset })
}

// at is the record at an offset, nil if nobody read it.
func (l *lookups) at(offset int64) *history.Record {
	if i := l.from(offset); i < len(l.records) && l.records[i].Offset == offset {
		return &l.records[i]
	}
	return nil
}

// misled reports whether a search for a time may have gone by wrong bytes: it goes by
// headers of batches, and only a checksum that nobody looks at then tells of those. It
// is so from the damage of the copy that answered until that is thrown away.
func (l *lookups) misled(op *history.Op) (misled bool) {
	for _, event := range l.events {
		switch {
		case event.At > op.Return:
			return misled
		case event.Node != op.Node || event.Topic != op.Topic || event.Partition != op.Partition:
		case event.Kind == history.EventDamage:
			misled = true
		case event.Kind == history.EventReplaced && event.At < op.Invoke:
			misled = false
		}
	}
	return misled
}

// firstSince is the first record that surely was there with a timestamp not
// below one, nil if there is none.
func (l *lookups) firstSince(timestampMs int64) *history.Record {
	i := sort.Search(len(l.greatest), func(i int) bool { return l.greatest[i] >= timestampMs })
	if i == len(l.greatest) {
		return nil
	}
	return &l.records[l.low+i]
}

func (l *lookups) check() {
	ops := append(l.p.showing(), l.p.epochEnds...)
	sortOps(ops)
	committed := int64(0) // shown before the operation began
	sweep(ops, func(op *history.Op) { committed = max(committed, shown(op)) }, func(op *history.Op) {
		switch {
		case l.staleLeader(l.p, op.Node, op.Return): // it tells of its own past
		case op.EpochEnd != nil:
			l.epochEnd(op, committed)
		case op.ListOffsets == nil, l.misled(op):
		case op.ListOffsets.Target >= 0:
			l.byTime(op, committed)
		case op.ListOffsets.Target == history.MaxTimestamp:
			l.newest(op, committed)
		}
	})
	for i := 1; i < len(l.p.final.records); i++ {
		if a, b := l.p.final.records[i-1], l.p.final.records[i]; b.Epoch >= 0 && b.Epoch < a.Epoch {
			l.violation("epoch-falls", []*history.Op{l.p.final.from[i]}, "%s: offset %d is of epoch %d, offset %d of epoch %d", l.p, a.Offset, a.Epoch, b.Offset, b.Epoch)
		}
	}
}

// byTime: the answer is the first record with that timestamp or a later one.
func (l *lookups) byTime(op *history.Op, committed int64) {
	answer := op.ListOffsets
	first := l.firstSince(answer.Target)
	if l.p.topic.Sparse {
		first = nil // it may have been compacted away
	}
	if answer.Offset < 0 {
		if first != nil && first.Offset < committed {
			l.violation("time-missed", []*history.Op{op}, "%s: nothing was found since %d; offset %d, there before, has %d", l.p, answer.Target, first.Offset, first.TimestampMs)
		}
		return
	}
	if first != nil && first.Offset < answer.Offset {
		l.violation("time-not-first", []*history.Op{op}, "%s: offset %d was found since %d; offset %d comes before it and has %d", l.p, answer.Offset, answer.Target, first.Offset, first.TimestampMs)
	}
	l.found(op)
	if record := l.at(answer.Offset); record != nil && record.TimestampMs < answer.Target {
		l.violation("time-wrong", []*history.Op{op}, "%s: offset %d was found since %d, it has %d", l.p, answer.Offset, answer.Target, record.TimestampMs)
	}
}

// found: the record that is answered is there and has the timestamp answered.
func (l *lookups) found(op *history.Op) {
	answer := op.ListOffsets
	record := l.at(answer.Offset)
	switch {
	case record == nil && l.p.final.whole && answer.Offset >= l.p.final.end:
		l.violation("time-beyond", []*history.Op{op}, "%s: offset %d was answered, the log ends at %d", l.p, answer.Offset, l.p.final.end)
	case record != nil && record.TimestampMs != answer.TimestampMs:
		l.violation("time-wrong", []*history.Op{op}, "%s: offset %d was answered with timestamp %d, it has %d", l.p, answer.Offset, answer.TimestampMs, record.TimestampMs)
	}
}

// newest: no record that was there has a later timestamp than the answer.
func (l *lookups) newest(op *history.Op, committed int64) {
	answer := op.ListOffsets
	i := l.from(committed) - l.low // records before it were there
	if answer.Offset >= 0 {
		l.found(op)
	}
	if i <= 0 || l.p.topic.Sparse {
		return
	}
	if greatest := l.greatest[i-1]; answer.Offset < 0 || answer.TimestampMs < greatest {
		l.violation("newest-missed", []*history.Op{op}, "%s: the newest timestamp was %d at offset %d, a record there before has %d", l.p, answer.TimestampMs, answer.Offset, greatest)
	}
}

// epochEnd: the answer is the greatest epoch not above the one asked for, and
// the offset where a later one begins, or where the log ended.
func (l *lookups) epochEnd(op *history.Op, committed int64) {
	answer := op.EpochEnd
	if answer.Epoch > answer.Asked {
		l.violation("epoch-above", []*history.Op{op}, "%s: the end of epoch %d was asked for, epoch %d answered", l.p, answer.Asked, answer.Epoch)
		return
	}
	if i := l.from(answer.EndOffset); answer.EndOffset >= 0 && i < len(l.records) {
		if record := l.records[i]; record.Epoch >= 0 && record.Epoch <= answer.Epoch && record.Offset < committed {
			l.violation("epoch-end-short", []*history.Op{op}, "%s: epoch %d was said to end at %d; offset %d, there before, is of epoch %d", l.p, answer.Epoch, answer.EndOffset, record.Offset, record.Epoch)
		}
	}
	if l.excused(l.p, Expect(l.p.topic.Durability, 1), op.Invoke, l.h.End) {
		return // a leader's own epoch ends at its log's end, of which not all need stay
	}
	end := answer.EndOffset
	if l.powerLost(op.Invoke) {
		end = min(end, committed) // what was not acknowledged may be gone with the power, and its offsets used again
	}
	if i := l.from(end) - 1; i >= l.low && answer.EndOffset >= 0 && l.records[i].Epoch > answer.Epoch {
		l.violation("epoch-end-long", []*history.Op{op}, "%s: epoch %d was said to end at %d; offset %d is of epoch %d", l.p, answer.Epoch, answer.EndOffset, l.records[i].Offset, l.records[i].Epoch)
	}
	i := l.low + sort.Search(len(l.records)-l.low, func(i int) bool { return l.records[l.low+i].Epoch > answer.Epoch })
	if i < len(l.records) && l.records[i].Epoch <= answer.Asked && l.records[i].Offset < committed {
		l.violation("epoch-missed", []*history.Op{op}, "%s: epoch %d was asked for, %d answered; offset %d, there before, is of epoch %d", l.p, answer.Asked, answer.Epoch, l.records[i].Offset, l.records[i].Epoch)
	}
}

// powerLost reports whether the partition's power was lost since a time. Elections
// need not tell of it: what is asked for here was promised to nobody.
func (l *lookups) powerLost(since int64) bool {
	for _, event := range l.events {
		if event.Kind == history.EventPowerLoss && event.At >= since && strikes(event, l.p) {
			return true
		}
	}
	return false
}
