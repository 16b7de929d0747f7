package logdir

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/clock/manual"
	"github.com/moldau/moldau/disk/vfs"
)

// world drives one directory as a shard would, with one log a partition, and
// remembers what was promised.
type world struct {
	t    testing.TB
	fs   vfs.FS
	clk  *manual.Clock
	cfg  Config
	d    *Dir
	logs []*testLog

	mu      sync.Mutex
	cond    sync.Cond
	events  recorder
	frozen  bool // the process is dead
	onBatch func(l *testLog, offset int64, data []byte)
}

// testLog is one partition with the machine's half of it, and its history.
type testLog struct {
	w     *world
	key   uint64
	topic string
	id    kafka.TopicPartition
	opt   Options
	p     *Partition
	log   *seglog.Log
	epoch int32

	// Under w.mu: what the worker answered.
	written, durable int64
	truncated        int         // answers
	last             seglog.Done // the last of them
	startDone        int64
	failed           *seglog.Done
	history          []batchAt // of the log as ordered, ascending
	ordered          int64     // end of the log as ordered
	busy             int       // other orders under way
	limit            int64     // while a cut is under way: D is not above it; else -1
	since            int64     // end after the last cut, which producers may be forgotten for
	deleted          bool
}

// batchAt is a batch of the history.
type batchAt struct {
	first, last int64
	data        []byte
}

type recorder struct {
	mu   sync.Mutex
	list []event.Event
}

func (r *recorder) Emit(e event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, e)
}

const testRoot = "/data"

func newWorld(t testing.TB, fsys vfs.FS, change func(*Config)) *world {
	w := &world{t: t, fs: fsys, clk: manual.New()}
	w.cond.L = &w.mu
	w.cfg = Config{
		FS: fsys, Clock: w.clk, Path: testRoot, Events: &w.events,
		JournalBytes: 2 * journalBlockBytesMin, JournalBlockBytes: journalBlockBytesMin,
		DirectFilesMax: 1, SyncLanes: 4, RecoveryLanes: 2, lazyJournal: true,
	}
	if change != nil {
		change(&w.cfg)
	}
	return w
}

func (w *world) open() {
	w.t.Helper()
	if err := w.fs.MkdirAll(testRoot); err != nil {
		w.t.Fatal(err)
	}
	d, err := Open(w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.d = d
}

// testLogConfig makes small segments.
func testLogConfig() seglog.Config {
	c := seglog.DefaultConfig()
	c.SegmentBytes, c.IndexIntervalBytes, c.IndexBytes = 2000, 300, 1<<10
	return c
}

func topicID(i int) kafka.UUID { return kafka.UUID{0: 0x77, 15: byte(i + 1)} }

// create makes n partitions of one topic each.
func (w *world) create(n int, o Options) {
	w.t.Helper()
	specs := make([]Spec, n)
	for i := range specs {
		k := len(w.logs) + i
		specs[i] = Spec{Topic: fmt.Sprintf("t%d", k), ID: kafka.TopicPartition{Topic: topicID(k)}, Options: o}
	}
	parts, err := w.d.Create(specs)
	if err != nil {
		w.t.Fatal(err)
	}
	for i, p := range parts {
		l := &testLog{w: w, key: uint64(len(w.logs)), topic: specs[i].Topic, id: specs[i].ID, opt: o, p: p, limit: -1}
		l.log = seglog.NewLog(testLogConfig(), EmptyState(w.clk.Wall()))
		w.mu.Lock()
		w.logs = append(w.logs, l)
		w.mu.Unlock()
		p.Bind(w, l.key)
	}
}

// DiskDone is Sink's.
func (w *world) DiskDone(list []Completion) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.frozen {
		return
	}
	for _, c := range list {
		l := w.logs[c.Key]
		switch d := c.Done; d.Kind {
		case seglog.Written:
			if d.UpTo < l.written {
				w.t.Errorf("%s: written %d after %d", l.topic, d.UpTo, l.written)
			}
			l.written = d.UpTo
		case seglog.Durable:
			if d.UpTo > l.written {
				w.t.Errorf("%s: durable %d above written %d", l.topic, d.UpTo, l.written)
			}
			if l.limit >= 0 {
				d.UpTo = min(d.UpTo, l.limit)
			}
			l.durable = max(l.durable, d.UpTo)
		case seglog.Truncated:
			l.truncated++
			l.last = d
		case seglog.LogStarted:
			l.startDone = d.UpTo
		case seglog.Failed:
			l.failed = &d
		}
	}
	w.cond.Broadcast()
}

