package explore

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/broker/seglog/logdir"
	"github.com/moldau/moldau/clock/manual"
	"github.com/moldau/moldau/disk/memfs"
)

// The small world of one disk: every sequence of a few orders, carried out by
// the real worker; a power loss before each call that changes a file; the real
// recovery of what that leaves, and a power loss before each of its calls; and
// the recovery of what that leaves.

// recoveryOrders are what a sequence is made of.
const recoveryOrders = "adtr" // append; append and wait until durable; truncate by one batch; begin anew above the end

// deadDisk is what a power loss leaves, and what had been promised.
type deadDisk struct {
	fs      *memfs.FS
	durable int64
	start   int64    // where the log may begin
	log     [][]byte // by offset, nil below the start
	cutting bool     // a truncation was under way: what it cuts may be there or not
}

// recoveryRun is one sequence under way.
type recoveryRun struct {
	t     *testing.T
	fs    *memfs.FS
	clk   *manual.Clock
	rng   *rand.Rand
	d     *logdir.Dir
	p     *logdir.Partition
	log   *seglog.Log
	value byte

	mu     sync.Mutex
	cond   sync.Cond
	told   map[seglog.DoneKind]int64
	cuts   int
	last   *seglog.Segment
	now    deadDisk // but for the file system
	points []deadDisk
}

const recoveryRoot = "/data"

type noEvents struct{}

func (noEvents) Emit(event.Event) {}

func recoveryConfig(fs *memfs.FS, clk *manual.Clock, direct int) logdir.Config {
	return logdir.Config{
		FS: fs, Clock: clk, Entropy: zero{}, Path: recoveryRoot, Events: noEvents{}, JournalBytes: 128 << 10, JournalBlockBytes: 64 << 10,
		DirectFilesMax: direct, SyncLanes: 1, RecoveryLanes: 1,
	}
}

func (r *recoveryRun) DiskDone(list []logdir.Completion) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range list {
		switch c.Done.Kind {
		case seglog.Truncated:
			r.cuts++
			r.last = c.Done.Last
		case seglog.Durable:
			if !r.now.cutting { // else it may be of what is cut
				r.now.durable = max(r.now.durable, c.Done.UpTo)
			}
		case seglog.Failed:
			r.t.Errorf("%v", c.Done.Err)
		}
		r.told[c.Done.Kind] = c.Done.UpTo
	}
	r.cond.Broadcast()
}

func (r *recoveryRun) await(what func() bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for !what() {
		r.cond.Wait()
	}
}

func (r *recoveryRun) submit(op seglog.Op) { r.d.Submit([]logdir.Order{{P: r.p, Op: op}}) }

// order carries out one order of a sequence.
func (r *recoveryRun) order(kind rune) {
	switch end := r.log.Next(); kind {
	case 'a', 'd':
		r.append()
		if kind == 'd' {
			r.await(func() bool { return r.now.durable > end })
		}
	case 't':
		switch to := end - 1; {
		case to > r.log.LogStart():
			r.cut(seglog.Op{Kind: seglog.OpTruncate, Offset: to}, to)
			r.log.Truncated(to, *r.last)
		case to == r.log.LogStart(): // nothing would stay
			r.cut(r.log.RestartAt(0, to), to)
		}
	case 'r':
		op := r.log.RestartAt(0, end+1)
		r.cut(op, end+1)
	}
}

func (r *recoveryRun) append() {
	r.value++
	var b batch.Builder
	b.Reset(batch.BuilderOptions{})
	if err := b.Append(batch.NewRecord{Timestamp: 1, Value: bytes.Repeat([]byte{r.value}, 600)}); err != nil {
		r.t.Fatal(err)
	}
	out, err := b.Build(batch.NewCodecs(batch.Limits{}))
	if err != nil {
		r.t.Fatal(err)
	}
	data := bytes.Clone(out)
	h, err := batch.ParseHeader(data)
	if err != nil {
		r.t.Fatal(err)
	}
	op := r.log.Append(0, seglog.BatchOf(&h), 1, buffer.Own(data))
	r.mu.Lock()
	r.now.log = append(r.now.log, bytes.Clone(data))
	r.mu.Unlock()
	next := r.log.Next()
	r.submit(op)
	r.await(func() bool { return r.told[seglog.Written] >= next })
	r.log.Written(next)
}

// cut orders a truncation and waits for it. While it is under way, nothing above
// it is promised.
func (r *recoveryRun) cut(op seglog.Op, to int64) {
	r.mu.Lock()
	n := r.cuts
	r.now.durable, r.now.cutting = min(r.now.durable, to), true
	if op.Kind == seglog.OpRestartAt {
		r.now.durable = r.now.start
	}
	r.mu.Unlock()
	r.submit(op)
	r.await(func() bool { return r.cuts > n })
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now.cutting = false
	if op.Kind == seglog.OpRestartAt {
		r.now.log, r.now.start, r.now.durable = make([][]byte, to), to, to
	}
	r.now.log = r.now.log[:to]
	r.told[seglog.Written] = to
}

