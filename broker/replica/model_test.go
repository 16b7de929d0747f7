package replica

import (
	"encoding/binary"
	"testing"

	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/clock"
	"pgregory.net/rapid"
)

// disk is a naive disk worker: it carries orders out one at a time and checks
// that each fits what went before.
type disk struct {
	t        *rapid.T
	queue    []seglog.Op
	segments []diskSegment
	written  int64
	durable  int64
	start    int64
	refusing bool
	answers  []seglog.Done
}

type diskSegment struct {
	base    int64
	size    int64
	records []uint64 // payload of the batch at each offset
	sizes   []int64  // the segment's size after each offset
}

func (k *disk) last() *diskSegment { return &k.segments[len(k.segments)-1] }

func (k *disk) step() {
	op := k.queue[0]
	k.queue = k.queue[1:]
	if k.refusing && op.Kind != seglog.OpResume {
		return
	}
	switch op.Kind {
	case seglog.OpAppend:
		k.append(&op.Append)
	case seglog.OpLogStart:
		if op.Offset > k.written {
			k.t.Fatalf("log start %d above the end %d", op.Offset, k.written)
		}
		k.start = max(k.start, op.Offset)
		k.answers = append(k.answers, seglog.Done{Kind: seglog.LogStarted, UpTo: op.Offset})
	case seglog.OpDeleteSegments:
		for _, base := range op.Bases {
			if k.segments[0].base == base && len(k.segments) > 1 {
				if k.segments[1].base > k.start {
					k.t.Fatalf("segment %d is deleted below the log start %d", base, k.start)
				}
				k.segments = k.segments[1:]
			}
		}
	case seglog.OpResume:
		if op.Offset != k.written || !k.refusing {
			k.t.Fatalf("resume at %d, the end is %d, refusing %t", op.Offset, k.written, k.refusing)
		}
		k.refusing = false
	default:
		k.t.Fatalf("order of kind %d", op.Kind)
	}
}

func (k *disk) append(a *seglog.Append) {
	if a.Roll != nil {
		if a.Roll.Closed != k.last().base || a.Segment != k.written {
			k.t.Fatalf("roll of %d to %d at the end %d of segment %d", a.Roll.Closed, a.Segment, k.written, k.last().base)
		}
		k.segments = append(k.segments, diskSegment{base: a.Segment})
	}
	s := k.last()
	if a.FirstOffset != k.written || a.Segment != s.base || a.Position != s.size {
		k.t.Fatalf("append of %d at segment %d byte %d; the end is %d, segment %d byte %d", a.FirstOffset, a.Segment, a.Position, k.written, s.base, s.size)
	}
	data := a.Data.Bytes
	if a.LastOffset >= a.FirstOffset && int64(binary.BigEndian.Uint64(data)) != a.FirstOffset {
		k.t.Fatalf("batch at %d says %d", a.FirstOffset, binary.BigEndian.Uint64(data))
	}
	s.size += int64(len(data))
	for ; k.written <= a.LastOffset; k.written++ {
		s.records = append(s.records, binary.BigEndian.Uint64(data[len(data)-8:]))
		s.sizes = append(s.sizes, s.size)
	}
	k.answers = append(k.answers, seglog.Done{Kind: seglog.Written, UpTo: k.written})
}

// fail refuses the order at the front of the queue, which is an append.
func (k *disk) fail() {
	a := &k.queue[0].Append
	k.queue, k.refusing = k.queue[1:], true
	k.answers = append(k.answers, seglog.Done{Kind: seglog.Failed, UpTo: a.FirstOffset, Class: seglog.ClassNoSpace})
}

func (k *disk) sync() {
	if k.written > k.durable {
		k.durable = k.written
		k.answers = append(k.answers, seglog.Done{Kind: seglog.Durable, UpTo: k.durable})
	}
}

// at is the payload at offset, if it is there.
func (k *disk) at(offset int64) (uint64, bool) {
	for i := range k.segments {
		s := &k.segments[i]
		if n := offset - s.base; n >= 0 && n < int64(len(s.records)) {
			return s.records[n], true
		}
	}
	return 0, false
}

// request is what a client knows of its produce.
type request struct {
	payload uint64 // of the batch, or of the one that it repeats
	n       int64
	acks    int8
	batch   seglog.Batch
	done    bool
}

