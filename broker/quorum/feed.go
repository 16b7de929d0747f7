package quorum

import (
	"sort"

	"github.com/moldau/moldau/broker/raftmeta"
)

// feed is the committed records since some offset, as batches for observers.
// Who asks for less gets the snapshot. The loop owns it.
//
// Invariant: the newest snapshot ends at start or later, or start is 0.
type feed struct {
	start      int64 // first offset contained
	startEpoch int32 // epoch of the record before start, 0 if there is none
	next       int64 // after the last one
	batches    []raftmeta.Applied
	bytes      int64
	sinceSnap  int64 // bytes since the last snapshot
}

// restore begins anew behind a snapshot.
func (f *feed) restore(id raftmeta.SnapshotID) {
	*f = feed{start: id.EndOffset, startEpoch: id.Epoch, next: id.EndOffset}
}

// append adds the next committed batch.
func (f *feed) append(a raftmeta.Applied) {
	f.batches = append(f.batches, a)
	f.bytes += int64(len(a.Batch))
	f.sinceSnap += int64(len(a.Batch))
	f.next = a.NextOffset
}

// trim drops the oldest batches that a snapshot up to end contains, but for
// trailing bytes.
func (f *feed) trim(end, trailing int64) {
	n := 0
	for n < len(f.batches) && f.batches[n].NextOffset <= end && f.bytes > trailing {
		f.bytes -= int64(len(f.batches[n].Batch))
		f.start, f.startEpoch = f.batches[n].NextOffset, f.batches[n].Epoch
		n++
	}
	f.batches = append([]raftmeta.Applied(nil), f.batches[n:]...)
	f.sinceSnap = 0
	for i := len(f.batches) - 1; i >= 0 && f.batches[i].NextOffset > end; i-- {
		f.sinceSnap += int64(len(f.batches[i].Batch))
	}
}

// endOfEpoch is the greatest epoch at or below epoch that the feed knows, and
// where its records end.
func (f *feed) endOfEpoch(epoch int32) (found int32, end int64) {
	i := sort.Search(len(f.batches), func(i int) bool { return f.batches[i].Epoch > epoch })
	if i == 0 {
		return f.startEpoch, f.start
	}
	return f.batches[i-1].Epoch, f.batches[i-1].NextOffset
}

type position uint8

const (
	positionValid    position = iota
	positionDiverges          // not a prefix of this log
	positionTooOld            // before the feed: take the snapshot
	positionAhead             // it goes on where this one ends, for all that is known here
)

// check says whether a log that ends at offset with a record of lastEpoch is a
// prefix of this one, or this one perhaps a prefix of it; if not, where the two
// part.
//
// Both logs hold committed records only, so the longer one is no mistake: a
// controller learns of a commit later than others where its loop is late, where it
// is out of office, and where it has lost the office without knowing it yet, as one
// that was stopped and goes on. Only a record that both have tells them apart.
func (f *feed) check(offset int64, lastEpoch int32) (p position, epoch int32, end int64) {
	if offset == 0 && f.start == 0 {
		return positionValid, 0, 0
	}
	if offset < f.start {
		return positionTooOld, 0, 0
	}
	if offset <= f.next && f.epochBefore(offset) == lastEpoch {
		return positionValid, 0, 0
	}
	if epoch, end = f.endOfEpoch(lastEpoch); epoch > lastEpoch {
		return positionTooOld, 0, 0
	}
	if offset > f.next && end == f.next {
		return positionAhead, 0, 0
	}
	return positionDiverges, epoch, min(end, offset)
}

// epochBefore is the epoch of the record before offset, which is in the feed
// or at its start.
func (f *feed) epochBefore(offset int64) int32 {
	if offset <= f.start {
		return f.startEpoch
	}
	return f.batches[f.find(offset-1)].Epoch
}

// size is how many bytes lie at offset and behind, counted up to limit.
func (f *feed) size(offset int64, limit int) (bytes int) {
	for i := f.find(offset); i < len(f.batches) && bytes < limit; i++ {
		bytes += len(f.batches[i].Batch)
	}
	return bytes
}

func (f *feed) find(offset int64) int {
	return sort.Search(len(f.batches), func(i int) bool { return f.batches[i].NextOffset > offset })
}

// read copies whole batches from the one that contains offset on: the first
// one in any case, more while they fit into bytesMax.
func (f *feed) read(offset int64, bytesMax int) []byte {
	i := f.find(offset)
	last, total := i, 0
	for last < len(f.batches) && (last == i || total+len(f.batches[last].Batch) <= bytesMax) {
		total += len(f.batches[last].Batch)
		last++
	}
	out := make([]byte, 0, total)
	for ; i < last; i++ {
		out = append(out, f.batches[i].Batch...)
	}
	return out
}

// endAt is the offset after the last committed record in a log that ends with
// raft's entry index.
func (f *feed) endAt(index uint64) int64 {
	n := sort.Search(len(f.batches), func(i int) bool { return f.batches[i].Index > index })
	if n == 0 {
		return f.start
	}
	return f.batches[n-1].NextOffset
}
