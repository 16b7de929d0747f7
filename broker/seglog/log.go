package seglog

import (
	"slices"
	"sort"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/internal/invariant"
	"github.com/moldau/moldau/internal/ring"
)

// OutstandingMax is how many batches of one log may be assigned and not yet
// written. The machine refuses appends beyond it, which only a stalled disk
// reaches: before that, the memory of requests bounds what is under way.
const OutstandingMax = 1 << 16

// Log is the speculative state of one partition's log: what it will be once
// every order given so far has been carried out. Offsets, positions, rolls and
// index entries are decided here; a failed write is undone by Void.
//
// It is owned by the replica's machine and not safe for concurrent use.
// Invariants: LogStart <= Next; the segments ascend by base and there is at
// least one; the epochs ascend in both fields; undo holds one entry for each
// batch (and each bare roll) not yet written, ascending.
type Log struct {
	cfg       Config
	logStart  int64
	next      int64
	segments  []Segment
	epochs    EpochCache
	below     int32 // leader epoch of the batch below the log start, -1 for none or unknown
	producers *ProducerTable
	undo      ring.Ring[undo]
	tail      tail
}

// NewLog makes the log that recovery found.
func NewLog(cfg Config, st State) *Log {
	invariant.Check(len(st.Segments) > 0, "a log without a segment")
	invariant.Check(st.LogStart <= st.End, "log start %d above the end %d", st.LogStart, st.End)
	below := int32(-1)
	if st.LogStart == st.End {
		below = st.Evidence.LastEpoch
	}
	return &Log{
		cfg: cfg, logStart: st.LogStart, next: st.End, below: below,
		segments:  slices.Clone(st.Segments),
		epochs:    NewEpochCache(st.Epochs).TruncateStart(st.LogStart),
		producers: NewProducerTable(cfg.ProducersMax, st.Producers),
	}
}

// Append assigns offsets to one batch as leader: base offset = Next. It patches
// base offset and leader epoch into data, decides a roll, index entries and
// producer state, and returns the order to the disk worker, who owns data from
// then on. REQUIRES: the ProducerTable's Check accepted the batch; fewer than
// OutstandingMax are Outstanding.
func (l *Log) Append(nowWall int64, b Batch, leaderEpoch int32, data buffer.Slice) Op {
	b.BaseOffset, b.LeaderEpoch, b.Size = l.next, leaderEpoch, int64(len(data.Bytes))
	batch.SetBaseOffset(data.Bytes, l.next)
	batch.SetLeaderEpoch(data.Bytes, leaderEpoch)
	op := l.open(nowWall, b.Size, b.LastOffset(), b.MaxTimestamp)
	l.place(&op.Append, &b)
	op.Append.Data = data
	return op
}

// open begins an append of size bytes, that ends at the offset last: a roll, if
// one is due, and the place.
func (l *Log) open(nowWall, size, last, maxTimestamp int64) Op {
	op := Op{Kind: OpAppend}
	u := l.undo.Push()
	u.first, u.end, u.segment, u.epochs, u.producer.id = l.next, l.next, *l.active(), l.epochs, -1
	if a := l.active(); a.Base != l.next && a.full(&l.cfg, nowWall, size, last, maxTimestamp) {
		op.Append.Roll, u.rolled = l.roll(nowWall), true
	}
	a := l.active()
	op.Append.Segment, op.Append.Position = a.Base, a.Size
	op.Append.FirstOffset, op.Append.LastOffset = l.next, l.next-1
	return op
}

// place accounts for one batch at Next, whose undo entry is the newest.
func (l *Log) place(ap *Append, b *Batch) {
	u, a := l.undo.Back(), l.active()
	l.producers.capture(&u.producer, b)
	l.tail.push(tailEntry{first: l.next, last: b.LastOffset(), segment: a.Base, position: a.Size, size: b.Size})
	index, hasIndex, tm, hasTime := a.place(b, l.cfg.IndexIntervalBytes)
	if hasIndex {
		ap.addEntries(index, tm, hasTime)
	}
	l.epochs = l.epochs.Assign(b.LeaderEpoch, l.next)
	_, _, u.producer.evicted = l.producers.apply(b)
	l.next = b.LastOffset() + 1
	u.end = l.next
	ap.LastOffset, ap.LeaderEpoch = b.LastOffset(), b.LeaderEpoch
	ap.Transactions = ap.Transactions || b.Transactional || b.Control
}

