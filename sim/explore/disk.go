package explore

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/internal/guard"
	"github.com/moldau/moldau/internal/invariant"
)

// entry is a batch of one record: the leader epoch that it was appended under,
// and its value, which no two appends share.
type entry struct {
	epoch int8
	value uint8
}

// batchLen is the bytes of every batch here; the last one is the value.
const batchLen = batch.HeaderSize + 9

// disk is one replica's log on a disk that forgets. Writes are done at once;
// a sync is a step of its own and covers one batch more.
type disk struct {
	base   int64   // first offset that the log may hold
	log    []entry // what the process reads
	synced int     // of log, covered by a completed sync

	start, startSynced int64 // log start, and the one on disk

	// before is the log as it was before a truncation that is not durable yet:
	// after a crash it may be there again. cutting: the order waits for its answer.
	before  []entry
	cutting bool
	anew    bool // the newest truncation left nothing: the log begins anew

	mark     int64           // S
	dir      uint8           // counts the directory's lives
	recorded seglog.Standing // the verdict that recovery made durable
}

func (k *disk) clone() disk {
	c := *k
	c.log, c.before = slices.Clone(k.log), slices.Clone(k.before)
	return c
}

func (k *disk) end() int64 { return k.base + int64(len(k.log)) }

// durable is D as the disk has it.
func (k *disk) durable() int64 { return k.base + int64(k.synced) }

// at is the batch at offset.
func (k *disk) at(offset int64) (entry, bool) {
	i := offset - k.base
	if i < 0 || i >= int64(len(k.log)) || offset < k.start {
		return entry{}, false
	}
	return k.log[i], true
}

func (k *disk) encode(dst []byte) []byte {
	dst = binary.AppendVarint(dst, k.base)
	dst = appendEntries(dst, k.log)
	dst = append(dst, byte(k.synced))
	dst = binary.AppendVarint(dst, k.start)
	dst = binary.AppendVarint(dst, k.startSynced)
	dst = appendEntries(dst, k.before)
	dst = append(dst, flag(k.cutting), flag(k.cutting && k.anew), k.dir, byte(k.recorded))
	return binary.AppendVarint(dst, k.mark)
}

