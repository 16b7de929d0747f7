package dump

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strings"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/seglog"
)

// Sizes of index entries in bytes.
const (
	indexEntryLen     = 8
	timeIndexEntryLen = 12
	txnIndexEntryLen  = 34

	indexReadEntries = 4096 // read at once
)

// entries reads the file's fixed-size entries one by one, to the first that
// visit wants no more after. Left-over bytes at the end are damage.
func (d *file) entries(size int, visit func(i int, b []byte) (more bool)) error {
	var buf []byte
	var err error
	whole := d.size - d.size%int64(size)
	for at := int64(0); at < whole; {
		n := int(min(int64(indexReadEntries*size), whole-at))
		if buf, err = d.readAt(buf, at, n); err != nil {
			return err
		}
		for b := buf; len(b) > 0; b = b[size:] {
			if !visit(int(at)/size, b[:size]) {
				return nil
			}
			at += int64(size)
		}
	}
	if whole != d.size {
		d.corrupt(whole, nil, "%d bytes after the last whole entry of %d", d.size-whole, size)
	}
	return nil
}

// offsetIndex dumps an .index file and holds it against the segment beside it,
// where there is one.
func (d *file) offsetIndex() error {
	base := max(d.base(), 0)
	log, err := d.sibling(".index", ".log")
	if err != nil {
		return err
	}
	last := seglog.IndexEntry{Offset: -1, Position: -1}
	err = d.entries(indexEntryLen, func(i int, b []byte) bool {
		e := seglog.IndexEntryAt(b, base, 0)
		if i > 0 && e.Offset == base {
			d.preallocated(i, indexEntryLen)
			return false
		}
		d.out.line("entry", object{{"offset", e.Offset}, {"position", e.Position}})
		if e.Offset <= last.Offset || e.Position <= last.Position {
			d.corrupt(int64(i)*indexEntryLen, e.Offset, "entry does not follow offset %d, position %d", last.Offset, last.Position)
		}
		last = e
		if log != nil {
			log.holdsAt(d, int64(i)*indexEntryLen, e)
		}
		return true
	})
	if log != nil {
		err = errors.Join(err, log.f.Close())
	}
	return err
}

func (d *file) preallocated(i, size int) {
	at := int64(i) * int64(size)
	d.out.line("entry", object{{"position", at}, {"preallocated zero bytes", d.size - at}})
}

// sibling opens the file beside this one with another suffix; nil when there is none.
func (d *file) sibling(suffix, other string) (*file, error) {
	i := strings.LastIndex(d.path, suffix)
	name := d.path[:i] + other + d.path[i+len(suffix):]
	f, err := d.fs.OpenRead(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s := &file{fs: d.fs, f: f, path: name}
	if s.size, err = f.Size(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

// holdsAt checks that the segment has the batch that an index entry says.
func (d *file) holdsAt(index *file, at int64, e seglog.IndexEntry) {
	h, err := batch.Header{}, io.ErrUnexpectedEOF
	if e.Position >= 0 && e.Position < d.size {
		h, err = d.headerAt(e.Position)
	}
	switch {
	case err != nil:
		index.corrupt(at, e.Offset, "segment has no batch at position %d: %v", e.Position, err)
	case h.LastOffset() != e.Offset:
		index.corrupt(at, e.Offset, "the batch at position %d ends with offset %d", e.Position, h.LastOffset())
	}
}

func (d *file) timeIndex() error {
	base := max(d.base(), 0)
	last := seglog.TimeEntry{Timestamp: math.MinInt64, Offset: -1}
	return d.entries(timeIndexEntryLen, func(i int, b []byte) bool {
		e := seglog.TimeEntryAt(b, base, 0)
		if i > 0 && e.Offset == base && e.Timestamp == 0 {
			d.preallocated(i, timeIndexEntryLen)
			return false
		}
		d.out.line("entry", object{{"timestamp", e.Timestamp}, {"offset", e.Offset}})
		// The last entry may say once more what the one before said.
		if e.Timestamp < last.Timestamp || e.Offset < last.Offset {
			d.corrupt(int64(i)*timeIndexEntryLen, e.Offset, "entry does not follow timestamp %d, offset %d", last.Timestamp, last.Offset)
		}
		last = e
		return true
	})
}

func (d *file) txnIndex() error {
	lastOffset := int64(-1)
	return d.entries(txnIndexEntryLen, func(i int, b []byte) bool {
		at := int64(i) * txnIndexEntryLen
		txns, err := seglog.ParseTxnIndex(b)
		if err != nil || len(txns) != 1 {
			d.corrupt(at, nil, "%v", err)
			return true
		}
		t := txns[0]
		d.out.line("entry", object{{"version", 0}, {"producerId", t.ProducerID}, {"firstOffset", t.FirstOffset}, {"lastOffset", t.LastOffset}, {"lastStableOffset", t.LastStableOffset}})
		if t.LastOffset <= lastOffset || t.FirstOffset > t.LastOffset {
			d.corrupt(at, t.FirstOffset, "transaction %d to %d does not follow last offset %d", t.FirstOffset, t.LastOffset, lastOffset)
		}
		lastOffset = t.LastOffset
		return true
	})
}

const snapshotBytesMax = 256 << 20

func (d *file) producerSnapshot() error {
	b, err := d.whole(snapshotBytesMax)
	if err != nil {
		return err
	}
	entries, err := seglog.DecodeSnapshot(b)
	if err != nil {
		d.corrupt(0, nil, "%v", err)
	}
	for _, e := range entries {
		var txn any
		if e.FirstTxnOffset >= 0 {
			txn = e.FirstTxnOffset
		}
		d.out.line("entry", object{
			{"producerId", e.ProducerID}, {"producerEpoch", e.Epoch}, {"lastSequence", e.LastSequence}, {"lastOffset", e.LastOffset},
			{"offsetDelta", e.OffsetDelta}, {"timestamp", e.Timestamp}, {"coordinatorEpoch", e.CoordinatorEpoch}, {"currentTxnFirstOffset", txn},
		})
	}
	return nil
}

// whole reads the file, which is at most limit bytes.
func (d *file) whole(limit int64) ([]byte, error) {
	if d.size > limit {
		return nil, fmt.Errorf("file of %d bytes is larger than %d", d.size, limit)
	}
	return d.readAt(nil, 0, int(d.size))
}