// await waits until what holds, told under the lock.
func (w *world) await(what func() bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for !what() {
		w.cond.Wait()
	}
}

// encode makes a batch of n records that only offset and partition decide.
func (l *testLog) encode(n, size int) []byte {
	var b batch.Builder
	next := l.log.Next()
	b.Reset(batch.BuilderOptions{Producer: &batch.Producer{ID: producerAt(next), BaseSequence: int32(next)}})
	for i := range n {
		value := make([]byte, max(size, 16))
		binary.BigEndian.PutUint64(value, uint64(next)+uint64(i))
		binary.BigEndian.PutUint64(value[8:], l.key)
		for k := 16; k < len(value); k++ {
			value[k] = byte(next) + byte(k)
		}
		if err := b.Append(batch.NewRecord{Timestamp: l.w.clk.Wall() + next, Value: value}); err != nil {
			l.w.t.Fatal(err)
		}
	}
	out, err := b.Build(batch.NewCodecs(batch.Limits{}))
	if err != nil {
		l.w.t.Fatal(err)
	}
	return bytes.Clone(out)
}

// producerAt is who writes the batch at an offset: many that write a few batches each.
func producerAt(offset int64) int64 { return 100 + offset/8 }

// appendOrder orders one batch.
func (l *testLog) appendOrder(n, size int) Order {
	data := l.encode(n, size)
	h, err := batch.ParseHeader(data)
	if err != nil {
		l.w.t.Fatal(err)
	}
	op := l.log.Append(l.w.clk.Wall(), seglog.BatchOf(&h), l.epoch, buffer.Own(data))
	if l.w.onBatch != nil {
		l.w.onBatch(l, op.Append.FirstOffset, bytes.Clone(data))
	}
	l.w.mu.Lock()
	l.history = append(l.history, batchAt{op.Append.FirstOffset, op.Append.LastOffset, bytes.Clone(data)})
	l.ordered = op.Append.LastOffset + 1
	l.w.mu.Unlock()
	return Order{P: l.p, Op: op}
}

// append appends and waits until it is written.
func (l *testLog) append(n, size int) {
	l.w.d.Submit([]Order{l.appendOrder(n, size)})
	l.awaitWritten()
}

func (l *testLog) awaitWritten() {
	next := l.log.Next()
	l.w.await(func() bool { return l.written >= next || l.failed != nil })
	l.log.Written(l.written)
}

func (l *testLog) awaitDurable() {
	next := l.log.Next()
	l.w.await(func() bool { return l.durable >= next || l.failed != nil })
}

// truncate cuts the log at a batch boundary. A log of which nothing stays begins anew.
func (l *testLog) truncate(to int64) {
	if start := l.log.LogStart(); to <= start {
		l.restartAt(start)
		return
	}
	if l.cut(seglog.Op{Kind: seglog.OpTruncate, Offset: to}, to) {
		l.log.Truncated(l.last.UpTo, *l.last.Last)
	}
}

// restartAt begins the log anew.
func (l *testLog) restartAt(offset int64) { l.cut(l.log.RestartAt(l.w.clk.Wall(), offset), 0) }

// cut carries out a truncation to end, and reports whether it was done.
func (l *testLog) cut(op seglog.Op, end int64) bool {
	w := l.w
	w.mu.Lock()
	n := l.truncated
	l.busy++
	l.since = op.Offset
	// From here on nothing above the cut is promised.
	l.limit, l.durable = end, min(l.durable, end)
	for len(l.history) > 0 && l.history[len(l.history)-1].last >= end {
		l.history = l.history[:len(l.history)-1]
	}
	l.startDone = min(l.startDone, end)
	w.mu.Unlock()
	w.d.Submit([]Order{{P: l.p, Op: op}})
	w.await(func() bool { return l.truncated > n || l.failed != nil })
	w.mu.Lock()
	defer w.mu.Unlock()
	l.written, l.durable, l.ordered, l.limit = op.Offset, op.Offset, op.Offset, -1
	l.busy--
	l.epoch++
	return l.failed == nil
}