// addEntries adds index entries; those of an append's only batch share one
// piece of memory.
func (ap *Append) addEntries(index IndexEntry, tm TimeEntry, hasTime bool) {
	if ap.Index != nil {
		ap.Index = append(ap.Index, index)
		if hasTime {
			ap.Time = append(ap.Time, tm)
		}
		return
	}
	e := &struct {
		index [1]IndexEntry
		time  [1]TimeEntry
	}{[1]IndexEntry{index}, [1]TimeEntry{tm}}
	ap.Index = e.index[:]
	if hasTime {
		ap.Time = e.time[:]
	}
}

// roll closes the active segment and begins one at Next.
func (l *Log) roll(nowWall int64) *Roll {
	a := l.active()
	last, _ := a.timeEntry()
	r := &Roll{
		Closed: a.Base, LastTime: last, Snapshot: EncodeSnapshot(l.producers.Entries()),
		IndexMax: l.cfg.IndexBytes, Timestamp: nowWall,
	}
	l.segments = append(l.segments, EmptySegment(l.next, nowWall))
	return r
}

// Roll closes the active segment without an append. REQUIRES: it is not empty
// and nothing is Outstanding.
func (l *Log) Roll(nowWall int64) Op {
	invariant.Check(l.undo.Len() == 0 && l.active().Size > 0, "bare roll with %d outstanding", l.undo.Len())
	u := l.undo.Push()
	u.first, u.end, u.segment, u.epochs, u.producer.id = l.next, l.next, *l.active(), l.epochs, -1
	u.rolled = true
	r := l.roll(nowWall)
	return Op{Kind: OpAppend, Append: Append{
		Segment: l.next, FirstOffset: l.next, LastOffset: l.next - 1, LeaderEpoch: l.epochs.Latest().Epoch, Roll: r,
	}}
}

// Void undoes every append from the offset from on, exactly: segments,
// producers, epochs. REQUIRES: from is Next or begins a batch not yet Written.
func (l *Log) Void(from int64) {
	for l.undo.Len() > 0 && l.undo.Back().first >= from {
		u := l.undo.Back()
		if u.rolled {
			l.segments = l.segments[:len(l.segments)-1]
		}
		*l.active() = u.segment
		l.epochs = u.epochs.TruncateStart(l.logStart)
		l.producers.restore(&u.producer)
		l.next = u.first
		l.undo.PopBack()
	}
	invariant.Check(l.next == from, "void from %d left the log at %d", from, l.next)
	l.tail.truncate(from)
}

// Written says that all below upTo is in the files: it cannot be voided any more.
func (l *Log) Written(upTo int64) {
	for l.undo.Len() > 0 && l.undo.Front().end <= upTo {
		l.undo.PopFront()
	}
}

// Durable says the same of the batches below upTo, but not of a bare roll at
// upTo: the sync may have begun before it.
func (l *Log) Durable(upTo int64) {
	for l.undo.Len() > 0 {
		if u := l.undo.Front(); u.end > upTo || u.end == upTo && u.first == u.end {
			return
		}
		l.undo.PopFront()
	}
}

// Outstanding is the number of batches that are not yet Written.
func (l *Log) Outstanding() int { return l.undo.Len() }

// Truncated takes in that the log was cut to the offset to, by an OpTruncate:
// last is the segment that is the last one now, as it is. REQUIRES: nothing is
// Outstanding; to is above the log start, for a log of which nothing stays
// begins anew. Producers keep what they wrote below to as far as it is
// remembered.
func (l *Log) Truncated(to int64, last Segment) {
	invariant.Check(l.undo.Len() == 0 && l.logStart < to && to <= l.next, "truncated to %d of %d to %d with %d outstanding", to, l.logStart, l.next, l.undo.Len())
	i := l.segmentAt(last.Base)
	invariant.Check(l.segments[i].Base == last.Base, "no segment %d that was cut", last.Base)
	l.segments = append(slices.Clone(l.segments[:i]), last)
	l.next = to
	l.epochs = l.epochs.TruncateEnd(to)
	l.producers.Truncate(to)
	l.tail.truncate(to)
}