// Under any order of requests, answers of the disk, full disks and ticks:
// orders fit the disk's state; the high watermark only rises and stays at or
// below what is durable; an ack comes once, at its time, for bytes that are
// there and stay; a duplicate gets the offsets of the first; when all is
// quiet nobody waits.
func TestMachineAgainstADisk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := testConfig()
		cfg.Log.SegmentBytes, cfg.Log.IndexIntervalBytes = 500, 200
		if rapid.Bool().Draw(t, "os") {
			cfg.Durability = kafka.DurabilityOS
		}
		switch rapid.IntRange(0, 2).Draw(t, "retention") {
		case 0:
			cfg.Log.RetentionBytes = 700
		case 1:
			cfg.Log.RetentionMs = 1000
		}
		w := &world{
			t: t, r: New(cfg, seglog.State{Segments: []seglog.Segment{seglog.EmptySegment(0, 0)}, Evidence: seglog.Evidence{Clean: true}}),
			disk: &disk{t: t, segments: []diskSegment{{}}}, requests: map[uint64]*request{}, acked: map[int64]uint64{},
		}
		w.r.Apply(w.now, Role{Leader: 1, LeaderEpoch: 1, PartitionEpoch: 1, ISR: []int32{1}, MinISR: 1}, &w.ready)
		for range rapid.IntRange(1, 150).Draw(t, "steps") {
			w.step(rapid.IntRange(0, 15).Draw(t, "op"))
		}
		w.settle()
	})
}

type world struct {
	t        *rapid.T
	r        *Replica
	disk     *disk
	ready    Ready
	now      Times
	token    uint64
	requests map[uint64]*request
	sent     []*request // with a producer id, for repetitions
	sequence int32
	acked    map[int64]uint64 // payload at each acked offset
	hw       int64
}

func (w *world) step(op int) {
	k := w.disk
	switch {
	case op <= 5:
		w.produce(op)
	case op <= 8 && len(k.queue) > 0:
		k.step()
	case op == 9:
		k.sync()
	case op == 10 && len(k.queue) > 0 && k.queue[0].Kind == seglog.OpAppend && !k.refusing:
		if rapid.IntRange(0, 2).Draw(w.t, "full") == 0 {
			k.fail()
		}
	case op <= 12 && len(k.answers) > 0:
		d := k.answers[0]
		k.answers = k.answers[1:]
		w.r.Done(w.now, d, &w.ready)
	case op == 13:
		w.tick(rapid.SampledFrom([]int64{1, 500, 1000, 299_999, 300_000}).Draw(w.t, "ms"))
	case op == 14:
		w.token++
		w.requests[w.token] = &request{acks: 9}
		w.r.DeleteRecords(rapid.Int64Range(0, w.r.HighWatermark()).Draw(w.t, "delete"), w.token, &w.ready)
	case op == 15:
		w.r = w.r.Clone()
	}
	w.take()
}

func (w *world) tick(ms int64) {
	w.now.Wall += ms
	w.now.Mono += clock.Mono(ms * 1e6)
	w.r.Tick(w.now, &w.ready)
}

// produce sends a batch: without a producer id, in sequence, or one of the
// last five of the sequence again.
func (w *world) produce(op int) {
	w.token++
	q := &request{payload: w.token, acks: rapid.SampledFrom([]int8{0, 1, -1}).Draw(w.t, "acks"), n: rapid.Int64Range(1, 3).Draw(w.t, "n")}
	q.batch = seglog.Batch{LastOffsetDelta: int32(q.n - 1), ProducerID: -1, BaseSequence: -1, MaxTimestamp: w.now.Wall}
	switch {
	case op >= 4 && len(w.sent) > 0:
		old := w.sent[max(0, len(w.sent)-rapid.IntRange(1, 5).Draw(w.t, "again"))]
		q.payload, q.n, q.batch = old.payload, old.n, old.batch
	case op >= 2:
		q.batch.ProducerID, q.batch.BaseSequence = 7, w.sequence
		w.sequence += int32(q.n)
		w.sent = append(w.sent, q)
	}
	w.requests[w.token] = q
	data := make([]byte, 80+rapid.IntRange(0, 100).Draw(w.t, "size"))
	binary.BigEndian.PutUint64(data[len(data)-8:], q.payload)
	w.r.Produce(w.now, Produce{Batch: q.batch, Data: buffer.Own(data), Acks: q.acks, Token: w.token, LeaderEpoch: NoEpoch}, &w.ready)
}

