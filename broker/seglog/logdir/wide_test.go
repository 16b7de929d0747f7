package logdir

import (
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
)

// wideWorld has n partitions whose appends go through the journal.
func wideWorld(t *testing.T, n int) (*world, *memfs.FS) {
	fsys := memfs.New()
	w := newWorld(t, fsys, func(c *Config) { c.lazyJournal = false })
	w.open()
	if err := fsys.SyncDir("/"); err != nil {
		t.Fatal(err)
	}
	w.drain() // the journal is there
	w.create(n, syncOptions())
	return w, fsys
}

// appendAll appends to every partition in one turn.
func (w *world) appendAll(records, size int) {
	var orders []Order
	for _, l := range w.logs {
		orders = append(orders, l.appendOrder(records, size))
	}
	w.d.Submit(orders)
}

// TestWideTurnWaitsForItsWrites: the commit is made while the segments are
// written, and nothing counts as durable, and no call of another lane goes on,
// before they are.
func TestWideTurnWaitsForItsWrites(t *testing.T) {
	defer goleak.VerifyNone(t)
	w, fsys := wideWorld(t, 40)
	release, synced := make(chan struct{}), make(chan struct{}, 8)
	fsys.OnCall(func(c memfs.Call) error {
		switch {
		case c.Op == memfs.OpWrite && strings.HasSuffix(c.Name, ".log"):
			<-release
		case c.Op == memfs.OpSync && strings.Contains(c.Name, journalPrefix):
			synced <- struct{}{}
		}
		return nil
	})
	w.appendAll(1, 100)
	<-synced // the commit did not wait
	called := make(chan error, 1)
	go func() { called <- w.d.committer.call(func(*committer) error { return nil }) }()
	w.d.committer.signal()
	select {
	case err := <-called:
		t.Errorf("a call ran in the middle of a turn: %v", err)
	default:
	}
	w.mu.Lock()
	for _, l := range w.logs {
		if l.durable > 0 || l.written > 0 {
			t.Errorf("%s: written %d, durable %d before the write", l.topic, l.written, l.durable)
		}
	}
	w.mu.Unlock()
	close(release)
	for _, l := range w.logs {
		l.awaitDurable() // DiskDone checks that Written came before
	}
	if err := <-called; err != nil {
		t.Error(err)
	}
	fsys.OnCall(nil)
	if s := w.d.Stats(); s.DirectSyncs != 0 || s.JournalCommits != 1 {
		t.Errorf("%+v", s)
	}
	if err := w.d.Close(true, 0); err != nil {
		t.Fatal(err)
	}
}

// TestWritersGiveWay: on one processor, too, a turn's commit is under way before
// most of its writes have been made.
func TestWritersGiveWay(t *testing.T) {
	defer goleak.VerifyNone(t)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const n = 240
	w, fsys := wideWorld(t, n)
	var writes, atSync atomic.Int64
	atSync.Store(n)
	fsys.OnCall(func(c memfs.Call) error {
		switch {
		case c.Op == memfs.OpWrite && strings.HasSuffix(c.Name, ".log"):
			writes.Add(1)
		case c.Op == memfs.OpSync && strings.Contains(c.Name, journalPrefix):
			atSync.Store(min(atSync.Load(), writes.Load()))
		}
		return nil
	})
	w.appendAll(1, 100)
	for _, l := range w.logs {
		l.awaitDurable()
	}
	fsys.OnCall(nil)
	if at := atSync.Load(); at > n/2 {
		t.Errorf("%d of %d segments were written before the journal's sync", at, n)
	}
	if err := w.d.Close(true, 0); err != nil {
		t.Fatal(err)
	}
}

// TestTurnIsOneCommit: where blocks end, too, a turn is one commit and one sync.
func TestTurnIsOneCommit(t *testing.T) {
	defer goleak.VerifyNone(t)
	const turns, blocks = 60, 40
	w := newWorld(t, memfs.New(), func(c *Config) { c.lazyJournal, c.JournalBytes = false, blocks*journalBlockBytesMin })
	w.open()
	w.drain()
	w.create(40, syncOptions())
	for range turns {
		w.appendAll(1, 300)
		for _, l := range w.logs {
			l.awaitDurable()
		}
		w.drain() // there is a block ahead
	}
	if s := w.d.Stats(); s.DirectSyncs != 0 || s.JournalCommits != turns || s.JournalBytes < 4*journalBlockBytesMin {
		t.Errorf("%d turns: %+v", turns, s)
	}
	if err := w.d.Close(true, 0); err != nil {
		t.Fatal(err)
	}
}

