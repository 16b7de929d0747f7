package logdir

import (
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/memfs"
)

// TestNobodyCommitsIntoAJournalThatGoes: marks wait for their time when a clean stop
// begins, and that comes while it takes the journal away: they are not written
// into it any more.
func TestNobodyCommitsIntoAJournalThatGoes(t *testing.T) {
	fs := memfs.New()
	w := newWorld(t, fs, nil)
	w.open()
	w.drain()
	w.create(4, syncOptions())
	w.appendAll(1, 100)
	for _, l := range w.logs {
		l.awaitDurable()
	}
	marks := 0
	look := func(c *committer) error { marks = len(c.marks); return nil }
	if err := w.d.committer.call(look); err != nil || marks == 0 {
		t.Fatalf("%d marks wait, %v", marks, err)
	}
	commits := w.d.counters.commits.Load()
	var once sync.Once
	fs.OnCall(func(c memfs.Call) error {
		if c.Op == memfs.OpCreate && strings.HasPrefix(path.Base(c.Name), seglog.RecoveryPointFile) {
			once.Do(func() {
				w.clk.Advance(markDelay)
				for range 30 { // the committer takes either its timer or the call first
					_ = w.d.committer.call(look)
				}
			})
		}
		return nil
	})
	if err := w.d.Close(true, 0); err != nil {
		t.Fatal(err)
	}
	once.Do(func() { t.Error("no checkpoint was written") })
	if n := w.d.counters.commits.Load() - commits; n > 0 {
		t.Errorf("%d commits after the stop began", n)
	}
}
