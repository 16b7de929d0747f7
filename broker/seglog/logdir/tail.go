package logdir

import (
	"fmt"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/seglog"
)

// laneState is what the append lane knows of a partition: its log as written.
type laneState struct {
	infos     []seglog.Segment // of each segment in the published list; the last is active
	end       int64            // LEO: one past the last offset written
	start     int64            // log start as ordered
	epochs    seglog.EpochCache
	producers *seglog.ProducerTable // nil until a producer id is seen

	unsynced []*segment // of an `os` topic: written since the last background sync
	doomed   []*segment // have left the log, and have their names still
	logged   bool       // since the last marks the journal was given a log start or a cut
	item     *item      // of this turn, for the committer

	queue    []seglog.Op // orders of this turn, not yet carried out
	touched  bool        // in the turn's list
	changed  bool        // since the last marks: in the lane's list
	used     bool        // changed since Open, or found without all that a clean stop writes
	refusing bool        // after a failed write, until OpResume
	lost     bool        // was told that the directory is offline
}

// active is the segment that is appended to.
func (t *laneState) active() *seglog.Segment { return &t.infos[len(t.infos)-1] }

// take accounts for the batches of ap, which were just written, and returns
// what belongs into the transaction index.
func (t *laneState) take(ap *seglog.Append) ([]seglog.AbortedTxn, error) {
	var aborted []seglog.AbortedTxn
	rest, next := ap.Data.Bytes, ap.FirstOffset
	index, times := ap.Index, ap.Time
	for len(rest) > 0 {
		h, bytes, after, err := batch.Next(rest)
		if err != nil {
			return nil, fmt.Errorf("append at offset %d: %w", next, err)
		}
		if h.BaseOffset != next {
			return nil, fmt.Errorf("append at offset %d: batch has base offset %d", next, h.BaseOffset)
		}
		a := t.active()
		if len(index) > 0 && index[0].Position == a.Size {
			index = index[1:]
			a.SinceIndex = 0
		}
		addBatch(a, &h)
		t.epochs = t.epochs.Assign(h.LeaderEpoch, h.BaseOffset)
		if h.HasProducer() {
			txn, ok, err := t.takeProducer(&h, bytes)
			if err != nil {
				return nil, err
			}
			if ok {
				aborted = append(aborted, txn)
			}
		}
		next, rest = h.NextOffset(), after
	}
	if next != ap.LastOffset+1 {
		return nil, fmt.Errorf("append at offset %d: batches end at %d, not %d", ap.FirstOffset, next, ap.LastOffset+1)
	}
	t.countEntries(ap.Index, times)
	t.end = next
	return aborted, nil
}

// addBatch accounts for a batch at the segment's end.
func addBatch(a *seglog.Segment, h *batch.Header) {
	if a.Size == 0 {
		a.FirstTimestamp = h.MaxTimestamp
	}
	if h.MaxTimestamp > a.MaxTimestamp {
		a.MaxTimestamp, a.MaxTimestampOffset = h.MaxTimestamp, h.LastOffset()
	}
	a.Size += int64(h.Size())
	a.SinceIndex += int64(h.Size())
}

// countEntries accounts for index entries of the active segment.
func (t *laneState) countEntries(index []seglog.IndexEntry, times []seglog.TimeEntry) {
	a := t.active()
	a.IndexEntries += len(index)
	a.TimeEntries += len(times)
	if n := len(times); n > 0 {
		a.IndexedTimestamp = times[n-1].Timestamp
	}
}

func (t *laneState) takeProducer(h *batch.Header, bytes []byte) (seglog.AbortedTxn, bool, error) {
	if t.producers == nil {
		t.producers = seglog.NewProducerTable(0, nil)
	}
	b, err := seglog.ReadBatch(h, bytes)
	if err != nil {
		return seglog.AbortedTxn{}, false, err
	}
	txn, ok := t.producers.Append(&b)
	return txn, ok, nil
}
