package logdir

import (
	"sync/atomic"

	"github.com/moldau/moldau/clock"
)

// counters are written by the lanes.
type counters struct {
	turns, appends, appendedBytes atomic.Uint64
	directSyncs, commits          atomic.Uint64
	journalBytes, backgroundSyncs atomic.Uint64
	marksWritten, segmentsDeleted atomic.Uint64
	deletions                     atomic.Uint64 // of partitions
}

// Stats is a snapshot of the directory's counters.
type Stats struct {
	Turns, Appends, AppendedBytes uint64 // of the append lane
	DirectSyncs                   uint64 // files synced for acknowledgements
	JournalCommits, JournalBytes  uint64
	BackgroundSyncs               uint64
	MarksWritten                  uint64 // times that moldau.marks was written
	SegmentsDeleted               uint64
	PendingBytes                  int64 // of `sync` topics, written and not yet durable
	OpenFiles                     int   // .log files
	Partitions                    int
	// OldestSyncMs is how long the committer's turn has been under way, in ms, 0
	// when none is: beyond moldau.disk.stall.ms the disk hangs.
	OldestSyncMs int64
}

// Stats reads the counters.
func (d *Dir) Stats() Stats {
	c := &d.counters
	s := Stats{
		Turns: c.turns.Load(), Appends: c.appends.Load(), AppendedBytes: c.appendedBytes.Load(),
		DirectSyncs: c.directSyncs.Load(), JournalCommits: c.commits.Load(), JournalBytes: c.journalBytes.Load(),
		BackgroundSyncs: c.backgroundSyncs.Load(), MarksWritten: c.marksWritten.Load(),
		SegmentsDeleted: c.segmentsDeleted.Load(), OpenFiles: d.handles.opened(),
	}
	d.committer.mu.Lock()
	s.PendingBytes = d.committer.backlog
	d.committer.mu.Unlock()
	d.mu.Lock()
	s.Partitions = len(d.parts)
	d.mu.Unlock()
	if since := d.committer.started.Load(); since != 0 {
		s.OldestSyncMs = d.cfg.Clock.Mono().Sub(clock.Mono(since)).Milliseconds()
	}
	return s
}
