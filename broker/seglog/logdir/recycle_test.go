package logdir

import (
	"testing"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/memfs"
)

// TestRecycleKeepsWhatOnlyTheJournalSays: a block is used again between two
// background syncs, and had the log start, or a cut, of an `os` topic's log with
// unsynced bytes. A killed process leaves both as they were.
func TestRecycleKeepsWhatOnlyTheJournalSays(t *testing.T) {
	for _, c := range []struct {
		name       string
		order      func(os *testLog)
		start, end int64
	}{
		{"log start", func(os *testLog) {
			const start = 3
			os.log.SetLogStart(start)
			os.w.d.Submit([]Order{{P: os.p, Op: seglog.Op{Kind: seglog.OpLogStart, Offset: start}}})
			os.w.await(func() bool { return os.startDone >= start || os.failed != nil })
		}, 3, 12},
		{"cut", func(os *testLog) { os.truncate(5) }, 0, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, memfs.New(), func(c *Config) { c.DirectFilesMax, c.lazyJournal = -1, false })
			w.open()
			w.drain()
			o := syncOptions()
			w.create(1, o)
			o.Durability = kafka.DurabilityOS
			w.create(1, o)
			synced, os := w.logs[0], w.logs[1]
			appendTo := func(n int) {
				for range n {
					os.append(1, 50)
					os.awaitWritten()
				}
			}
			appendTo(8)
			w.checkpoint(false) // the marks know the log as it is now
			appendTo(2)
			c.order(os)
			appendTo(2)
			for closed := 0; closed == 0; {
				synced.append(1, 200)
				synced.awaitDurable()
				if err := w.d.committer.call(func(c *committer) error { closed = len(c.j.closed); return nil }); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.d.background.call(func() error { return w.d.background.checkpoint(true, false) }); err != nil {
				t.Fatal(err)
			}
			if err := w.d.Close(false, 0); err != nil {
				t.Fatal(err)
			}
			n, states := reopen(t, w)
			st := states[os.id]
			if st.LogStart != c.start || st.End != c.end {
				t.Errorf("from %d to %d, not from %d to %d", st.LogStart, st.End, c.start, c.end)
			}
			if cut := st.Evidence.Cut || st.Evidence.Hole || st.Evidence.End < st.Evidence.SyncedThrough; cut {
				t.Errorf("recovery misses something: %+v", st.Evidence)
			}
			if err := n.logs[1].verify(n.logs[1].p, st.LogStart, st.End, os.history); err != nil {
				t.Error(err)
			}
		})
	}
}