// take carries out what is ready and checks the acks.
func (w *world) take() {
	w.disk.queue = append(w.disk.queue, w.ready.Ops...)
	st := w.r.Status()
	if st.HighWatermark < w.hw || st.HighWatermark > st.Durable || st.Durable > st.LEO || st.LEO > st.Next || st.LEO > w.disk.written {
		w.t.Fatalf("%+v after high watermark %d", st, w.hw)
	}
	w.hw = st.HighWatermark
	for _, a := range w.ready.Acks {
		w.ack(a)
	}
	w.ready.Reset()
	for offset, payload := range w.acked {
		if got, ok := w.disk.at(offset); got != payload && (ok || offset >= w.disk.start) {
			w.t.Fatalf("offset %d was acked with %d and holds %d", offset, payload, got)
		}
	}
}

func (w *world) ack(a Ack) {
	q := w.requests[a.Token]
	if q == nil || q.done {
		w.t.Fatalf("ack %+v: unknown or answered before", a)
	}
	q.done = true
	if q.acks == 9 || a.Code != kafka.ErrNone {
		if a.Code == kafka.ErrNone && a.LogStart > w.disk.start {
			w.t.Fatalf("log start %d is acked, on disk is %d", a.LogStart, w.disk.start)
		}
		return
	}
	durable := w.disk.durable
	if w.r.cfg.Durability == kafka.DurabilityOS {
		durable = w.disk.written
	}
	if q.acks == 0 || a.LastOffset-a.BaseOffset+1 != q.n || a.LastOffset >= durable || q.acks == -1 && a.LastOffset >= w.hw {
		w.t.Fatalf("ack %+v of %+v; durable %d, high watermark %d", a, q, durable, w.hw)
	}
	for offset := a.BaseOffset; offset <= a.LastOffset; offset++ {
		w.acked[offset] = q.payload
	}
}

// settle lets the disk work until nothing is left to do.
func (w *world) settle() {
	k := w.disk
	for range 10_000 {
		switch {
		case len(k.queue) > 0:
			k.step()
		case len(k.answers) > 0:
			d := k.answers[0]
			k.answers = k.answers[1:]
			w.r.Done(w.now, d, &w.ready)
		case k.written > k.durable:
			k.sync()
		case w.r.Status().Full:
			w.tick(1000)
		default:
			st := w.r.Status()
			if st.Waiting > 0 || st.HighWatermark != st.Next || st.Next != k.written || w.r.log.Outstanding() > 0 {
				w.t.Fatalf("all is quiet: %+v, the disk ends at %d", st, k.written)
			}
			for i, segment := range w.r.log.Segments() {
				if len(k.segments) != st.Segments || k.segments[i].base != segment.Base || k.segments[i].size != segment.Size {
					w.t.Fatalf("the log has the segments %+v, the disk %+v", w.r.log.Segments(), k.segments)
				}
			}
			for token, q := range w.requests {
				if !q.done && q.acks != 0 {
					w.t.Fatalf("request %d %+v was never answered", token, q)
				}
			}
			return
		}
		w.take()
	}
	w.t.Fatal("it does not come to rest")
}

// What happens to a clone does not reach what it was made of.
func TestCloneIsApart(t *testing.T) {
	r := New(testConfig(), seglog.State{Segments: []seglog.Segment{seglog.EmptySegment(0, 0)}})
	var ready Ready
	r.Apply(Times{}, Role{Leader: 1, LeaderEpoch: 1, ISR: []int32{1}, MinISR: 1}, &ready)
	send := func(r *Replica, sequence int32) {
		r.Produce(Times{}, Produce{
			Batch: seglog.Batch{ProducerID: 7, BaseSequence: sequence}, Data: buffer.Own(make([]byte, 100)), Acks: AcksAll, LeaderEpoch: NoEpoch,
		}, &ready)
	}
	send(r, 0)
	before, clone := r.Status(), r.Clone()
	if clone.Status() != before {
		t.Fatalf("clone %+v of %+v", clone.Status(), before)
	}
	send(clone, 1)
	clone.DeleteRecords(0, 9, &ready)
	clone.Done(Times{}, seglog.Done{Kind: seglog.Durable, UpTo: 2}, &ready)
	clone.Apply(Times{}, Role{Leader: 2, LeaderEpoch: 2, PartitionEpoch: 2}, &ready)
	if r.Status() != before {
		t.Fatalf("%+v, was %+v", r.Status(), before)
	}
	ready.Reset()
	send(r, 1)
	if len(ready.Ops) != 1 || ready.Ops[0].Append.FirstOffset != 1 || ready.Ops[0].Append.Position != 100 {
		t.Fatalf("%+v", ready.Ops)
	}
}