// TestMarksGoWithTurns: while turns carry the marks of those before, there is no
// commit for marks alone; there is one when the last of them have waited.
func TestMarksGoWithTurns(t *testing.T) {
	defer goleak.VerifyNone(t)
	const turns = 8
	w, _ := wideWorld(t, 40)
	call := func() (marks int) {
		if err := w.d.committer.call(func(c *committer) error { marks = len(c.marks); return nil }); err != nil {
			t.Fatal(err)
		}
		return marks
	}
	for i := range turns {
		w.appendAll(1, 100)
		for _, l := range w.logs {
			l.awaitDurable()
		}
		if n := call(); n != len(w.logs) {
			t.Fatalf("%d marks wait after turn %d", n, i)
		}
		w.clk.Advance(markDelay * 2 / 3)
		w.drain()
		if n := call(); n != len(w.logs) {
			t.Fatalf("%d marks wait for turn %d", n, i+1)
		}
	}
	w.clk.Advance(markDelay)
	for call() > 0 { // until the committer has seen the timer
	}
	if s := w.d.Stats(); s.JournalCommits != turns+1 {
		t.Errorf("%d commits of %d turns and their last marks", s.JournalCommits, turns)
	}
	if err := w.d.Close(true, 0); err != nil {
		t.Fatal(err)
	}
}

// TestFailedWriteOfAWideTurn: bytes that a commit carries and that could not
// be written to their segment are gone for good when the failure is answered:
// neither do they come back, nor does what replaces them stand in doubt.
func TestFailedWriteOfAWideTurn(t *testing.T) {
	defer goleak.VerifyNone(t)
	w, fsys := wideWorld(t, 20)
	w.appendAll(1, 100)
	for _, l := range w.logs {
		l.awaitDurable()
		l.log.Written(l.written)
	}
	a := w.logs[3]
	end, kept := a.log.Next(), len(a.history)
	fsys.OnCall(func(c memfs.Call) error {
		if c.Op == memfs.OpWrite && strings.Contains(c.Name, "/t3-0/") {
			return vfs.ErrNoSpace
		}
		return nil
	})
	w.appendAll(3, 300)
	w.await(func() bool { return a.failed != nil })
	atFailure := fsys.CrashClone(rand.New(rand.NewPCG(1, 1)))
	for _, l := range w.logs {
		if l != a {
			l.awaitDurable()
		}
	}
	if f := a.failed; f.Class != seglog.ClassNoSpace || f.UpTo != end || a.durable != end || a.written != end {
		t.Fatalf("failed %+v, durable %d, written %d, want %d", f, a.durable, a.written, end)
	}
	if s := w.d.Stats(); s.DirectSyncs != 0 {
		t.Fatalf("not through the journal: %+v", s)
	}
	fsys.OnCall(nil)
	a.log.Void(end)
	w.mu.Lock()
	a.failed, a.history, a.ordered = nil, a.history[:kept], end
	w.mu.Unlock()
	w.d.Submit([]Order{{P: a.p, Op: seglog.Op{Kind: seglog.OpResume, Offset: end}}})
	w.appendAll(1, 50)
	for _, l := range w.logs {
		l.awaitDurable()
	}
	for seed := range uint64(8) {
		checkEnd(t, w, fsys.CrashClone(rand.New(rand.NewPCG(seed, 2))), a, a.log.Next())
	}
	checkEnd(t, w, atFailure, a, end)
	if err := w.d.Close(false, 0); err != nil {
		t.Fatal(err)
	}
}

// checkEnd recovers a clone and wants l intact, ending at end.
func checkEnd(t *testing.T, w *world, clone *memfs.FS, l *testLog, end int64) {
	t.Helper()
	cfg := w.cfg
	cfg.FS = clone
	d, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range d.Recovered() {
		if r.ID == l.id && (standing(r.State) != seglog.Intact || r.State.End != end) {
			t.Errorf("%s is %s and ends at %d, want %d: %+v", l.topic, standing(r.State), r.State.End, end, r.State.Evidence)
		}
	}
	if err := d.Close(false, 0); err != nil {
		t.Fatal(err)
	}
}