// RestartAt empties the log, which begins anew at offset, and returns the
// order. REQUIRES: nothing is Outstanding.
func (l *Log) RestartAt(nowWall, offset int64) Op {
	invariant.Check(l.undo.Len() == 0, "restart at %d with %d outstanding", offset, l.undo.Len())
	l.logStart, l.next, l.below = offset, offset, -1
	l.segments = []Segment{EmptySegment(offset, nowWall)}
	l.epochs = EpochCache{}
	l.producers = NewProducerTable(l.cfg.ProducersMax, nil)
	l.tail = tail{}
	return Op{Kind: OpRestartAt, Offset: offset}
}

// SetLogStart raises the log start; false when it was not below offset.
// REQUIRES: offset <= Next.
func (l *Log) SetLogStart(offset int64) bool {
	if offset <= l.logStart {
		return false
	}
	invariant.Check(offset <= l.next, "log start %d above the end %d", offset, l.next)
	l.below = l.epochs.EpochOf(offset - 1)
	l.logStart = offset
	l.epochs = l.epochs.TruncateStart(offset)
	return true
}

// AssignEpoch begins a leader epoch at Next; its first append carries it to disk.
func (l *Log) AssignEpoch(epoch int32) { l.epochs = l.epochs.Assign(epoch, l.next) }

// DropEmptyEpochs forgets leader epochs that begin at Next: who led in them
// wrote nothing, and batches of a lower epoch may yet come there from another.
func (l *Log) DropEmptyEpochs() { l.epochs = l.epochs.TruncateEnd(l.next) }

// EpochBefore is the leader epoch of the batch below offset, that of a deleted
// one below the log start too; -1 for none or unknown.
func (l *Log) EpochBefore(offset int64) int32 {
	if offset == l.logStart {
		return l.below
	}
	return l.epochs.EpochOf(offset - 1)
}

// KnowsEpoch reports whether batches of that leader epoch are in the log, or it
// was assigned.
func (l *Log) KnowsEpoch(epoch int32) bool { return l.epochs.Has(epoch) }

// EpochEnd answers OffsetForLeaderEpoch for a log that ends at end.
func (l *Log) EpochEnd(epoch int32, end int64) (int32, int64) { return l.epochs.EndOffset(epoch, end) }

// EpochOf is the leader epoch of the batch at offset, -1 if unknown.
func (l *Log) EpochOf(offset int64) int32 { return l.epochs.EpochOf(offset) }

// LatestEpoch is the newest leader epoch and its start; -1, -1 for none.
func (l *Log) LatestEpoch() EpochStart { return l.epochs.Latest() }

// Producers is the producer table, for Check, HighWatermark and Expire.
func (l *Log) Producers() *ProducerTable { return l.producers }

// SetConfig replaces the configuration.
func (l *Log) SetConfig(cfg Config) { l.cfg = cfg }

// Config is the configuration.
func (l *Log) Config() Config { return l.cfg }

// Next is the offset that the next append gets.
func (l *Log) Next() int64 { return l.next }

// LogStart is the first offset that may be read.
func (l *Log) LogStart() int64 { return l.logStart }

// Size is the sum of the segments' sizes in bytes.
func (l *Log) Size() int64 {
	var n int64
	for i := range l.segments {
		n += l.segments[i].Size
	}
	return n
}

// Segments are the segments, oldest first; not to be changed or kept.
func (l *Log) Segments() []Segment { return l.segments }

// active is the segment that is appended to.
func (l *Log) active() *Segment { return &l.segments[len(l.segments)-1] }

// segmentAt is the index of the segment that offset lies in: the last one that
// begins at or below it, 0 if there is none.
func (l *Log) segmentAt(offset int64) int {
	return max(0, sort.Search(len(l.segments), func(i int) bool { return l.segments[i].Base > offset })-1)
}

// Clone copies the log; data under way is not part of it.
func (l *Log) Clone() *Log {
	c := *l
	c.segments = slices.Clone(l.segments)
	c.producers = l.producers.Clone()
	c.undo = l.undo.Clone()
	c.tail.entries = l.tail.entries.Clone()
	return &c
}
