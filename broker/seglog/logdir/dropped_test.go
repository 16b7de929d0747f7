package logdir

import (
	"math/rand/v2"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/memfs"
)

// TestFailedSyncIsNotTrustedByTheNext: a sync that fails drops what it was to
// write, while the contents stay readable and the next sync succeeds. A process
// that starts on that directory finds bytes that no sync brings to the disk any
// more; what it acknowledges behind them must survive a power loss all the same.
func TestFailedSyncIsNotTrustedByTheNext(t *testing.T) {
	for name, file := range map[string]string{"files": ".log", "journal": journalPrefix, "file beside the journal": ".log"} {
		t.Run(name, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			fsys := memfs.New()
			w := newWorld(t, fsys, func(c *Config) {
				if name != "files" {
					c.DirectFilesMax, c.lazyJournal = -1, false
				}
				if file == ".log" {
					c.InlineBytesMax = 1000
				}
			})
			w.open()
			if err := fsys.SyncDir("/"); err != nil {
				t.Fatal(err)
			}
			w.drain() // the journal is there
			w.create(1, syncOptions())
			l := w.logs[0]
			l.append(1, 100)
			l.awaitDurable()
			w.checkpoint(false) // there are marks
			l.append(1, 100)
			l.awaitDurable() // and something in the journal
			fsys.OnCall(func(c memfs.Call) error {
				if c.Op == memfs.OpSync && strings.Contains(c.Name, file) {
					return errDisk
				}
				return nil
			})
			w.d.Submit([]Order{l.appendOrder(1, 9000)}) // more than the page that the next write makes dirty
			w.await(func() bool { return l.failed != nil })
			fsys.OnCall(nil)
			_ = w.d.Close(false, 0) // it is offline

			n, _ := reopen(t, w)
			again := n.logs[0]
			again.append(1, 100)
			again.awaitDurable()
			acked := again.log.Next()
			for seed := range uint64(20) {
				checkContents(t, n, fsys.CrashClone(rand.New(rand.NewPCG(seed, 3))), again, acked)
			}
			if err := n.d.Close(true, 0); err != nil {
				t.Fatal(err)
			}
			for seed := range uint64(20) {
				checkContents(t, n, fsys.CrashClone(rand.New(rand.NewPCG(seed, 4))), again, acked)
			}
		})
	}
}

// checkContents opens what a power loss has left and reads the log up to end.
func checkContents(t *testing.T, w *world, clone *memfs.FS, l *testLog, end int64) {
	t.Helper()
	cfg := w.cfg
	cfg.FS = clone
	d, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p, st, err := d.Adopt(l.id, l.opt)
	if err == nil && (standing(st) != seglog.Intact || st.End != end) {
		t.Errorf("the log is %s and ends at %d, want %d: %+v", standing(st), st.End, end, st.Evidence)
	}
	if err == nil {
		err = verifyLog(p, 0, st.End, l.history)
	}
	if err != nil {
		t.Error(err)
	}
	if err := d.Close(false, 0); err != nil {
		t.Fatal(err)
	}
}
