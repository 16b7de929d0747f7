package logdir

import (
	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
)

// item is what one partition has waiting for the committer's next turn.
type item struct {
	p        *Partition
	upTo     int64      // D after it; -1: no bytes wait
	segments []*segment // written to, oldest first
	entries  []entry    // the appends, where all of them are small enough for the journal
	inline   int        // bytes of entries, heads included
	bytes    int64      // written
	direct   bool       // some append is too large for the journal: sync the files

	logStart    int64 // to make durable; -1: none
	answerStart bool  // LogStarted is waited for
	doomed      []*segment
}

// entry is one append that a journal commit may carry.
type entry struct {
	segment, position, first, last int64
	data                           buffer.Slice
}

// item is p's item of this turn.
func (l *lane) item(p *Partition) *item {
	if p.lane.item == nil {
		it := l.spareItem()
		it.p, it.upTo, it.logStart = p, -1, -1
		p.lane.item = it
		l.handed = append(l.handed, p)
	}
	return p.lane.item
}

const (
	// spareItemsMax bounds the items that are kept for later turns.
	spareItemsMax = 4096
	// spareEntriesMax bounds the room for entries that such an item keeps.
	spareEntriesMax = 16
)

// spareItem is an empty item, one of before if there is one.
func (l *lane) spareItem() *item {
	n := len(l.spare)
	if n == 0 {
		return &item{}
	}
	it := l.spare[n-1]
	l.spare[n-1] = nil
	l.spare = l.spare[:n-1]
	return it
}

// retire keeps an item that is done with for a later turn. The lock is held.
func (c *committer) retire(it *item) {
	if len(c.spare) >= spareItemsMax || cap(it.entries) > spareEntriesMax || cap(it.segments) > spareEntriesMax {
		return
	}
	clear(it.entries)
	clear(it.segments)
	*it = item{entries: it.entries[:0], segments: it.segments[:0]}
	c.spare = append(c.spare, it)
}

// add takes in appends that were written to s; the log ends at end now. Their
// buffers are kept while the journal may carry them.
func (it *item) add(s *segment, ops []seglog.Op, end int64, inlineBytesMax int) {
	it.upTo = end
	it.segments = addSegment(it.segments, s)
	for i := range ops {
		ap := &ops[i].Append
		if len(ap.Data.Bytes) > inlineBytesMax {
			it.goDirect()
		}
		if it.direct {
			it.bytes += int64(len(ap.Data.Bytes))
			ap.Data.Release()
			continue
		}
		it.carry(ap, ap.Data)
	}
}

// share takes in small appends that are about to be written to s, and keeps
// references to their buffers of its own.
func (it *item) share(s *segment, ops []seglog.Op) {
	it.upTo = ops[len(ops)-1].Append.LastOffset + 1
	it.segments = addSegment(it.segments, s)
	for i := range ops {
		it.carry(&ops[i].Append, ops[i].Append.Data.Share())
	}
}

// carry adds an append that the journal may carry. One that only rolls has
// nothing for it: the segment's name comes with the first bytes in it.
func (it *item) carry(ap *seglog.Append, data buffer.Slice) {
	n := len(data.Bytes)
	if n == 0 {
		data.Release()
		return
	}
	it.bytes += int64(n)
	it.entries = append(it.entries, entry{
		segment: ap.Segment, position: ap.Position, first: ap.FirstOffset, last: ap.LastOffset, data: data,
	})
	it.inline += entryHeadLen + n
}

// goDirect lets go of the buffers: the files will be synced.
func (it *item) goDirect() {
	it.direct = true
	it.release()
}

func (it *item) release() {
	for i := range it.entries {
		it.entries[i].data.Release()
	}
	clear(it.entries)
	it.entries, it.inline = it.entries[:0], 0
}

// force asks for everything written so far (OpSync).
func (it *item) force(t *laneState) {
	it.upTo = t.end
	if it.p.options.Load().Durability == kafka.DurabilityOS || len(t.unsynced) > 0 {
		for _, s := range t.unsynced {
			it.segments = addSegment(it.segments, s)
		}
		t.unsynced = nil
		it.goDirect()
	}
}

// merge adds what came later.
func (it *item) merge(later *item) {
	it.upTo = max(it.upTo, later.upTo)
	for _, s := range later.segments {
		it.segments = addSegment(it.segments, s)
	}
	it.bytes += later.bytes
	if later.direct {
		it.goDirect()
	}
	if it.direct {
		later.release()
	} else {
		it.entries = append(it.entries, later.entries...)
		it.inline += later.inline
	}
	it.logStart = max(it.logStart, later.logStart)
	it.answerStart = it.answerStart || later.answerStart
	it.doomed = append(it.doomed, later.doomed...)
}

// addSegment adds s unless it is there; lists are short (a roll adds one).
func addSegment(list []*segment, s *segment) []*segment {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}
