package logdir

import (
	"errors"
	"fmt"
	"io"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/vfs"
)

// headers reads the headers of a segment's batches, one window of the file at
// a time.
type headers struct {
	f    vfs.File
	size int64 // bytes of whole batches
	buf  []byte
	at   int64 // position of buf
}

// headerWindowBytes is what is read at once: one index interval and some.
const headerWindowBytes = 8 << 10

// read returns the header of the batch at position.
func (h *headers) read(position int64) (batch.Header, error) {
	if position < h.at || position+batch.HeaderSize > h.at+int64(len(h.buf)) {
		n := min(headerWindowBytes, h.size-position)
		if n < batch.HeaderSize {
			return batch.Header{}, fmt.Errorf("%w: %s: no batch at position %d of %d", ErrCorrupt, h.f.Name(), position, h.size)
		}
		if cap(h.buf) == 0 {
			h.buf = make([]byte, headerWindowBytes)
		}
		h.buf, h.at = h.buf[:n], position
		if _, err := h.f.ReadAt(h.buf, position); err != nil {
			h.buf = h.buf[:0]
			if errors.Is(err, io.EOF) {
				return batch.Header{}, fmt.Errorf("%w: %s is shorter than %d bytes", ErrOutOfRange, h.f.Name(), position+n)
			}
			return batch.Header{}, err
		}
	}
	head, err := batch.ParseHeader(h.buf[position-h.at:])
	if err == nil && position+int64(head.Size()) > h.size {
		err = fmt.Errorf("batch of %d bytes does not end in the segment", head.Size())
	}
	if err != nil {
		return head, fmt.Errorf("%w: %s, position %d: %w", ErrCorrupt, h.f.Name(), position, err)
	}
	return head, nil
}

// find returns the position and header of the first batch that ends at or
// above offset, searching from the position from, where a batch begins. The
// position is the segment's size when there is none.
func (h *headers) find(from, offset int64) (int64, batch.Header, error) {
	for from < h.size {
		head, err := h.read(from)
		if err != nil {
			return 0, head, err
		}
		if head.LastOffset() >= offset {
			return from, head, nil
		}
		from += int64(head.Size())
	}
	return h.size, batch.Header{}, nil
}

// indexed is the position of a batch at or below offset's, by the offset
// index; 0 without an entry.
func (s *segment) indexed(fsys vfs.FS, offset int64) (int64, error) {
	return s.searchOffsets(fsys, func(n int, at func(int) seglog.IndexEntry) (seglog.IndexEntry, bool) {
		return seglog.SearchIndex(n, at, offset)
	})
}

// indexedBelow is the greatest indexed position at or below position.
func (s *segment) indexedBelow(fsys vfs.FS, position int64) (int64, error) {
	return s.searchOffsets(fsys, func(n int, at func(int) seglog.IndexEntry) (seglog.IndexEntry, bool) {
		return seglog.SearchIndex(n, func(i int) seglog.IndexEntry {
			e := at(i)
			return seglog.IndexEntry{Offset: e.Position, Position: e.Position}
		}, position)
	})
}

// searchOffsets looks for an entry of the offset index and returns its
// position; 0 without one.
func (s *segment) searchOffsets(fsys vfs.FS, search func(n int, at func(int) seglog.IndexEntry) (seglog.IndexEntry, bool)) (int64, error) {
	x := &s.indexes
	var e seglog.IndexEntry
	err := x.search(func() (found bool) {
		e, found = search(len(x.offsets), func(i int) seglog.IndexEntry { return x.offsets[i] })
		return found
	}, func(offsetsIn, _ int) (err error) {
		e = seglog.IndexEntry{}
		found, ok, err := searchFile(fsys, s.name(seglog.IndexSuffix), offsetsIn, seglog.IndexEntryLen, func(n int, at func(int) []byte) (seglog.IndexEntry, bool) {
			return search(n, func(i int) seglog.IndexEntry { return seglog.IndexEntryAt(at(i), s.base, 0) })
		})
		if ok {
			e = found
		}
		return err
	})
	return e.Position, err
}

// timed is the last time index entry at or below timestamp.
func (s *segment) timed(fsys vfs.FS, timestamp int64) (e seglog.TimeEntry, ok bool, err error) {
	x := &s.indexes
	err = x.search(func() bool {
		e, ok = seglog.SearchTime(len(x.times), func(i int) seglog.TimeEntry { return x.times[i] }, timestamp)
		return ok
	}, func(_, timesIn int) (err error) {
		e, ok, err = searchFile(fsys, s.name(seglog.TimeIndexSuffix), timesIn, seglog.TimeEntryLen, func(n int, at func(int) []byte) (seglog.TimeEntry, bool) {
			return seglog.SearchTime(n, func(i int) seglog.TimeEntry { return seglog.TimeEntryAt(at(i), s.base, 0) }, timestamp)
		})
		return err
	})
	return e, ok, err
}

// indexReadMax is how large an index is read in one piece for a search.
const indexReadMax = 32 << 10

// searchFile opens an index of n entries and lets search look at them.
func searchFile[E any](fsys vfs.FS, file string, n, entryLen int, search func(n int, at func(i int) []byte) (E, bool)) (e E, ok bool, err error) {
	if n == 0 {
		return e, false, nil
	}
	f, err := fsys.OpenRead(file)
	if err != nil {
		return e, false, ignoreMissing(err) // indexes are a help, not the log
	}
	defer func() { err = firstError(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return e, false, err
	}
	n = min(n, int(size)/entryLen)
	whole := n*entryLen <= indexReadMax
	buf := make([]byte, entryLen)
	if whole {
		buf = make([]byte, n*entryLen)
		if _, err := f.ReadAt(buf, 0); err != nil && !errors.Is(err, io.EOF) {
			return e, false, err
		}
	}
	var failed error
	e, ok = search(n, func(i int) []byte {
		if whole {
			return buf[i*entryLen:]
		}
		if _, err := f.ReadAt(buf, int64(i)*int64(entryLen)); err != nil && !errors.Is(err, io.EOF) {
			failed = err
		}
		return buf
	})
	return e, ok, failed
}
