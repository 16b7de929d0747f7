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
type indexes struct {
	mu        sync.RWMutex
	offsets   []seglog.IndexEntry // not yet in .index
	times     []seglog.TimeEntry  // not yet in .timeindex
	offsetsIn int                 // entries in .index
	timesIn   int                 // entries in .timeindex
	filesMade bool
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

// flushIndexes writes the entries that wait into the index files. They are
// not synced here. With final set the files are made even when there is no entry.
func (s *segment) flushIndexes(fsys vfs.FS, final bool) error {
	x := &s.indexes
	x.mu.Lock()
	defer x.mu.Unlock()
	var buf []byte
	for _, e := range x.offsets {
		buf = seglog.AppendIndexEntry(buf, s.base, e)
	}
	evenEmpty := final && !x.filesMade
	if err := appendTo(fsys, s.name(seglog.IndexSuffix), buf, int64(x.offsetsIn)*seglog.IndexEntryLen, evenEmpty); err != nil {
		return err
	}
	x.offsetsIn += len(x.offsets)
	x.offsets, buf = x.offsets[:0], buf[:0]
	for _, e := range x.times {
		buf = seglog.AppendTimeEntry(buf, s.base, e)
	}
	if err := appendTo(fsys, s.name(seglog.TimeIndexSuffix), buf, int64(x.timesIn)*seglog.TimeEntryLen, evenEmpty); err != nil {
		return err
	}
	x.timesIn += len(x.times)
	x.times = x.times[:0]
	x.filesMade = x.filesMade || final
	return nil
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
