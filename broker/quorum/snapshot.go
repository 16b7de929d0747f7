package quorum

import (
	"cmp"
	"errors"

	"github.com/hashicorp/raft"

	"github.com/moldau/moldau/clock"
)

// maybeSnapshot begins a snapshot when enough was committed since the last, or
// anything long ago.
// It runs beside the loop; raft makes one at a time.
func (l *loop) maybeSnapshot(now clock.Mono) {
	old := l.cfg.SnapshotInterval > 0 && l.feed.sinceSnap > 0 && now.Sub(l.snapshotAt) >= l.cfg.SnapshotInterval
	due := old || l.feed.sinceSnap >= l.cfg.SnapshotBytes
	if !due || now < l.snapshotNext || l.snapshotting || l.stop != nil || l.cfg.Holder.Load().InTransaction() {
		return
	}
	l.snapshotting = true
	l.helpers.Add(1)
	r := l.raft()
	go func() {
		defer l.helpers.Done()
		err := r.Snapshot().Error()
		l.inbox.Offer(snapshotDone{err})
	}()
}

func (l *loop) snapshotEnded(err error) {
	l.snapshotting = false
	l.snapshotAt = l.cfg.Clock.Mono()
	if err != nil {
		l.snapshotNext = l.cfg.Clock.Mono().Add(snapshotRetry)
		if !errors.Is(err, raft.ErrNothingNewToSnapshot) && !errors.Is(err, raft.ErrRaftShutdown) {
			l.cfg.Events.Emit(SnapshotFailed{Err: err})
		}
		return
	}
	if id, ok := l.cfg.Store.Snapshots.Latest(); ok {
		l.feed.trim(id.EndOffset, max(0, cmp.Or(l.cfg.TrailingBytes, feedTrailingBytes)))
		l.cfg.Events.Emit(SnapshotWritten{Name: id.String()})
	}
}
