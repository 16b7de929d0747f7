package seglog

import (
	"math"
	"slices"

	"github.com/moldau/moldau/internal/invariant"
)

// Expiry is what retention may delete.
type Expiry struct {
	Bases    []int64 // base offsets of the segments, oldest first
	LogStart int64   // the log start after that
	// Roll: all segments are expired, the active one too, and nothing is
	// Outstanding. It has to be rolled before it can go: Roll, and ask again
	// once that is written.
	Roll bool
}

// Expired decides retention at the wall time nowWall, below the high watermark
// hw: whole segments, oldest first, that end at or below hw and lie below the
// log start, exceed the log's size limit or are older than its time limit. The
// active segment goes only when it is expired by time or size. Nothing of a
// compacted log is deleted; without any cleanup policy, only what lies below
// the log start.
func (l *Log) Expired(nowWall, hw int64) Expiry {
	x := Expiry{LogStart: l.logStart}
	if l.cfg.Compact {
		return x
	}
	surplus := int64(0) // bytes above the size limit
	if l.cfg.Delete && l.cfg.RetentionBytes >= 0 {
		surplus = l.Size() - l.cfg.RetentionBytes
	}
	n, keep := 0, int64(math.MaxInt64)
	if l.undo.Len() > 0 {
		keep = l.undo.Front().segment.Base // a failed append makes it active again
	}
	for ; n < len(l.segments); n++ {
		s, end, active := &l.segments[n], l.segmentEnd(n), n == len(l.segments)-1
		if end > hw || s.Base >= keep || s.Size == 0 && active {
			break
		}
		oversize := l.cfg.Delete && l.cfg.RetentionBytes >= 0 && surplus >= s.Size
		old := l.cfg.Delete && l.cfg.RetentionMs >= 0 && nowWall-s.largestTimestamp() > l.cfg.RetentionMs
		if !oversize && !old && (end > l.logStart || active) {
			break
		}
		surplus -= s.Size
		x.LogStart = max(x.LogStart, end)
	}
	if n == len(l.segments) {
		n, x.Roll = n-1, true
		x.LogStart = max(l.logStart, l.segments[n].Base)
	}
	for i := range n {
		x.Bases = append(x.Bases, l.segments[i].Base)
	}
	return x
}

// BelowStart names the segments, oldest first, that lie below the log start
// and that no failed append can make active again.
func (l *Log) BelowStart() (bases []int64) {
	keep := int64(math.MaxInt64)
	if l.undo.Len() > 0 {
		keep = l.undo.Front().segment.Base
	}
	for n := 0; n < len(l.segments)-1 && l.segmentEnd(n) <= l.logStart && l.segments[n].Base < keep; n++ {
		bases = append(bases, l.segments[n].Base)
	}
	return bases
}

// Delete takes segments out, which Expired or BelowStart has named, and returns the order.
// The log start has been raised to Expired's.
func (l *Log) Delete(bases []int64) Op {
	n := len(bases)
	invariant.Check(n < len(l.segments) && l.segments[n].Base <= l.logStart, "delete %d of %d segments, log start %d",
		n, len(l.segments), l.logStart)
	for i, base := range bases {
		invariant.Check(l.segments[i].Base == base, "segment %d is not the oldest", base)
	}
	l.segments = slices.Clone(l.segments[n:])
	return Op{Kind: OpDeleteSegments, Bases: bases}
}
