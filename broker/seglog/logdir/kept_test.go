package logdir

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
)

// manyKilled is a process that was killed in a turn over many logs, before its
// commit: the world goes on with what is in the page cache. die is that turn.
func manyKilled(t *testing.T, die func(*crashRun) *memfs.FS) *world {
	t.Helper()
	r := newCrashRun(t, 7, workload{direct: 1, leave: promiseCount})
	w := r.w
	if err := errors.Join(r.fs.MkdirAll(testRoot), r.fs.SyncDir("/")); err != nil {
		t.Fatal(err)
	}
	w.cfg.lazyJournal = false
	w.open()
	w.drain() // the first block is there
	w.create(8, syncOptions())
	for i := range 5 {
		if i == 2 { // the marks are written
			w.clk.Advance(2 * time.Second)
			w.drain()
			w.drain()
		}
		for _, l := range w.logs {
			w.d.Submit([]Order{l.appendOrder(1, 100)})
		}
		w.settle()
	}
	dead := r.fs
	w.fs = die(r)
	w.cfg.FS = w.fs
	dead.OnCall(func(memfs.Call) error { return errors.New("the process is dead") })
	_ = w.d.Close(false, 0) // ends its goroutines
	w.freeze(false)
	return w
}

// reopen recovers and adopts.
func (w *world) reopen(t *testing.T) {
	t.Helper()
	d, err := Open(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.d = d
	for _, l := range w.logs {
		l.adopt(d)
	}
}

// lossOf loses the power of a copy and says what is not there any more.
func (w *world) lossOf(t *testing.T, rng *rand.Rand) {
	t.Helper()
	cfg := w.cfg
	cfg.FS = w.fs.(*memfs.FS).CrashClone(rng)
	d, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range w.logs {
		p, st, err := d.Adopt(l.id, l.opt)
		if err != nil {
			t.Fatal(err)
		}
		if st.End < l.durable || standing(st) != 0 {
			t.Errorf("%s ends at %d, %s; %d were durable", l.topic, st.End, standing(st), l.durable)
		}
		if err := verifyLog(p, 0, min(st.End, l.durable), l.history); err != nil {
			t.Error(err)
		}
	}
	if err := d.Close(false, 0); err != nil {
		t.Fatal(err)
	}
}

// TestServesBeforeSegmentsAreSynced: recovery of many logs syncs no segment,
// and yet nothing that it counts as durable is lost with the power, neither then,
// nor after more appends, nor when the background lane has done the rest.
func TestServesBeforeSegmentsAreSynced(t *testing.T) {
	w := manyKilled(t, (*crashRun).dieInTurn)
	rng := rand.New(rand.NewPCG(3, 3))
	var mu sync.Mutex
	var synced []string
	w.fs.(*memfs.FS).OnCall(func(c memfs.Call) error {
		mu.Lock()
		defer mu.Unlock()
		if c.Op == memfs.OpSync && strings.HasSuffix(c.Name, ".log") {
			synced = append(synced, c.Name)
		}
		return nil
	})
	w.reopen(t)
	if len(synced) > 0 || w.d.background.kept == nil {
		t.Fatalf("recovery synced %d segments: %+v", len(synced), w.events.list)
	}
	old := slices.Clone(w.d.background.kept.files)
	for range 20 {
		w.lossOf(t, rng)
	}
	// Marks that are written before the rest is done call no old commit done.
	early := func() error { return w.d.background.checkpoint(false, false) }
	if err := w.d.background.call(early); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		w.lossOf(t, rng)
	}
	for k := range 3 { // one log alone syncs its file, all of them commit to the journal
		w.d.Submit([]Order{w.logs[k].appendOrder(1, 50)})
		w.settle()
		var all []Order
		for _, l := range w.logs {
			all = append(all, l.appendOrder(1, 50))
		}
		w.d.Submit(all)
		w.settle()
		for range 10 {
			w.lossOf(t, rng)
		}
	}
	w.clk.Advance(2 * time.Second)
	w.drain()
	w.drain()
	if w.d.background.kept != nil {
		t.Fatal("the background lane has left the segments")
	}
	for _, file := range old {
		if _, err := w.fs.Stat(file); err == nil {
			t.Errorf("%s is still there", file)
		}
	}
	if len(synced) < len(w.logs) {
		t.Errorf("%d segments were synced", len(synced))
	}
	for range 20 {
		w.lossOf(t, rng)
	}
	if err := w.d.Close(true, 1); err != nil {
		t.Fatal(err)
	}
}

// dieWritten ends the process when a turn is written to the segments and not to
// the journal. Its appends need several blocks.
func (r *crashRun) dieWritten() *memfs.FS {
	w, release := r.w, make(chan struct{})
	r.fs.OnCall(func(c memfs.Call) error {
		if strings.Contains(c.Name, journalPrefix) {
			<-release
			return errors.New("the process is dead")
		}
		return nil
	})
	var orders []Order
	for _, l := range w.logs {
		orders = append(orders, l.appendOrder(1, 20<<10))
	}
	w.d.Submit(orders)
	for _, l := range w.logs {
		l.awaitWritten()
	}
	left := r.fs.Clone()
	w.freeze(true)
	close(release)
	return left
}

