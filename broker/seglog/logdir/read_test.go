package logdir

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/memfs"
	"go.uber.org/goleak"
)

func unknownPlan(from, upTo int64, maxBytes int, one bool) seglog.ReadPlan {
	return seglog.ReadPlan{From: from, UpTo: upTo, MaxBytes: maxBytes, AtLeastOne: one, Start: seglog.Unknown(), End: seglog.Unknown()}
}

// filledLog is an open directory with one partition of several segments.
func filledLog(t *testing.T) (*world, *testLog) {
	w := newWorld(t, memfs.New(), nil)
	w.open()
	w.create(1, syncOptions())
	l := w.logs[0]
	for i := range 80 {
		l.append(1+i%3, 20+13*(i%7))
	}
	l.awaitDurable()
	return w, l
}

// TestReadPlans compares every plan with the history.
func TestReadPlans(t *testing.T) {
	defer goleak.VerifyNone(t)
	w, l := filledLog(t)
	end := l.log.Next()
	for i, first := range l.history {
		for _, offset := range []int64{first.first, first.last} {
			for _, upTo := range []int64{first.first, first.last, first.last + 1, first.last + 9, end} {
				for _, maxBytes := range []int{1, len(first.data), len(first.data) + 150, 700, 1 << 20} {
					checkPlan(t, l, i, unknownPlan(offset, upTo, maxBytes, maxBytes%2 == 1))
				}
			}
		}
	}
	if _, err := l.p.Read(unknownPlan(-5, 3, 10, false)); !errors.Is(err, ErrOutOfRange) {
		t.Error(err)
	}
	if err := w.d.Close(false, 0); err != nil {
		t.Fatal(err)
	}
}

// TestReadOfAWrongOffset: a batch whose offset is wrong on the disk, so that it
// would lie beyond what may be read, is damage, and not an end of the log.
func TestReadOfAWrongOffset(t *testing.T) {
	defer goleak.VerifyNone(t)
	w := newWorld(t, memfs.New(), nil)
	w.open()
	w.create(1, syncOptions())
	l := w.logs[0]
	for range 3 {
		l.append(2, 50)
	}
	l.awaitDurable()
	f, err := w.fs.Open(testRoot + "/t0-0/" + seglog.FileName(0, seglog.LogSuffix))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{0, 0, 1}, 0); err != nil { // the batch at 0 says 2^40
		t.Fatal(err)
	}
	if e, err := l.p.Read(unknownPlan(0, 2, 1<<20, true)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%+v, %v, want %v", e, err, ErrCorrupt)
	}
	if err := w.d.Close(false, 0); err != nil {
		t.Fatal(err)
	}
}

// checkPlan says what plan, whose From lies in batch i, has to give.
func checkPlan(t *testing.T, l *testLog, i int, plan seglog.ReadPlan) {
	t.Helper()
	var want []byte
	segs := l.p.segments()
	base := segs[segmentAt(segs, l.history[i].first)].base
	for k := i; k < len(l.history); k++ {
		b := l.history[k]
		fits := len(want)+len(b.data) <= plan.MaxBytes || k == i && plan.AtLeastOne
		if b.last >= plan.UpTo || !fits || segs[segmentAt(segs, b.first)].base != base {
			break
		}
		want = append(want, b.data...)
	}
	e, err := l.p.Read(plan)
	if err != nil {
		t.Fatalf("%+v: %v", plan, err)
	}
	var got []byte
	if e != nil {
		got = make([]byte, e.Len)
		if _, err := e.File.ReadAt(got, e.Off); err != nil {
			t.Fatal(err)
		}
		if n := int64(0); e.Next >= 0 {
			for rest := got; len(rest) > 0; {
				h, _, after, err := batch.Next(rest)
				if err != nil {
					t.Fatal(err)
				}
				n, rest = h.NextOffset(), after
			}
			if e.Next < n || e.Next > plan.UpTo && e.Next != n {
				t.Fatalf("%+v: next is %d, the batches end at %d", plan, e.Next, n)
			}
		}
		e.Release()
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%+v: %d bytes, want %d", plan, len(got), len(want))
	}
}

