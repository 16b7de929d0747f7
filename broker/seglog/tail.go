package seglog

import (
	"sort"

	"github.com/moldau/moldau/internal/ring"
)

// tailLenMax is how many of the newest batches have their places remembered,
// so that readers at the tail need no index.
const tailLenMax = 128

// tailEntry is where a batch lies.
type tailEntry struct {
	first, last       int64
	segment, position int64
	size              int64
}

// tail holds the newest batches, ascending and contiguous.
type tail struct {
	entries ring.Ring[tailEntry]
}

func (t *tail) push(e tailEntry) {
	if t.entries.Len() == tailLenMax {
		t.entries.PopFront()
	}
	*t.entries.Push() = e
}

func (t *tail) truncate(from int64) {
	for t.entries.Len() > 0 && t.entries.Back().last >= from {
		t.entries.PopBack()
	}
}

// find is the batch that holds offset.
func (t *tail) find(offset int64) (tailEntry, bool) {
	n := t.entries.Len()
	if n == 0 || offset < t.entries.Front().first || offset > t.entries.Back().last {
		return tailEntry{}, false
	}
	if back := t.entries.Back(); offset >= back.first {
		return *back, true
	}
	i := sort.Search(n, func(i int) bool { return t.entries.At(i).last >= offset })
	return *t.entries.At(i), true
}

// Forget gives up what is remembered of recent batches' places, and memory that
// is kept for the next ones: for a log that rests.
func (l *Log) Forget() {
	l.tail = tail{}
	if l.undo.Len() == 0 {
		l.undo.Reset()
	}
}

// StartOf is the place of the batch that holds offset, if it is remembered or
// a segment begins there.
func (l *Log) StartOf(offset int64) Position {
	if e, ok := l.tail.find(offset); ok {
		return Position{Segment: e.segment, Byte: e.position}
	}
	if s := &l.segments[l.segmentAt(offset)]; s.Base == offset && offset < l.next {
		return Position{Segment: s.Base}
	}
	return Unknown()
}

// EndOf is the place after the batch that ends below offset, if it is
// remembered or a segment ends there.
func (l *Log) EndOf(offset int64) Position {
	if e, ok := l.tail.find(offset - 1); ok {
		if e.last != offset-1 {
			return Unknown()
		}
		return Position{Segment: e.segment, Byte: e.position + e.size}
	}
	i := l.segmentAt(offset - 1)
	if s := &l.segments[i]; offset > s.Base && offset == l.segmentEnd(i) {
		return Position{Segment: s.Base, Byte: s.Size}
	}
	return Unknown()
}

// segmentEnd is one past the last offset of the i-th segment.
func (l *Log) segmentEnd(i int) int64 {
	if i+1 < len(l.segments) {
		return l.segments[i+1].Base
	}
	return l.next
}

// BytesBetween is the number of bytes from the batch that holds from up to the
// offset upTo: exact for remembered batches, else estimated from the segments'
// sizes; at least 1 when from < upTo.
func (l *Log) BytesBetween(from, upTo int64) int64 {
	if from >= upTo {
		return 0
	}
	i, j := l.segmentAt(from), l.segmentAt(upTo-1)
	n := l.byteOf(j, upTo, true) - l.byteOf(i, from, false)
	for ; i < j; i++ {
		n += l.segments[i].Size
	}
	return max(n, 1)
}

// byteOf is the byte in the i-th segment where the batch that holds offset
// begins, or, with end, where the batch ends that ends below offset.
func (l *Log) byteOf(i int, offset int64, end bool) int64 {
	s := &l.segments[i]
	if end {
		if e, ok := l.tail.find(offset - 1); ok {
			return e.position + e.size
		}
	} else if e, ok := l.tail.find(offset); ok {
		return e.position
	}
	last, size := l.segmentEnd(i), s.Size
	if t := &l.tail.entries; t.Len() > 0 && t.Front().segment == s.Base {
		last, size = t.Front().first, t.Front().position
	}
	if offset <= s.Base || last <= s.Base {
		return 0
	}
	if offset >= last {
		return size
	}
	return int64(float64(size) * (float64(offset-s.Base) / float64(last-s.Base)))
}
