package logdir

import (
	"testing"

	"github.com/moldau/moldau/disk/memfs"
)

// TestJournalGrowsBeforeItIsEmptied: as long as few blocks are full a turn that finds no room gets another block, and nobody syncs segments
// for the sake of one.
func TestJournalGrowsBeforeItIsEmptied(t *testing.T) {
	const blocks = 8
	for _, lazy := range []bool{false, true} {
		w := newWorld(t, memfs.New(), func(c *Config) {
			c.JournalBytes, c.lazyJournal = blocks*journalBlockBytesMin, lazy
		})
		w.open()
		w.drain()
		w.create(4, syncOptions())
		closed, most := 0, 0
		for turn := 0; turn < 50*blocks && closed < blocks/2; turn++ {
			w.appendAll(1, 5000)
			for _, l := range w.logs {
				l.awaitDurable()
			}
			w.drain()
			err := w.d.committer.call(func(c *committer) error { closed, most = len(c.j.closed), max(most, c.j.blocks); return nil })
			if err != nil {
				t.Fatal(err)
			}
		}
		if n := w.d.Stats().BackgroundSyncs; n > 0 {
			t.Errorf("%d segments were synced to empty the journal", n)
		}
		if closed < blocks/2 {
			t.Errorf("%d blocks were filled", closed)
		}
		if most > blocks {
			t.Errorf("%d blocks, %d is the bound", most, blocks)
		}
		if err := w.d.Close(true, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAppendsLeaveBlocksForCuts: while the background lane is held up, appends go to
// their segments and marks wait. They do not use up the blocks beyond the bound,
// which would take the directory offline.
func TestAppendsLeaveBlocksForCuts(t *testing.T) {
	w := newWorld(t, memfs.New(), nil)
	w.open()
	w.drain()
	w.create(4, syncOptions())
	hold, held := make(chan struct{}), make(chan error, 1)
	go func() { held <- w.d.background.call(func() error { <-hold; return nil }) }()
	for range 200 {
		w.appendAll(1, 5000)
		for _, l := range w.logs {
			l.awaitDurable()
		}
		w.clk.Advance(markDelay)
		if err := w.d.committer.call(func(*committer) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	var blocks, most int64
	if err := w.d.committer.call(func(c *committer) error { blocks, most = int64(c.j.blocks), c.j.blocksMax(); return nil }); err != nil {
		t.Fatal(err)
	}
	if blocks > most+blocksBeyondMax/2+1 {
		t.Errorf("%d blocks, %d is the bound", blocks, most)
	}
	close(hold)
	if err := <-held; err != nil {
		t.Error(err)
	}
	if err := w.d.Close(true, 0); err != nil {
		t.Fatal(err)
	}
}

// TestJournalLeavesSpaceToRecords: on a disk with little space the journal does not
// grow ahead of the need, though it has a bound of many blocks.
func TestJournalLeavesSpaceToRecords(t *testing.T) {
	fs := memfs.New()
	fs.SetCapacity((spaceBlocks + 1) * journalBlockBytesMin)
	w := newWorld(t, fs, func(c *Config) { c.JournalBytes = 8 * journalBlockBytesMin })
	w.open()
	w.drain()
	w.create(4, syncOptions())
	blocks := 0
	for range 3 {
		w.appendAll(1, 5000)
		for _, l := range w.logs {
			l.awaitDurable()
		}
		w.drain()
		if err := w.d.committer.call(func(c *committer) error { blocks = c.j.blocks; return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if blocks > 1 {
		t.Errorf("%d blocks on a disk with space for few", blocks)
	}
	if err := w.d.Close(true, 0); err != nil {
		t.Fatal(err)
	}
}
