package logdir

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/vfs"
)

// Extent is a range of whole batches in one file. It keeps the file open,
// also when its segment is deleted meanwhile, until Release.
type Extent struct {
	File vfs.File
	Off  int64
	Len  int64
	// Next is one past the last offset of the range, or above it where the
	// offsets up to there are in no batch; -1 where it is not known.
	Next int64

	s    *segment
	cuts int64
}

// Valid reports whether the bytes are still those that the plan allowed: no
// truncation of the partition began since Read. Ask after the bytes were
// copied or sent and before the answer counts as whole; if not, close the
// connection or answer an error.
func (e *Extent) Valid() bool { return e.s.p.cuts.Load() == e.cuts }

// Release lets go of the file. The Extent must not be used afterwards.
func (e *Extent) Release() {
	e.s.p.d.handles.release(e.s)
	e.s, e.File = nil, nil
}

// Read finds the bytes that plan allows: whole batches of one segment, from
// the one that holds plan.From on, each of which ends at or below plan.UpTo. It
// returns nil without an error when there is nothing to read (From at UpTo, or
// the first batch larger than MaxBytes without AtLeastOne). Errors: ErrOutOfRange,
// ErrCorrupt, ErrOffline, or the file system's.
func (p *Partition) Read(plan seglog.ReadPlan) (*Extent, error) {
	if err := p.d.Err(); err != nil {
		return nil, err
	}
	cuts := p.cuts.Load()
	segs := p.segments()
	if plan.From >= plan.UpTo {
		return nil, nil
	}
	i := segmentAt(segs, plan.From)
	if i < 0 {
		return nil, fmt.Errorf("read %s-%d at offset %d: %w", p.topic, p.id.Partition, plan.From, ErrOutOfRange)
	}
	for ; i < len(segs) && segs[i].base < plan.UpTo; i++ {
		e, found, err := p.readSegment(segs[i], &plan)
		if err != nil {
			return nil, fmt.Errorf("read %s-%d at offset %d: %w", p.topic, p.id.Partition, plan.From, err)
		}
		if e != nil {
			e.cuts = cuts
		}
		if found {
			return e, nil
		}
	}
	return nil, nil
}

// segmentAt is the index of the segment that offset lies in, -1 if it lies below all.
func segmentAt(segs []*segment, offset int64) int {
	i, found := slices.BinarySearchFunc(segs, offset, func(s *segment, offset int64) int { return int(min(1, max(-1, s.base-offset))) })
	if found {
		return i
	}
	return i - 1
}

// readSegment is Read in one segment; found is false when it holds nothing at
// or above plan.From.
func (p *Partition) readSegment(s *segment, plan *seglog.ReadPlan) (e *Extent, found bool, err error) {
	size := s.size.Load()
	if size == 0 {
		return nil, false, nil
	}
	f, err := p.d.handles.acquire(s)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, false, ErrOutOfRange
		}
		return nil, false, err
	}
	e = &Extent{File: f, s: s, Next: -1}
	h := headers{f: f, size: size}
	if found, err = e.bound(&h, plan); err != nil || !found || e.Len == 0 {
		e.Release()
		return nil, found, inSegment(s, err)
	}
	return e, true, nil
}

// bound sets where the extent begins and how long it is.
func (e *Extent) bound(h *headers, plan *seglog.ReadPlan) (found bool, err error) {
	first, err := e.begin(h, plan)
	if err != nil || e.Off >= h.size {
		return false, err
	}
	end := h.size
	if plan.End.Segment == e.s.base {
		end = min(end, plan.End.Byte)
	} else if end, err = e.endBelow(h, plan.UpTo); err != nil {
		return true, err
	}
	if end <= e.Off {
		return true, e.beyond(h, plan)
	}
	if end-e.Off <= int64(plan.MaxBytes) {
		e.Len, e.Next = end-e.Off, e.nextAt(plan.UpTo)
		return true, nil
	}
	if first.Length == 0 {
		if first, err = h.read(e.Off); err != nil {
			return true, err
		}
	}
	limit := e.Off + int64(plan.MaxBytes)
	if e.Off+int64(first.Size()) > limit {
		if plan.AtLeastOne {
			e.Len, e.Next = int64(first.Size()), first.NextOffset()
		}
		return true, nil
	}
	end, err = e.lastWhole(h, limit)
	e.Len = end - e.Off
	return true, err
}

// beyond is the error of a segment whose batch at plan.From, read anew, claims to
// begin at plan.UpTo or above: what ends below is in the file, so that batch's
// offset, which no checksum covers, is wrong.
func (e *Extent) beyond(h *headers, plan *seglog.ReadPlan) error {
	h.buf = h.buf[:0]
	head, err := h.read(e.Off)
	if err == nil && head.BaseOffset >= plan.UpTo {
		err = fmt.Errorf("%w: %s, position %d: a batch at offset %d where one below %d is", ErrCorrupt, h.f.Name(), e.Off, head.BaseOffset, plan.UpTo)
	}
	return err
}

// begin finds the first batch; its header only where that had to be read.
func (e *Extent) begin(h *headers, plan *seglog.ReadPlan) (batch.Header, error) {
	if plan.Start.Segment == e.s.base && plan.From >= e.s.base {
		e.Off = plan.Start.Byte
		return batch.Header{}, nil
	}
	from := int64(0)
	if plan.From > e.s.base {
		var err error
		if from, err = e.s.indexed(e.s.p.d.cfg.FS, plan.From); err != nil {
			return batch.Header{}, err
		}
	}
	off, head, err := h.find(from, plan.From)
	if err != nil && from > 0 { // the index may be wrong, the log decides
		off, head, err = h.find(0, plan.From)
	}
	e.Off = off
	return head, err
}

// endBelow is the position behind the last batch that ends at or below upTo.
func (e *Extent) endBelow(h *headers, upTo int64) (int64, error) {
	segs := e.s.p.segments()
	if i := segmentAt(segs, upTo-1); i >= 0 && segs[i].base > e.s.base {
		return h.size, nil // upTo lies in a later segment
	}
	from, err := e.s.indexed(e.s.p.d.cfg.FS, upTo)
	if err != nil {
		return 0, err
	}
	from = max(from, e.Off)
	end, _, err := h.find(from, upTo)
	if err != nil && from > e.Off {
		end, _, err = h.find(e.Off, upTo)
	}
	return end, err
}

// nextAt is upTo, or where the next segment begins.
func (e *Extent) nextAt(upTo int64) int64 {
	segs := e.s.p.segments()
	if i := segmentAt(segs, e.s.base); i >= 0 && i+1 < len(segs) {
		return min(upTo, segs[i+1].base)
	}
	return upTo
}

// lastWhole is the end of the last batch that ends at or below limit.
func (e *Extent) lastWhole(h *headers, limit int64) (int64, error) {
	from, err := e.s.indexedBelow(e.s.p.d.cfg.FS, limit)
	if err != nil {
		return 0, err
	}
	at := max(from, e.Off)
	for at < h.size {
		head, err := h.read(at)
		if err != nil {
			return at, err
		}
		if at+int64(head.Size()) > limit {
			e.Next = head.BaseOffset
			return at, nil
		}
		at += int64(head.Size())
	}
	return at, nil
}
