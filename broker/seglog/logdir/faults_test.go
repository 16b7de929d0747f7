package logdir

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
	"go.uber.org/goleak"
)

var errDisk = errors.New("input/output error")

func TestNoSpaceCutsAndRefusesUntilResume(t *testing.T) {
	defer goleak.VerifyNone(t)
	fsys := memfs.New()
	w := newWorld(t, fsys, nil)
	w.open()
	w.create(2, syncOptions())
	a, b := w.logs[0], w.logs[1]
	a.append(2, 100)
	b.append(1, 100)
	a.awaitDurable()
	end := a.log.Next()
	kept := len(a.history)
	fsys.OnCall(func(c memfs.Call) error {
		if c.Op == memfs.OpWrite && strings.HasSuffix(c.Name, "t0-0/00000000000000000000.log") {
			return vfs.ErrNoSpace
		}
		return nil
	})
	w.d.Submit([]Order{a.appendOrder(1, 50), a.appendOrder(1, 50), b.appendOrder(1, 50)})
	w.await(func() bool { return a.failed != nil })
	b.awaitDurable() // others go on
	if f := a.failed; f.Class != seglog.ClassNoSpace || f.UpTo != end || !errors.Is(f.Err, vfs.ErrNoSpace) {
		t.Fatalf("failed: %+v", f)
	}
	fsys.OnCall(nil)
	// What comes before OpResume is refused without another answer.
	w.d.Submit([]Order{a.appendOrder(1, 50)})
	b.append(1, 10)
	if a.written != end {
		t.Fatalf("written %d, want %d", a.written, end)
	}
	a.log.Void(end)
	w.mu.Lock()
	a.failed, a.history, a.ordered = nil, a.history[:kept], end
	w.mu.Unlock()
	w.d.Submit([]Order{{P: a.p, Op: seglog.Op{Kind: seglog.OpResume, Offset: end}}})
	a.append(3, 60)
	a.awaitDurable()
	if err := a.verify(a.p, 0, a.log.Next(), a.history); err != nil {
		t.Fatal(err)
	}
	w.fs = fsys
	if err := w.d.Close(false, 0); err != nil {
		t.Fatal(err)
	}
	n, states := reopen(t, w)
	for _, l := range n.logs {
		if st := states[l.id]; standing(st) != seglog.Intact || st.End != l.history[len(l.history)-1].last+1 {
			t.Errorf("%s: %+v", l.topic, st.Evidence)
		}
	}
	if err := n.d.Close(true, 0); err != nil {
		t.Fatal(err)
	}
}

// TestNoSpaceAtARoll leaves no trace of the segment that could not be begun.
func TestNoSpaceAtARoll(t *testing.T) {
	fsys := memfs.New()
	w := newWorld(t, fsys, nil)
	w.open()
	w.create(1, syncOptions())
	l := w.logs[0]
	for l.log.Size() < 1900 {
		l.append(1, 150)
	}
	end, kept := l.log.Next(), len(l.history)
	fsys.OnCall(func(c memfs.Call) error {
		if c.Op == memfs.OpWrite && strings.HasSuffix(c.Name, ".log") {
			return vfs.ErrNoSpace
		}
		return nil
	})
	w.d.Submit([]Order{l.appendOrder(1, 400)})
	w.await(func() bool { return l.failed != nil })
	fsys.OnCall(nil)
	l.log.Void(end)
	w.mu.Lock()
	l.failed, l.history, l.ordered = nil, l.history[:kept], end
	w.mu.Unlock()
	w.d.Submit([]Order{{P: l.p, Op: seglog.Op{Kind: seglog.OpResume, Offset: end}}})
	l.append(1, 400)
	l.append(1, 400)
	l.awaitDurable()
	if err := l.verify(l.p, 0, l.log.Next(), l.history); err != nil {
		t.Fatal(err)
	}
	if err := w.d.Close(true, 0); err != nil {
		t.Fatal(err)
	}
}

// TestNoSpaceForMarks: what the background lane writes waits for space; the
// directory stays, and appends that need no new space go on.
func TestNoSpaceForMarks(t *testing.T) {
	defer goleak.VerifyNone(t)
	fsys := memfs.New()
	w := newWorld(t, fsys, func(c *Config) { c.DirectFilesMax, c.lazyJournal = -1, false })
	w.open()
	w.drain() // the journal is there
	w.create(1, syncOptions())
	l := w.logs[0]
	l.append(1, 100)
	l.awaitDurable()
	var refused atomic.Int64
	fsys.OnCall(func(c memfs.Call) error {
		if c.Op == memfs.OpCreate && !strings.HasSuffix(c.Name, ".log") {
			refused.Add(1)
			return vfs.ErrNoSpace
		}
		return nil
	})
	for range 3 {
		l.append(1, 100)
		l.awaitDurable()
		w.checkpoint(true)
	}
	if refused.Load() == 0 || w.d.Err() != nil {
		t.Fatalf("%d files refused, the directory: %v", refused.Load(), w.d.Err())
	}
	fsys.OnCall(nil)
	written := w.d.counters.marksWritten.Load()
	w.checkpoint(true)
	if w.d.counters.marksWritten.Load() == written {
		t.Error("no marks were written when there was space again")
	}
	if err := w.d.Close(false, 0); err != nil {
		t.Fatal(err)
	}
	n, states := reopen(t, w)
	if st := states[l.id]; standing(st) != seglog.Intact || st.End != l.log.Next() {
		t.Errorf("%+v", st.Evidence)
	}
	if err := n.d.Close(true, 0); err != nil {
		t.Fatal(err)
	}
}

