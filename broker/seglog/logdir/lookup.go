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
	x := &s.indexes
	x.mu.RLock()
	defer x.mu.RUnlock()
	if n := len(x.offsets); n > 0 && x.offsets[0].Offset <= offset {
		e, _ := seglog.SearchIndex(n, func(i int) seglog.IndexEntry { return x.offsets[i] }, offset)
		return e.Position, nil
	}
	e, ok, err := searchFile(fsys, s.name(seglog.IndexSuffix), x.offsetsIn, seglog.IndexEntryLen, func(n int, at func(int) []byte) (seglog.IndexEntry, bool) {
		return seglog.SearchIndex(n, func(i int) seglog.IndexEntry { return seglog.IndexEntryAt(at(i), s.base, 0) }, offset)
	})
	if err != nil || !ok {
		return 0, err
	}
	return e.Position, nil
}

// indexedBelow is the greatest indexed position at or below position.
func (s *segment) indexedBelow(fsys vfs.FS, position int64) (int64, error) {
	byPosition := func(n int, at func(int) seglog.IndexEntry) (seglog.IndexEntry, bool) {
		return seglog.SearchIndex(n, func(i int) seglog.IndexEntry {
			e := at(i)
			return seglog.IndexEntry{Offset: e.Position, Position: e.Position}
		}, position)
	}
	x := &s.indexes
	x.mu.RLock()
	defer x.mu.RUnlock()
	if n := len(x.offsets); n > 0 && x.offsets[0].Position <= position {
		e, _ := byPosition(n, func(i int) seglog.IndexEntry { return x.offsets[i] })
		return e.Position, nil
	}
	e, ok, err := searchFile(fsys, s.name(seglog.IndexSuffix), x.offsetsIn, seglog.IndexEntryLen, func(n int, at func(int) []byte) (seglog.IndexEntry, bool) {
		return byPosition(n, func(i int) seglog.IndexEntry { return seglog.IndexEntryAt(at(i), s.base, 0) })
	})
	if err != nil || !ok {
		return 0, err
	}
	return e.Position, nil
}

// timed is the last time index entry at or below timestamp.
func (s *segment) timed(fsys vfs.FS, timestamp int64) (seglog.TimeEntry, bool, error) {
	x := &s.indexes
	x.mu.RLock()
	defer x.mu.RUnlock()
	if n := len(x.times); n > 0 && x.times[0].Timestamp <= timestamp {
		e, _ := seglog.SearchTime(n, func(i int) seglog.TimeEntry { return x.times[i] }, timestamp)
		return e, true, nil
	}
	return searchFile(fsys, s.name(seglog.TimeIndexSuffix), x.timesIn, seglog.TimeEntryLen, func(n int, at func(int) []byte) (seglog.TimeEntry, bool) {
		return seglog.SearchTime(n, func(i int) seglog.TimeEntry { return seglog.TimeEntryAt(at(i), s.base, 0) }, timestamp)
	})
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