func appendEntries(dst []byte, list []entry) []byte {
	dst = append(dst, byte(len(list)))
	for _, e := range list {
		dst = append(dst, byte(e.epoch), e.value)
	}
	return dst
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// String is the log as counterexamples show it: a1 b2, a bar behind what is synced.
func (k *disk) String() string {
	s := "["
	if k.base > 0 || k.start > k.base {
		s += fmt.Sprintf("from %d:", k.start)
	}
	for i, e := range k.log {
		if i > 0 && i != k.synced {
			s += " "
		}
		if i == k.synced {
			s += "|"
		}
		s += e.String()
	}
	s += "]"
	if k.before != nil {
		s += fmt.Sprintf(" was %v", k.before)
	}
	return s
}

func (e entry) String() string { return fmt.Sprintf("%c%d", 'a'+e.value-1, e.epoch) }

// carry does what a replica orders, and returns the answers in order.
func (k *disk) carry(w *World, ops []seglog.Op) (done []seglog.Done) {
	for i := range ops {
		switch op := &ops[i]; op.Kind {
		case seglog.OpAppend:
			k.append(op.Append.FirstOffset, op.Append.Data.Bytes)
			done = append(done, seglog.Done{Kind: seglog.Written, UpTo: k.end()})
		case seglog.OpTruncate:
			done = append(done, k.truncate(w, op.Offset)...)
		case seglog.OpRestartAt:
			done = append(done, k.restartAt(w, op.Offset)...)
		case seglog.OpLogStart:
			k.start = max(k.start, op.Offset)
			if !w.SlowLogStart {
				k.startSynced = k.start
				done = append(done, seglog.Done{Kind: seglog.LogStarted, UpTo: k.start})
			}
		case seglog.OpDeleteSegments, seglog.OpSync:
		default:
			invariant.Unreachable("order of kind %d", op.Kind)
		}
	}
	return done
}

func (k *disk) append(at int64, data []byte) {
	invariant.Check(at == k.end() && len(data)%batchLen == 0, "append of %d bytes at %d, the log ends at %d", len(data), at, k.end())
	for ; len(data) > 0; data = data[batchLen:] {
		k.log = append(k.log, entry{int8(binary.BigEndian.Uint32(data[12:])), data[batchLen-1]})
	}
}

// truncate cuts the log. The cut is durable before it is answered (rule F3),
// unless that rule is out: then the old bytes are back after a crash.
func (k *disk) truncate(w *World, to int64) []seglog.Done {
	to = max(to, k.base)
	invariant.Check(to <= k.end(), "truncation to %d, the log ends at %d", to, k.end())
	return k.shorten(w, int(to-k.base), to, true)
}

// restartAt empties the log, which begins anew at offset.
func (k *disk) restartAt(w *World, offset int64) []seglog.Done {
	if offset != k.base { // the old bytes are of other offsets: not told apart here
		k.base, k.log, k.synced, k.before = offset, nil, 0, nil
	}
	k.start, k.startSynced = offset, offset
	return k.shorten(w, 0, offset, false)
}

// shorten leaves the first n batches, up to the offset to.
func (k *disk) shorten(w *World, n int, to int64, last bool) []seglog.Done {
	if k.before == nil && k.synced > n {
		k.before = slices.Clone(k.log[:k.synced])
	}
	k.log, k.synced = k.log[:n], min(k.synced, n)
	if !w.Out.Out(guard.F3Mark) {
		k.mark = min(k.mark, to)
	}
	k.anew = !last
	switch {
	case w.Out.Out(guard.F3Durable):
		return []seglog.Done{k.truncated()}
	case w.SlowCut:
		k.cutting = true
		return nil
	}
	return []seglog.Done{k.cut()}
}

// truncated is the answer to a truncation.
func (k *disk) truncated() seglog.Done {
	d := seglog.Done{Kind: seglog.Truncated, UpTo: k.end()}
	if !k.anew {
		last := k.segment()
		d.Last = &last
	}
	return d
}

// cut makes a truncation durable.
func (k *disk) cut() seglog.Done {
	k.before, k.cutting = nil, false
	return k.truncated()
}

// sync covers one batch more.
func (k *disk) sync(w *World) seglog.Done {
	k.synced++
	if k.before != nil && k.synced >= len(k.before) { // what is synced now replaces it
		k.before = nil
	}
	if w.Marks {
		k.mark = k.durable()
	}
	return seglog.Done{Kind: seglog.Durable, UpTo: k.durable()}
}

// segment is the log's one segment.
func (k *disk) segment() seglog.Segment {
	s := seglog.EmptySegment(k.base, 0)
	s.Size = int64(len(k.log)) * batchLen
	s.SinceIndex = s.Size
	return s
}

// state is what recovery finds in the disk, and hands to the replica.
func (k *disk) state(e seglog.Evidence, highWatermark int64) seglog.State {
	e.End, e.LastEpoch, e.Recorded, e.SyncedThrough = k.end(), -1, k.recorded, k.mark
	st := seglog.State{LogStart: k.start, End: k.end(), Segments: []seglog.Segment{k.segment()}, HighWatermark: min(highWatermark, k.end())}
	for i, b := range k.log {
		if i == 0 || b.epoch != k.log[i-1].epoch {
			st.Epochs = append(st.Epochs, seglog.EpochStart{Epoch: int32(b.epoch), Offset: k.base + int64(i)})
		}
		e.LastEpoch = int32(b.epoch)
	}
	st.Evidence = e
	return st
}

// batchAt is the bytes of the batch at offset, and what a log knows of it.
func (e entry) batchAt(offset int64) (seglog.Batch, buffer.Slice) {
	data := make([]byte, batchLen)
	batch.SetBaseOffset(data, offset)
	batch.SetLeaderEpoch(data, int32(e.epoch))
	data[batchLen-1] = e.value
	return seglog.Batch{
		BaseOffset: offset, LeaderEpoch: int32(e.epoch), Size: batchLen, MaxTimestamp: -1, ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1,
	}, buffer.Own(data)
}

// classify is the verdict of recovery.
func (w *World) classify(e seglog.Evidence) seglog.Standing {
	if w.Out.Out(guard.S5Doubtful) {
		e.Cut = false
	}
	if w.Out.Out(guard.S5Recorded) {
		e.Recorded = seglog.Intact
	}
	if w.Out.Out(guard.S5Unclean) {
		e.Clean = true
	}
	return seglog.Classify(w.Durability, e)
}