// hook takes what a power loss leaves before each call that changes something.
func (r *recoveryRun) hook(call memfs.Call) error {
	if call.Op == memfs.OpLock {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for range recoveryDraws {
		p := r.now
		p.log = slices.Clone(p.log)
		p.fs = r.fs.CrashClone(r.rng)
		r.points = append(r.points, p)
	}
	return nil
}

// recoveryDraws is how often it is drawn, at each power loss, what is left.
const recoveryDraws = 1

// recoveryPoints carries a sequence out and returns the power losses on the way.
func recoveryPoints(t *testing.T, sequence string, direct int, seed uint64) []deadDisk {
	r := &recoveryRun{t: t, fs: memfs.New(), clk: manual.New(), rng: rand.New(rand.NewPCG(seed, 7)), told: map[seglog.DoneKind]int64{}}
	r.cond.L = &r.mu
	err := r.fs.MkdirAll(recoveryRoot)
	if err == nil {
		err = r.fs.SyncDir("/")
	}
	if err != nil {
		t.Fatal(err)
	}
	if r.d, err = logdir.Open(recoveryConfig(r.fs, r.clk, direct)); err != nil {
		t.Fatal(err)
	}
	parts, err := r.d.Create([]logdir.Spec{{Topic: topicName, ID: partitionID}})
	if err != nil {
		t.Fatal(err)
	}
	r.p = parts[0]
	r.p.Bind(r, 0)
	cfg := seglog.DefaultConfig()
	cfg.SegmentBytes = 1000 // every second batch begins a segment
	r.log = seglog.NewLog(cfg, logdir.EmptyState(0))
	r.fs.OnCall(r.hook)
	for _, kind := range sequence {
		r.order(kind)
	}
	r.fs.OnCall(nil)
	if err := r.d.Close(false, 0); err != nil {
		t.Fatal(err)
	}
	return r.points
}

// verdict is what a recovery found.
type verdict struct {
	standing seglog.Standing
	state    seglog.State
}

// recover opens what a power loss left. crashes, if not nil, takes what power
// losses on the way leave.
func (k *deadDisk) recover(fs *memfs.FS, crashes func(*memfs.FS)) (v verdict, err error) {
	if crashes != nil {
		fs.OnCall(func(call memfs.Call) error {
			if call.Op != memfs.OpLock {
				crashes(fs)
			}
			return nil
		})
	}
	d, err := logdir.Open(recoveryConfig(fs, manual.New(), 100))
	if err != nil {
		return v, err
	}
	defer func() {
		fs.OnCall(nil)
		_ = d.Close(false, 0)
	}()
	list := d.Recovered()
	if len(list) != 1 || list[0].Err != nil {
		return v, fmt.Errorf("recovered %+v", list)
	}
	p, st, err := d.Adopt(partitionID, logdir.Options{})
	if err != nil {
		return v, err
	}
	v = verdict{seglog.Classify(kafka.DurabilitySync, st.Evidence), st}
	return v, k.compare(p, &st, v.standing)
}

// compare holds what was recovered against what was promised.
func (k *deadDisk) compare(p *logdir.Partition, st *seglog.State, standing seglog.Standing) error {
	switch {
	case standing == seglog.Damaged:
		return fmt.Errorf("damaged, and nothing that was synced is gone: %+v", st.Evidence)
	case st.End < k.durable:
		return fmt.Errorf("the end is %d, %d was durable", st.End, k.durable)
	case st.End > int64(len(k.log)) && !k.cutting:
		return fmt.Errorf("the end is %d, the log ended at %d", st.End, len(k.log))
	}
	for offset := st.LogStart; offset < st.End; offset++ {
		e, err := p.Read(seglog.ReadPlan{From: offset, UpTo: st.End, MaxBytes: 1, AtLeastOne: true, Start: seglog.Unknown(), End: seglog.Unknown()})
		if err != nil || e == nil {
			return fmt.Errorf("offset %d: %v", offset, err)
		}
		got := make([]byte, e.Len)
		_, err = e.File.ReadAt(got, e.Off)
		e.Release()
		if err != nil {
			return err
		}
		if want := k.log[offset]; !bytes.Equal(got, want) {
			return fmt.Errorf("offset %d holds %d bytes of another batch", offset, len(got))
		}
	}
	return nil
}

// Whatever was durable is there after two power losses, the second within
// recovery; nothing that was cut comes back; a sound disk is never called
// damaged, and a doubt outlives a recovery that was cut short.
func TestRecoverySmallWorld(t *testing.T) {
	length := 3
	if testing.Short() {
		length = 2
	}
	var sequences []string
	for level, all := 0, []string{""}; level < length; level++ {
		var next []string
		for _, s := range all {
			for _, kind := range recoveryOrders {
				next = append(next, s+string(kind))
			}
		}
		all = next
		if level == length-1 {
			sequences = all
		}
	}
	losses, again, doubts := 0, 0, 0
	for n, sequence := range sequences {
		if !strings.ContainsAny(sequence[:1], "ad") {
			continue
		}
		for _, direct := range []int{-1, 100} {
			for i, k := range recoveryPoints(t, sequence, direct, uint64(n)) {
				losses++
				rng := rand.New(rand.NewPCG(uint64(n), uint64(i)))
				var inside []*memfs.FS
				first, err := k.recover(k.fs, func(fs *memfs.FS) { inside = append(inside, fs.CrashClone(rng)) })
				if err != nil {
					t.Fatalf("%s, direct %d, power loss %d: %v", sequence, direct, i, err)
				}
				if first.standing != seglog.Intact {
					doubts++
				}
				for j, fs := range inside {
					again++
					second, err := k.recover(fs, nil)
					if err != nil {
						t.Fatalf("%s, direct %d, power loss %d, then %d in recovery: %v", sequence, direct, i, j, err)
					}
					if second.standing < first.standing {
						t.Fatalf("%s, direct %d, power loss %d, then %d in recovery: %s after %s", sequence, direct, i, j, second.standing, first.standing)
					}
				}
			}
		}
	}
	t.Logf("%d sequences, %d power losses, %d more within recovery, %d doubts", len(sequences), losses, again, doubts)
}