// TestTailsFillSeveralBlocks: tails that do not fit one block are vouched for by
// several; what half of the journal has no room for is synced at once.
func TestTailsFillSeveralBlocks(t *testing.T) {
	for _, blocks := range []int64{2, 8} {
		w := manyKilled(t, (*crashRun).dieWritten)
		w.cfg.JournalBytes = blocks * w.cfg.JournalBlockBytes
		rng := rand.New(rand.NewPCG(5, 5))
		var mu sync.Mutex
		var images []vfs.FS // power is lost within recovery
		synced, fsys := 0, w.fs.(*memfs.FS)
		fsys.OnCall(func(c memfs.Call) error {
			mu.Lock()
			defer mu.Unlock()
			if c.Op == memfs.OpSync && strings.HasSuffix(c.Name, ".log") {
				synced++
			}
			if strings.Contains(c.Name, journalPrefix) {
				images = append(images, fsys.CrashClone(rng))
			}
			return nil
		})
		acked := make([]int64, len(w.logs))
		for i, l := range w.logs {
			acked[i] = l.durable
		}
		w.reopen(t)
		fsys.OnCall(nil)
		for i, image := range images {
			w.keeps(t, i, image, acked)
		}
		var used int
		err := w.d.committer.call(func(c *committer) error { used = len(c.j.closed) + 1; return nil })
		if err != nil {
			t.Fatal(err)
		}
		if several := blocks > 2; (used > 1) != several || (synced == 0) != several {
			t.Errorf("bound of %d blocks: %d used, %d segments synced", blocks, used, synced)
		}
		for range 20 {
			w.lossOf(t, rng)
		}
		w.clk.Advance(2 * time.Second) // the background lane does the rest
		w.drain()
		w.drain()
		for range 20 {
			w.lossOf(t, rng)
		}
		if err := w.d.Close(false, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// keeps opens the i-th image of a disk, which has lost nothing below acked.
func (w *world) keeps(t *testing.T, i int, image vfs.FS, acked []int64) {
	t.Helper()
	cfg := w.cfg
	cfg.FS = image
	d, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for k, l := range w.logs {
		p, st, err := d.Adopt(l.id, l.opt)
		if err != nil {
			t.Fatal(err)
		}
		if st.End < acked[k] {
			t.Errorf("image %d: %s ends at %d; %d were acknowledged", i, l.topic, st.End, acked[k])
		}
		if err := verifyLog(p, 0, min(st.End, acked[k]), l.history); err != nil {
			t.Error(err)
		}
	}
	if err := d.Close(false, 0); err != nil {
		t.Fatal(err)
	}
}

// TestTailsWithoutSpace: where there is no space for the blocks of the tails,
// segments are synced at once, and nothing is lost.
func TestTailsWithoutSpace(t *testing.T) {
	w := manyKilled(t, (*crashRun).dieWritten)
	w.cfg.JournalBytes = 8 * w.cfg.JournalBlockBytes
	var mu sync.Mutex
	made := 0
	w.fs.(*memfs.FS).OnCall(func(c memfs.Call) error {
		mu.Lock()
		defer mu.Unlock()
		if c.Op == memfs.OpCreate && strings.Contains(c.Name, journalPrefix) {
			if made++; made > 1 {
				return vfs.ErrNoSpace
			}
		}
		return nil
	})
	w.reopen(t)
	rng := rand.New(rand.NewPCG(6, 6))
	for range 20 {
		w.lossOf(t, rng)
	}
	if made < 2 {
		t.Error("one block was enough")
	}
	if err := w.d.Close(false, 0); err != nil {
		t.Fatal(err)
	}
}

// TestCleanStopEndsWhatRecoveryLeft: a stop right after such a start leaves a
// Kafka directory like any other.
func TestCleanStopEndsWhatRecoveryLeft(t *testing.T) {
	w := manyKilled(t, (*crashRun).dieInTurn)
	w.reopen(t)
	if err := w.d.Close(true, 1); err != nil {
		t.Fatal(err)
	}
	list, err := w.fs.List(testRoot)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		if strings.HasPrefix(i.Name, journalPrefix) {
			t.Errorf("%s is left", i.Name)
		}
	}
	rng := rand.New(rand.NewPCG(4, 4))
	for range 20 {
		w.lossOf(t, rng)
	}
}

// TestBegunAnewWithAnOldJournal: a lost log that begins anew does not get its
// bytes back from the journal that recovery has left.
func TestBegunAnewWithAnOldJournal(t *testing.T) {
	w := manyKilled(t, (*crashRun).dieInTurn)
	l := w.logs[0]
	if err := w.fs.RemoveAll(testRoot + "/" + l.topic + "-0"); err != nil {
		t.Fatal(err)
	}
	d, err := Open(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if !d.Lost(l.topic, l.id) || d.background.kept == nil {
		t.Fatalf("lost: %t, left to sync: %t: %+v", d.Lost(l.topic, l.id), d.background.kept != nil, w.events.list)
	}
	if _, err := d.Create([]Spec{{Topic: l.topic, ID: l.id, Options: l.opt}}); err != nil {
		t.Fatal(err)
	}
	w.cfg.FS = w.fs.(*memfs.FS).Clone()
	if err := d.Close(false, 0); err != nil {
		t.Fatal(err)
	}
	if d, err = Open(w.cfg); err != nil {
		t.Fatal(err)
	}
	if _, st, err := d.Adopt(l.id, l.opt); err != nil || st.End != 0 {
		t.Errorf("the log begun anew ends at %d: %v", st.End, err)
	}
	if err := d.Close(false, 0); err != nil {
		t.Fatal(err)
	}
}
