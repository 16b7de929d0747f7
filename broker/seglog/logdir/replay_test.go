package logdir

import (
	"math/rand/v2"
	"testing"

	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/memfs"
)

// TestLogStartWithinAJournaledSegment: the log start moves into a segment that
// only the journal has durably, and a power loss takes the segment's file. What
// lies below the log start is replayed too: without it the rest would stand
// behind a hole.
func TestLogStartWithinAJournaledSegment(t *testing.T) {
	w := newWorld(t, memfs.New(), func(c *Config) { c.DirectFilesMax, c.lazyJournal = -1, false })
	w.open()
	if err := w.fs.SyncDir("/"); err != nil {
		t.Fatal(err)
	}
	w.drain()
	w.create(1, syncOptions())
	l := w.logs[0]
	for range 5 {
		l.append(1, 50)
	}
	w.settle()
	const start = 3
	l.log.SetLogStart(start)
	w.d.Submit([]Order{{P: l.p, Op: seglog.Op{Kind: seglog.OpLogStart, Offset: start}}})
	w.await(func() bool { return l.startDone >= start || l.failed != nil })
	clone := withoutBytes(t, w.fs.(*memfs.FS), l.p.segments()[0].name(seglog.LogSuffix))
	if err := w.d.Close(false, 0); err != nil {
		t.Fatal(err)
	}
	w.fs, w.cfg.FS = clone, clone
	n, states := reopen(t, w)
	st := states[l.id]
	if st.LogStart != start || st.End != 5 || standing(st) != seglog.Intact {
		t.Errorf("from %d to %d, %s: %+v", st.LogStart, st.End, standing(st), st.Evidence)
	}
	if err := n.logs[0].verify(n.logs[0].p, start, 5, l.history); err != nil {
		t.Error(err)
	}
}

// withoutBytes is what a power loss leaves that takes all of a file's bytes.
func withoutBytes(t *testing.T, fsys *memfs.FS, name string) *memfs.FS {
	t.Helper()
	for seed := range uint64(1000) {
		clone := fsys.CrashClone(rand.New(rand.NewPCG(seed, 7)))
		if info, err := clone.Stat(name); err != nil || info.Size == 0 {
			return clone
		}
	}
	t.Fatalf("every power loss leaves bytes of %s", name)
	return nil
}