// TestHungIndexStallsNobody: while the background lane writes an index that
// hangs, appends to that segment go on, and so do reads of it.
func TestHungIndexStallsNobody(t *testing.T) {
	defer goleak.VerifyNone(t)
	fsys := memfs.New()
	w := newWorld(t, fsys, nil)
	w.open()
	w.create(1, syncOptions())
	l := w.logs[0]
	for range 5 {
		l.append(1, 150)
	}
	l.awaitDurable()
	hung, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	fsys.OnCall(func(c memfs.Call) error {
		if c.Op == memfs.OpWrite && strings.HasSuffix(c.Name, seglog.IndexSuffix) {
			once.Do(func() { close(hung) })
			<-release
		}
		return nil
	})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := l.p.segments()[0].flushIndexes(fsys, false); err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-hung:
	case <-ended:
		t.Fatal("there was no index entry to write")
	}
	for range 3 {
		l.append(1, 100)
		l.awaitDurable()
	}
	if err := l.verify(l.p, 0, l.log.Next(), l.history); err != nil {
		t.Error(err)
	}
	close(release)
	<-ended
	fsys.OnCall(nil)
	if err := w.d.Close(true, 0); err != nil {
		t.Fatal(err)
	}
}

// TestFailedSync: the directory goes offline at the first failed sync, and no
// sync is tried again (K2).
func TestFailedSync(t *testing.T) {
	for _, file := range []string{".log", journalPrefix} {
		defer goleak.VerifyNone(t)
		fsys := memfs.New()
		w := newWorld(t, fsys, func(c *Config) {
			if file != ".log" {
				c.DirectFilesMax, c.lazyJournal = -1, false
			}
		})
		told := make(chan error, 1)
		w.cfg.OnOffline = func(err error) { told <- err }
		w.open()
		w.drain() // the journal is there
		w.create(2, syncOptions())
		for _, l := range w.logs {
			l.append(1, 100)
			l.awaitDurable()
		}
		tried := 0
		fsys.OnCall(func(c memfs.Call) error {
			if c.Op == memfs.OpSync && strings.Contains(c.Name, file) {
				w.mu.Lock()
				tried++
				w.mu.Unlock()
				return errDisk
			}
			return nil
		})
		w.d.Submit([]Order{w.logs[0].appendOrder(1, 100)})
		w.await(func() bool { return w.logs[0].failed != nil && w.logs[1].failed != nil })
		if f := w.logs[0].failed; f.Class != seglog.ClassOffline || !errors.Is(f.Err, ErrOffline) || !errors.Is(f.Err, errDisk) {
			t.Fatalf("failed: %+v", f)
		}
		if err := <-told; !errors.Is(err, errDisk) {
			t.Error(err)
		}
		<-w.d.Offline()
		if _, err := w.logs[0].p.Read(seglog.ReadPlan{From: 0, UpTo: 1, MaxBytes: 100}); !errors.Is(err, ErrOffline) {
			t.Error(err)
		}
		if _, err := w.d.Create([]Spec{{Topic: "x"}}); !errors.Is(err, ErrOffline) {
			t.Error(err)
		}
		if err := w.d.Close(true, 0); !errors.Is(err, ErrOffline) {
			t.Error(err)
		}
		if tried != 1 {
			t.Errorf("%d syncs of %s were tried, one failed", tried, file)
		}
	}
}

// TestWriteError: an I/O error costs the directory.
func TestWriteError(t *testing.T) {
	fsys := memfs.New()
	w := newWorld(t, fsys, nil)
	w.open()
	w.create(1, syncOptions())
	fsys.OnCall(func(c memfs.Call) error {
		if c.Op == memfs.OpWrite {
			return errDisk
		}
		return nil
	})
	l := w.logs[0]
	w.d.Submit([]Order{l.appendOrder(1, 100)})
	w.await(func() bool { return l.failed != nil })
	if l.failed.Class != seglog.ClassOffline || l.failed.UpTo != 0 {
		t.Fatalf("failed: %+v", l.failed)
	}
	if err := w.d.Close(true, 0); err == nil {
		t.Error("a clean stop of a lost directory")
	}
}

