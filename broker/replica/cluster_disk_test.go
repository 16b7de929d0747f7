package replica

import (
	"encoding/binary"
	"slices"

	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/broker/seglog"
)

// memBytes is the size of a batch, of one record, in the cluster's logs.
const memBytes = 100

// entry is one batch: its leader epoch and what it holds.
type entry struct {
	epoch int32
	value uint64
}

// memDisk is one replica's log on a disk: it carries orders out one at a time,
// and syncs when it is told to. A power loss takes any part of what no sync covered.
type memDisk struct {
	t        tester
	base     int64 // of the first entry
	entries  []entry
	synced   int64 // one past the last offset that a sync covered
	syncing  int64 // what a sync under way will cover, -1 for none
	mark     int64 // S
	start    int64 // the durable log start
	hint     int64 // the checkpointed high watermark
	queue    []seglog.Op
	refusing bool
	answers  []seglog.Done
	seen     func(offset int64, e entry, before int32)
}

func newMemDisk(t tester, seen func(int64, entry, int32)) *memDisk {
	return &memDisk{t: t, syncing: -1, seen: seen}
}

func (d *memDisk) end() int64 { return d.base + int64(len(d.entries)) }

// at is the entry at offset.
func (d *memDisk) at(offset int64) (entry, bool) {
	if offset < d.base || offset >= d.end() {
		return entry{}, false
	}
	return d.entries[offset-d.base], true
}

func (d *memDisk) answer(kind seglog.DoneKind, upTo int64) {
	d.answers = append(d.answers, seglog.Done{Kind: kind, UpTo: upTo})
}

// step carries out the next order.
func (d *memDisk) step() {
	op := d.queue[0]
	d.queue = d.queue[1:]
	if d.refusing && op.Kind != seglog.OpResume {
		return
	}
	switch op.Kind {
	case seglog.OpAppend:
		if op.Append.FirstOffset != d.end() || op.Append.Position != int64(len(d.entries))*memBytes {
			d.t.Fatalf("append at %d, byte %d; the end is %d", op.Append.FirstOffset, op.Append.Position, d.end())
		}
		for b := op.Append.Data.Bytes; len(b) > 0; b = b[memBytes:] {
			e := entry{epoch: int32(binary.BigEndian.Uint32(b[12:])), value: binary.BigEndian.Uint64(b[memBytes-8:])}
			if offset := int64(binary.BigEndian.Uint64(b)); offset != d.end() {
				d.t.Fatalf("batch of offset %d at %d", offset, d.end())
			}
			before := NoEpoch
			if len(d.entries) > 0 {
				before = d.entries[len(d.entries)-1].epoch
			}
			d.seen(d.end(), e, before)
			d.entries = append(d.entries, e)
		}
		d.answer(seglog.Written, d.end())
	case seglog.OpTruncate:
		if op.Offset < d.base || op.Offset > d.end() {
			d.t.Fatalf("truncation to %d of %d to %d", op.Offset, d.base, d.end())
		}
		d.entries = slices.Clone(d.entries[:op.Offset-d.base])
		d.synced, d.mark, d.syncing = min(d.synced, op.Offset), min(d.mark, op.Offset), min(d.syncing, op.Offset)
		last := d.segment()
		d.answers = append(d.answers, seglog.Done{Kind: seglog.Truncated, UpTo: op.Offset, Last: &last})
	case seglog.OpRestartAt:
		d.base, d.entries, d.synced, d.mark, d.start = op.Offset, nil, op.Offset, 0, op.Offset
		d.syncing = min(d.syncing, op.Offset)
		d.answer(seglog.Truncated, op.Offset)
	case seglog.OpLogStart:
		d.start = max(d.start, op.Offset)
		d.answer(seglog.LogStarted, op.Offset)
	case seglog.OpResume:
		d.refusing = false
	}
}

// fail refuses the append at the front of the queue.
func (d *memDisk) fail() {
	d.queue, d.refusing = d.queue[1:], true
	d.answers = append(d.answers, seglog.Done{Kind: seglog.Failed, UpTo: d.end(), Class: seglog.ClassNoSpace})
}

// sync begins a sync, or ends the one under way.
func (d *memDisk) sync() {
	if d.syncing < 0 {
		d.syncing = d.end()
		return
	}
	if d.syncing > d.synced {
		d.mark, d.synced = max(d.mark, d.synced), d.syncing // S is one turn behind
		d.answer(seglog.Durable, d.synced)
	}
	d.syncing = -1
}

func (d *memDisk) segment() seglog.Segment {
	s := seglog.EmptySegment(d.base, 0)
	if s.Size = int64(len(d.entries)) * memBytes; s.Size > 0 {
		s.FirstTimestamp, s.MaxTimestamp, s.MaxTimestampOffset = 0, 0, d.base
	}
	return s
}

// powerLoss keeps so many of the entries that no sync covered.
func (d *memDisk) powerLoss(keep, hint int64) {
	end := min(max(d.synced, d.base)+keep, d.end())
	d.entries = slices.Clone(d.entries[:end-d.base])
	d.queue, d.answers, d.refusing, d.syncing = nil, nil, false, -1
	d.hint = hint
	d.synced = d.end() // recovery syncs what it kept
}

// state is what recovery hands over.
func (d *memDisk) state(cut, hole bool) seglog.State {
	st := seglog.State{
		LogStart: max(d.start, d.base), End: d.end(), Segments: []seglog.Segment{d.segment()}, HighWatermark: min(d.hint, d.end()),
		Evidence: seglog.Evidence{SyncedThrough: d.mark, Cut: cut, Hole: hole, LastEpoch: NoEpoch, End: d.end()},
	}
	for i, e := range d.entries {
		if i == 0 || e.epoch != d.entries[i-1].epoch {
			st.Epochs = append(st.Epochs, seglog.EpochStart{Epoch: e.epoch, Offset: d.base + int64(i)})
		}
		st.Evidence.LastEpoch = e.epoch
	}
	if st.LogStart > st.End { // the entries below it were never synced
		d.base, d.entries, d.synced = st.LogStart, nil, st.LogStart
		return d.state(cut, hole)
	}
	return st
}

// read is the answer to a fetch: at most n batches.
func (d *memDisk) read(p seglog.ReadPlan, n int) (list []seglog.Batch, data buffer.Slice) {
	var bytes []byte
	for offset := p.From; offset < p.UpTo && len(list) < n; offset++ {
		e, ok := d.at(offset)
		if !ok {
			break // cut meanwhile
		}
		b := make([]byte, memBytes)
		binary.BigEndian.PutUint64(b, uint64(offset))
		binary.BigEndian.PutUint32(b[12:], uint32(e.epoch))
		binary.BigEndian.PutUint64(b[memBytes-8:], e.value)
		bytes = append(bytes, b...)
		list = append(list, seglog.Batch{BaseOffset: offset, LeaderEpoch: e.epoch, Size: memBytes, ProducerID: -1, BaseSequence: -1})
	}
	return list, buffer.Own(bytes)
}
