package logdir

import (
	"math/rand/v2"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/moldau/moldau/disk/memfs"
)

// TestCutOfASegmentThatIsBeingClosed: a cut removes a segment, or makes it
// active again, while the background lane is about to close it. Each lets go of
// the file once.
func TestCutOfASegmentThatIsBeingClosed(t *testing.T) {
	defer goleak.VerifyNone(t)
	fsys := memfs.New()
	w := newWorld(t, fsys, nil)
	w.open()
	w.create(1, syncOptions())
	l := w.logs[0]
	hold, held := make(chan struct{}), make(chan struct{}, 1)
	fsys.OnCall(func(c memfs.Call) error {
		if c.Op == memfs.OpSync && strings.HasSuffix(c.Name, ".index") {
			select {
			case held <- struct{}{}:
				<-hold
			default:
			}
		}
		return nil
	})
	for len(l.p.segments()) < 3 {
		l.append(1, 150)
	}
	<-held // the first segment is being closed, the second waits for it
	l.awaitDurable()
	first, second := l.p.segments()[0], l.p.segments()[1]
	l.truncate(l.history[1].first)
	close(hold)
	w.drain()
	h := &w.d.handles
	h.mu.Lock()
	if first.refs != 1 || second.refs != 0 || h.open != 1 {
		t.Errorf("%d users of the active segment, %d of the removed one, %d open files", first.refs, second.refs, h.open)
	}
	h.mu.Unlock()
	fsys.OnCall(nil)
	l.append(1, 150)
	l.awaitDurable()
	if err := l.verify(l.p, 0, l.log.Next(), l.history); err != nil {
		t.Fatal(err)
	}
	if err := w.d.Close(true, 0); err != nil {
		t.Fatal(err)
	}
}

// TestBareRollsInACommit: a segment that is closed without an append, and then an
// append in the same turn, leave a journal that recovery can read.
func TestBareRollsInACommit(t *testing.T) {
	w, fsys := wideWorld(t, 4)
	w.appendAll(1, 100)
	w.settle()
	var orders []Order
	for _, l := range w.logs {
		orders = append(orders, Order{P: l.p, Op: l.log.Roll(w.clk.Wall())}, l.appendOrder(1, 100))
	}
	w.d.Submit(orders)
	w.settle()
	if err := w.d.committer.call(func(*committer) error { return nil }); err != nil {
		t.Fatal(err)
	}
	w.appendAll(1, 100) // after them, in the new segments
	w.settle()
	for seed := range uint64(20) {
		cfg := w.cfg
		cfg.FS = fsys.CrashClone(rand.New(rand.NewPCG(seed, 5)))
		d, err := Open(cfg)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for _, l := range w.logs {
			p, st, err := d.Adopt(l.id, l.opt)
			if err != nil || st.End != l.log.Next() || standing(st) != 0 {
				t.Errorf("seed %d: %s ends at %d, %s: %v", seed, l.topic, st.End, standing(st), err)
			} else if err := verifyLog(p, 0, st.End, l.history); err != nil {
				t.Error(err)
			}
		}
		if err := d.Close(false, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.d.Close(true, 0); err != nil {
		t.Fatal(err)
	}
}