// rot changes bytes of a file.
func rot(t *testing.T, fsys vfs.FS, name string, at int64) {
	t.Helper()
	f, err := fsys.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0x55
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// filled makes a stopped (not cleanly) directory with three journaled partitions.
func filled(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, memfs.New(), func(c *Config) { c.DirectFilesMax, c.lazyJournal = -1, false })
	w.open()
	w.drain()
	w.create(3, syncOptions())
	for range 4 {
		var orders []Order
		for _, l := range w.logs {
			orders = append(orders, l.appendOrder(1, 200))
		}
		w.d.Submit(orders)
		w.settle()
	}
	if err := w.d.Close(false, 0); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestRotInTheLastTurnOfTheJournal(t *testing.T) {
	w := filled(t)
	// The last commit's body: it names all three, so they are in doubt.
	rot(t, w.fs, testRoot+"/moldau.journal-0001", 3*pageBytes+200)
	n, states := reopen(t, w)
	for _, l := range n.logs {
		if got := standing(states[l.id]); got != seglog.Doubtful {
			t.Errorf("%s is %s: %+v", l.topic, got, states[l.id].Evidence)
		}
	}
	if err := n.logs[0].p.SetStanding(seglog.Intact); err != nil {
		t.Fatal(err)
	}
	if err := n.d.Close(true, 0); err != nil {
		t.Fatal(err)
	}
	_, states = reopen(t, w)
	for i, l := range n.logs {
		want := seglog.Doubtful // it outlives restarts until it is lifted
		if i == 0 {
			want = seglog.Intact
		}
		if got := standing(states[l.id]); got != want {
			t.Errorf("%s is %s, want %s", l.topic, got, want)
		}
	}
}

func TestRotOfACommitsHead(t *testing.T) {
	w := filled(t)
	rot(t, w.fs, testRoot+"/moldau.journal-0001", 2*pageBytes+20)
	_, states := reopen(t, w)
	for _, l := range w.logs {
		if st := states[l.id]; standing(st) != seglog.Doubtful || st.Evidence.SyncedThrough != 3 {
			t.Errorf("%s: %+v", l.topic, st.Evidence) // the marks of the commit behind it count
		}
	}
}

func TestRotInTheMiddleOfALog(t *testing.T) {
	w := newWorld(t, memfs.New(), nil)
	w.open()
	w.create(2, syncOptions())
	l := w.logs[0]
	for range 30 {
		l.append(1, 200)
		w.logs[1].append(1, 200)
		w.settle()
	}
	if err := w.d.Close(false, 0); err != nil {
		t.Fatal(err)
	}
	// Without marks all is scanned, without a journal nothing is repaired; S
	// comes from Kafka's recovery point.
	for _, name := range []string{marksFile, "moldau.journal-0001"} {
		if err := ignoreMissing(w.fs.Remove(testRoot + "/" + name)); err != nil {
			t.Fatal(err)
		}
	}
	points := seglog.EncodeOffsets([]seglog.OffsetEntry{{Topic: "t0", Offset: 30}, {Topic: "t1", Offset: 30}})
	if err := vfs.ReplaceFile(w.fs, testRoot, seglog.RecoveryPointFile, points); err != nil {
		t.Fatal(err)
	}
	bad := l.p.segments()[1]
	rot(t, w.fs, testRoot+"/t0-0/"+seglog.FileName(bad.base, seglog.LogSuffix), 300)
	n, states := reopen(t, w)
	st := states[l.id]
	if standing(st) != seglog.Damaged || st.End != bad.base+1 {
		t.Fatalf("%d: %+v", st.End, st.Evidence)
	}
	if got := standing(states[w.logs[1].id]); got != seglog.Intact {
		t.Errorf("the other one is %s", got)
	}
	list, err := w.fs.List(testRoot + "/t0-0")
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for _, i := range list {
		if strings.HasPrefix(i.Name, damagedPrefix) && i.Size > 0 {
			kept++
		}
	}
	if kept < 2 {
		t.Errorf("%d files keep what was cut off", kept)
	}
	found := false
	for _, e := range w.events.list {
		if c, ok := e.(LogCut); ok && c.Kept != "" && c.Topic == "t0" {
			found = true
		}
	}
	if !found {
		t.Error("nobody was told")
	}
	if err := n.d.Close(true, 0); err != nil {
		t.Fatal(err)
	}
	_, states = reopen(t, w)
	if got := standing(states[l.id]); got != seglog.Damaged {
		t.Errorf("after another start it is %s", got)
	}
}

// TestUncleanOS: nothing proves the tail of an `os` topic.
func TestUncleanOS(t *testing.T) {
	w := newWorld(t, memfs.New(), nil)
	w.open()
	w.create(1, Options{Durability: kafka.DurabilityOS})
	l := w.logs[0]
	for range 10 {
		l.append(1, 100)
	}
	w.d.Submit([]Order{{P: l.p, Op: seglog.Op{Kind: seglog.OpSync}}})
	l.awaitDurable()
	if err := w.d.Close(false, 0); err != nil {
		t.Fatal(err)
	}
	_, states := reopen(t, w)
	st := states[l.id]
	if st.End != 10 || seglog.Classify(kafka.DurabilityOS, st.Evidence) != seglog.Damaged || standing(st) != seglog.Intact {
		t.Errorf("%d %+v", st.End, st.Evidence)
	}
}
