package logdir

import (
	"sync"
	"sync/atomic"

	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/vfs"
)

// segment is one segment's files. Readers find it in the partition's
// published list; the append lane writes it.
type segment struct {
	p    *Partition
	base int64
	// end is the base of the segment behind it; set when it leaves the log.
	end int64
	// size is how many bytes of .log readers may see: whole batches.
	size atomic.Int64
	// entryDurable: the folder's entry of .log was synced.
	entryDurable atomic.Bool
	// unlinked: the files have left the log; what is open stays readable.
	unlinked atomic.Bool

	// pin holds .log open while the segment is active; the lane's. A roll hands
	// it to the job that closes the segment.
	pin vfs.File

	// The committer's: the newest journal block that carries bytes of this
	// segment which no later sync of the file covers; 0 for none.
	journaledIn uint64
	listedIn    uint64 // the block whose list of segments names it

	indexes indexes

	// The handle cache's, under its lock.
	file       vfs.File
	refs       int
	prev, next *segment
}

func (s *segment) name(suffix string) string {
	return s.p.path() + "/" + seglog.FileName(s.base, suffix)
}

// indexes are a segment's offset and time index: what is in the files, and
// the newest entries that are not there yet. They are rebuildable: recovery
// makes them again from the batches that it scans.
//
// Neither the append lane nor a reader ever waits for a file that another lane
// reads or writes here: mu is not held over a call of the file system. Files
// only grow, but for cuts, which readers notice by their count.
type indexes struct {
	files sync.Mutex // held by who writes or cuts the files; taken before mu

	mu        sync.RWMutex
	offsets   []seglog.IndexEntry // not yet in .index
	times     []seglog.TimeEntry  // not yet in .timeindex
	offsetsIn int                 // entries in .index
	timesIn   int                 // entries in .timeindex
	cuts      int
	filesMade bool // guarded by files
}

// indexPendingMax is how many entries wait in memory before they are written.
const indexPendingMax = 128

// add appends entries; it reports whether they should be flushed.
func (x *indexes) add(offsets []seglog.IndexEntry, times []seglog.TimeEntry) bool {
	if len(offsets) == 0 && len(times) == 0 {
		return false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.offsets = append(x.offsets, offsets...)
	x.times = append(x.times, times...)
	return len(x.offsets) >= indexPendingMax || len(x.times) >= indexPendingMax
}

// search looks at the entries in memory, and if they do not tell, at the files,
// which hold so many. A cut meanwhile begins it anew.
func (x *indexes) search(inMemory func() bool, inFiles func(offsetsIn, timesIn int) error) error {
	for {
		x.mu.RLock()
		found, offsetsIn, timesIn, cuts := inMemory(), x.offsetsIn, x.timesIn, x.cuts
		x.mu.RUnlock()
		if found {
			return nil
		}
		err := inFiles(offsetsIn, timesIn)
		x.mu.RLock()
		same := x.cuts == cuts
		x.mu.RUnlock()
		if same {
			return err
		}
	}
}

// flushIndexes writes the entries that wait into the index files. They are
// not synced here. While another lane writes them, it leaves the entries for
// the next time. With final set it waits, and the files are made even when
// there is no entry.
func (s *segment) flushIndexes(fsys vfs.FS, final bool) error {
	x := &s.indexes
	if final {
		x.files.Lock()
	} else if !x.files.TryLock() {
		return nil
	}
	defer x.files.Unlock()
	return s.writeIndexes(fsys, final)
}

// writeIndexes is flushIndexes with the files locked.
func (s *segment) writeIndexes(fsys vfs.FS, final bool) error {
	x := &s.indexes
	evenEmpty := final && !x.filesMade
	x.mu.RLock()
	offsets, times := len(x.offsets), len(x.times)
	var index, timeIndex []byte
	for _, e := range x.offsets {
		index = seglog.AppendIndexEntry(index, s.base, e)
	}
	for _, e := range x.times {
		timeIndex = seglog.AppendTimeEntry(timeIndex, s.base, e)
	}
	indexEnd, timeIndexEnd := int64(x.offsetsIn)*seglog.IndexEntryLen, int64(x.timesIn)*seglog.TimeEntryLen
	x.mu.RUnlock()
	if err := appendTo(fsys, s.name(seglog.IndexSuffix), index, indexEnd, evenEmpty); err != nil {
		return err
	}
	x.wrote(offsets, 0)
	if err := appendTo(fsys, s.name(seglog.TimeIndexSuffix), timeIndex, timeIndexEnd, evenEmpty); err != nil {
		return err
	}
	x.wrote(0, times)
	x.filesMade = x.filesMade || final
	return nil
}

// wrote notes that the first so many of the entries that wait are in the files.
func (x *indexes) wrote(offsets, times int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.offsetsIn += offsets
	x.offsets = append(x.offsets[:0], x.offsets[offsets:]...)
	x.timesIn += times
	x.times = append(x.times[:0], x.times[times:]...)
}

// appendTo writes b at off of a file, which is made if it is missing.
func appendTo(fsys vfs.FS, name string, b []byte, off int64, evenEmpty bool) error {
	if len(b) == 0 && !evenEmpty {
		return nil
	}
	f, err := openOrCreate(fsys, name)
	if err != nil {
		return err
	}
	if len(b) > 0 {
		_, err = f.WriteAt(b, off)
	}
	return firstError(err, f.Close())
}
