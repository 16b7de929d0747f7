package logdir

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
)

// fewSegments is a log of three segments, of which all but the last are deleted;
// moldau.marks tells of the first batch alone.
func fewSegments(t *testing.T, fsys *memfs.FS, journal bool) (*world, *testLog) {
	w := newWorld(t, fsys, func(c *Config) {
		c.DirectFilesMax = 100
		if journal {
			c.DirectFilesMax, c.lazyJournal = -1, false
		}
	})
	w.open()
	if err := fsys.SyncDir("/"); err != nil {
		t.Fatal(err)
	}
	w.drain()
	w.create(1, syncOptions())
	l := w.logs[0]
	l.append(1, 100)
	l.awaitDurable()
	w.checkpoint(false)
	for len(l.p.segments()) < 3 {
		l.append(1, 100)
	}
	l.append(1, 100)
	w.settle()
	return w, l
}

// deleteClosed has the log start moved to the active segment.
func (l *testLog) deleteClosed() {
	start := l.p.segments()[len(l.p.segments())-1].base
	l.log.SetLogStart(start)
	l.w.d.Submit([]Order{
		{P: l.p, Op: seglog.Op{Kind: seglog.OpLogStart, Offset: start}},
		{P: l.p, Op: l.log.Delete(l.log.BelowStart())},
	})
	l.w.await(func() bool { return l.startDone >= start || l.failed != nil })
	l.w.drain()
}

// logFiles are the names of .log files that a folder has.
func (l *testLog) logFiles(fsys vfs.FS) (names []string) {
	l.w.t.Helper()
	list, err := fsys.List(l.p.path())
	if err != nil {
		l.w.t.Fatal(err)
	}
	for _, info := range list {
		if strings.HasSuffix(info.Name, seglog.LogSuffix) {
			names = append(names, info.Name)
		}
	}
	return names
}

// TestProducersOfDeletedSegments: power is lost right after a log start has moved
// beyond whole segments, and again in the recovery that follows. Whoever wrote to
// them is known: a late repeat would be appended twice.
func TestProducersOfDeletedSegments(t *testing.T) {
	for name, journal := range map[string]bool{"files": false, "journal": true} {
		t.Run(name, func(t *testing.T) {
			fsys := memfs.New()
			w, l := fewSegments(t, fsys, journal)
			l.deleteClosed()
			pr := w.promises()[0]
			for seed := range uint64(20) {
				rng := rand.New(rand.NewPCG(seed, 9))
				clone := fsys.CrashClone(rng)
				for range 3 {
					cfg := w.cfg
					cfg.FS = clone
					d, err := Open(cfg)
					if err != nil {
						t.Fatal(err)
					}
					st := d.Recovered()[0].State
					if err := pr.producersKnown(st.Producers); err != nil || standing(st) != seglog.Intact {
						t.Fatalf("seed %d: %s, %v", seed, standing(st), err)
					}
					again := clone.CrashClone(rng)
					if _, _, err := d.Adopt(l.id, l.opt); err != nil {
						t.Fatal(err)
					}
					if err := d.Close(false, 0); err != nil {
						t.Fatal(err)
					}
					clone = again
				}
			}
			if err := w.d.Close(false, 0); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestDeletedSegmentsWaitForTheMarks: the files of deleted segments go when the
// marks tell of their producers, at a clean stop too, and without them where the
// disk has no space for marks. A start hands over what it finds below the log start.
func TestDeletedSegmentsWaitForTheMarks(t *testing.T) {
	for _, what := range []string{"marks", "no space", "clean stop", "kill"} {
		t.Run(what, func(t *testing.T) {
			fsys := memfs.New()
			w, l := fewSegments(t, fsys, false)
			l.deleteClosed()
			if have := l.logFiles(fsys); len(have) != 3 {
				t.Fatalf("before: %v", have)
			}
			switch what {
			case "no space":
				fsys.OnCall(func(c memfs.Call) error {
					if strings.Contains(c.Name, marksFile) {
						return vfs.ErrNoSpace
					}
					return nil
				})
				w.checkpoint(false)
				fsys.OnCall(nil)
			case "marks":
				w.checkpoint(false)
			case "kill":
				if err := w.d.Close(false, 0); err != nil {
					t.Fatal(err)
				}
				n, _ := reopen(t, w)
				n.checkpoint(false)
				w = n
			}
			if err := w.d.Close(what == "clean stop", 0); err != nil {
				t.Fatal(err)
			}
			if have := l.logFiles(fsys); len(have) != 1 {
				t.Errorf("afterwards: %v", have)
			}
		})
	}
}

// TestLogBegunAnewUnderADeletedSegmentsName: a log begins anew where a segment
// began that is deleted and has its file still. The new file stays.
func TestLogBegunAnewUnderADeletedSegmentsName(t *testing.T) {
	fsys := memfs.New()
	w, l := fewSegments(t, fsys, false)
	old := l.p.segments()[1]
	base := old.base
	l.deleteClosed()
	op := l.log.RestartAt(w.clk.Wall(), base)
	if !l.cut(op, 0) {
		t.Fatal(l.failed)
	}
	for l.log.Next() <= old.end {
		l.append(1, 10)
	}
	w.settle()
	w.checkpoint(false)
	if have, want := l.logFiles(fsys)[0], seglog.FileName(base, seglog.LogSuffix); have != want {
		t.Errorf("%s is the first, want %s", have, want)
	}
	if err := l.verify(l.p, base, l.log.Next(), l.history); err != nil {
		t.Error(err)
	}
	if err := w.d.Close(false, 0); err != nil {
		t.Fatal(err)
	}
}

// TestProducersAfterACutAboveDeletedSegments: the marks that covered deleted
// segments are void after a truncation, but not what they tell of producers.
func TestProducersAfterACutAboveDeletedSegments(t *testing.T) {
	fsys := memfs.New()
	w, l := fewSegments(t, fsys, false)
	pr := w.promises()[0]
	l.append(1, 100)
	w.settle()
	l.deleteClosed()
	w.checkpoint(false)
	if have := l.logFiles(fsys); len(have) != 1 {
		t.Fatalf("%v are there", have)
	}
	l.truncate(pr.durable)
	for seed := range uint64(20) {
		cfg := w.cfg
		cfg.FS = fsys.CrashClone(rand.New(rand.NewPCG(seed, 9)))
		d, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := pr.producersKnown(d.Recovered()[0].State.Producers); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		if err := d.Close(false, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.d.Close(false, 0); err != nil {
		t.Fatal(err)
	}
}