// TestReadOfADeletedSegment: an extent keeps what it was promised.
func TestReadOfADeletedSegment(t *testing.T) {
	defer goleak.VerifyNone(t)
	w, l := filledLog(t)
	first := l.history[0]
	e, err := l.p.Read(unknownPlan(0, l.log.Next(), 1, true))
	if err != nil {
		t.Fatal(err)
	}
	bases := []int64{l.p.segments()[0].base}
	l.log.SetLogStart(l.p.segments()[1].base)
	w.d.Submit([]Order{{P: l.p, Op: l.log.Delete(bases)}})
	w.d.Submit([]Order{{P: l.p, Op: seglog.Op{Kind: seglog.OpSync}}})
	l.append(1, 10)
	l.awaitDurable()
	w.drain()
	for range 5 {
		w.clk.Advance(time.Second)
		w.drain()
	}
	got := make([]byte, e.Len)
	if _, err := e.File.ReadAt(got, e.Off); err != nil || !bytes.Equal(got, first.data) || !e.Valid() {
		t.Errorf("%v, valid %t", err, e.Valid())
	}
	e.Release()
	if _, err := l.p.Read(unknownPlan(0, l.log.Next(), 1, true)); !errors.Is(err, ErrOutOfRange) {
		t.Error(err)
	}
	for range 5 {
		w.clk.Advance(time.Second)
		w.drain()
	}
	list, err := w.fs.List(testRoot + "/t0-0")
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		if base, _, ok := seglog.ParseFileName(i.Name); ok && base == bases[0] {
			t.Errorf("%s is still there", i.Name)
		}
	}
	if err := w.d.Close(true, 0); err != nil {
		t.Fatal(err)
	}
}

// TestReadsRaceTruncation: readers run while the log is cut and written anew;
// what an extent that is still valid gave is what was in the log.
func TestReadsRaceTruncation(t *testing.T) {
	defer goleak.VerifyNone(t)
	w, l := filledLog(t)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	versions := map[string]bool{}
	var mu sync.Mutex
	for _, b := range l.history {
		versions[string(b.data)] = true
	}
	w.onBatch = func(_ *testLog, _ int64, data []byte) {
		mu.Lock()
		versions[string(data)] = true
		mu.Unlock()
	}
	for r := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for from := int64(r); ; from = (from + 7) % 100 {
				select {
				case <-stop:
					return
				default:
				}
				e, err := l.p.Read(unknownPlan(from, 1<<40, 1, true))
				if err != nil || e == nil {
					continue // beyond the end, or cut meanwhile
				}
				got := make([]byte, e.Len)
				_, err = e.File.ReadAt(got, e.Off)
				mu.Lock()
				known := versions[string(got)]
				mu.Unlock()
				if e.Valid() && (err != nil || !known) {
					t.Errorf("at %d: %v, %d bytes that were never written", from, err, len(got))
				}
				e.Release()
			}
		}()
	}
	for i := range 30 {
		l.truncate(l.history[len(l.history)-1-i%9].first)
		for range 6 {
			l.append(1+i%2, 30+i)
		}
		l.awaitDurable()
	}
	close(stop)
	wg.Wait()
	if err := w.d.Close(true, 0); err != nil {
		t.Fatal(err)
	}
}

func TestTimestamps(t *testing.T) {
	w, l := filledLog(t)
	now := w.clk.Wall()
	end := l.log.Next()
	for _, b := range l.history { // every record of the batch at first has the timestamp now+first
		got, err := l.p.OffsetForTimestamp(now+b.first, 0, end)
		if err != nil || got.Offset != b.first || got.Timestamp != now+b.first {
			t.Fatalf("batch at %d: %+v %v", b.first, got, err)
		}
		if got, _ = l.p.OffsetForTimestamp(now+b.first, 0, b.first); got.Offset != -1 {
			t.Fatalf("found %+v above the bound %d", got, b.first)
		}
	}
	last := l.history[len(l.history)-1]
	got, err := l.p.MaxTimestampOffset(0, end)
	if err != nil || got.Offset != last.first || got.Timestamp != now+last.first {
		t.Errorf("%+v %v", got, err)
	}
	if got, err = l.p.OffsetForTimestamp(now+end+5, 0, end); err != nil || got.Offset != -1 {
		t.Errorf("%+v %v", got, err)
	}
	if err := w.d.Close(false, 0); err != nil {
		t.Fatal(err)
	}
}

// TestSearchAboveAStartThatIsOnItsWay: while a log start is not durable yet, a
// search for a timestamp finds the first record from there on, and not that the
// first one of all lies below it.
func TestSearchAboveAStartThatIsOnItsWay(t *testing.T) {
	w := newWorld(t, memfs.New(), nil)
	w.open()
	w.create(1, syncOptions())
	l := w.logs[0]
	for range 5 {
		l.append(3, 50)
	}
	l.awaitDurable()
	if found, err := l.p.OffsetForTimestamp(0, 7, l.log.Next()); err != nil || found.Offset != 7 {
		t.Errorf("from 7 on: offset %d, %v", found.Offset, err)
	}
	if found, err := l.p.MaxTimestampOffset(7, l.log.Next()); err != nil || found.Offset < 7 {
		t.Errorf("the latest from 7 on: offset %d, %v", found.Offset, err)
	}
	if err := w.d.Close(true, 0); err != nil {
		t.Fatal(err)
	}
}