// moveStart moves the log start and deletes what lies below it.
func (l *testLog) moveStart(rng *rand.Rand) {
	w := l.w
	if len(l.history) == 0 {
		return
	}
	to := l.history[rng.IntN(len(l.history))].first
	if !l.log.SetLogStart(to) {
		return
	}
	w.mu.Lock()
	l.busy++
	w.mu.Unlock()
	orders := []Order{{P: l.p, Op: seglog.Op{Kind: seglog.OpLogStart, Offset: to}}}
	if x := l.log.Expired(w.clk.Wall(), l.log.Next()); len(x.Bases) > 0 {
		orders = append(orders, Order{P: l.p, Op: l.log.Delete(x.Bases)})
	}
	w.d.Submit(orders)
	w.await(func() bool { return l.startDone >= to || l.failed != nil })
	w.mu.Lock()
	l.busy--
	w.mu.Unlock()
}

// deleteAndMaybeAgain deletes the partition, and at times creates it anew
// under the same id, as a reassignment that comes back does.
func (l *testLog) deleteAndMaybeAgain(rng *rand.Rand) {
	w := l.w
	w.mu.Lock()
	l.deleted = true
	w.mu.Unlock()
	if err := w.d.Delete(l.p); err != nil {
		w.t.Fatal(err)
	}
	if rng.IntN(2) == 0 {
		return
	}
	parts, err := w.d.Create([]Spec{{Topic: l.topic, ID: l.id, Options: l.opt}})
	if err != nil {
		w.t.Fatal(err)
	}
	n := &testLog{w: w, key: uint64(len(w.logs)), topic: l.topic, id: l.id, opt: l.opt, p: parts[0], limit: -1, epoch: l.epoch + 1}
	n.log = seglog.NewLog(testLogConfig(), EmptyState(w.clk.Wall()))
	w.mu.Lock()
	w.logs = append(w.logs, n)
	w.mu.Unlock()
	n.p.Bind(w, n.key)
}

// adopt goes on with what recovery found.
func (l *testLog) adopt(d *Dir) {
	w := l.w
	p, st, err := d.Adopt(l.id, l.opt)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	l.p, l.log, l.failed = p, seglog.NewLog(testLogConfig(), st), nil
	for len(l.history) > 0 && l.history[len(l.history)-1].last >= st.End {
		l.history = l.history[:len(l.history)-1]
	}
	l.written, l.durable, l.ordered = st.End, st.End, st.End
	p.Bind(w, l.key)
	l.epoch++
}

// settle waits until all that was ordered is durable.
func (w *world) settle() {
	w.settleWritten()
	for _, l := range w.logs {
		if !l.deleted {
			l.awaitDurable()
		}
	}
}

func (w *world) settleWritten() {
	for _, l := range w.logs {
		if !l.deleted {
			l.awaitWritten()
		}
	}
}

// drain waits until the background lane has done what was due.
func (w *world) drain() {
	if err := w.d.background.call(func() error { return nil }); err != nil {
		w.t.Fatal(err)
	}
}

// checkpoint has the background lane write the marks.
func (w *world) checkpoint(recycle bool) {
	if err := w.d.background.call(func() error { return w.d.background.checkpoint(recycle, true) }); err != nil {
		w.t.Fatal(err)
	}
}

// verify reads the whole log through Read and compares it.
func (l *testLog) verify(p *Partition, from, upTo int64, history []batchAt) error {
	return verifyLog(p, from, upTo, history)
}

func verifyLog(p *Partition, from, upTo int64, history []batchAt) error {
	for _, b := range history {
		if b.last < from || b.last >= upTo {
			continue
		}
		e, err := p.Read(seglog.ReadPlan{From: b.first, UpTo: upTo, MaxBytes: 1, AtLeastOne: true, Start: seglog.Unknown(), End: seglog.Unknown()})
		if err != nil {
			return fmt.Errorf("batch at %d: %w", b.first, err)
		}
		if e == nil {
			return fmt.Errorf("batch at %d is not there", b.first)
		}
		got := make([]byte, e.Len)
		_, err = e.File.ReadAt(got, e.Off)
		e.Release()
		if err != nil {
			return fmt.Errorf("batch at %d: %w", b.first, err)
		}
		if !bytes.Equal(got, b.data) {
			return fmt.Errorf("batch at %d: %d bytes differ from the %d written", b.first, len(got), len(b.data))
		}
	}
	return nil
}

// freeze ends or begins that answers count.
func (w *world) freeze(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frozen = on
}
