package logdir

import (
	"errors"
	"fmt"
	"io"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/seglog"
)

// segmentError is an error of a segment's bytes.
type segmentError struct {
	base int64
	err  error
}

func (e *segmentError) Error() string { return e.err.Error() }
func (e *segmentError) Unwrap() error { return e.err }

// inSegment adds to ErrCorrupt where it was found.
func inSegment(s *segment, err error) error {
	if errors.Is(err, ErrCorrupt) {
		return &segmentError{s.base, err}
	}
	return err
}

// Confirm says whether an ErrCorrupt that a read returned is damage of the log:
// it reads the whole segment once more, without any index, and returns ErrCorrupt
// if a batch of it fails. Nil: an index was wrong, the bytes were read wrongly that
// once, or the segment was cut or deleted since.
func (p *Partition) Confirm(found error) error {
	var in *segmentError
	if !errors.As(found, &in) {
		return nil
	}
	cuts := p.cuts.Load()
	segs := p.segments()
	i := segmentAt(segs, in.base)
	if i < 0 || segs[i].base != in.base {
		return nil
	}
	err := p.scrub(segs[i])
	if !errors.Is(err, ErrCorrupt) || p.cuts.Load() != cuts {
		return nil
	}
	return p.wrapRead(err)
}

// scrub checks every batch of a segment.
func (p *Partition) scrub(s *segment) error {
	h, err := p.openHeaders(s)
	if err != nil || h.size == 0 {
		return err
	}
	defer p.d.handles.release(s)
	return h.checkFrom(0)
}

// Verify checks the batches that plan allows, their records too, as a Read and who
// gets what it opened do between them. It waits on the disk. Errors: Read's; ErrCorrupt
// is what Confirm takes.
func (p *Partition) Verify(plan seglog.ReadPlan) error {
	e, err := p.Read(plan)
	if err != nil || e == nil {
		return err
	}
	defer e.Release()
	h := headers{f: e.File, size: e.Off + e.Len}
	if err = h.checkFrom(e.Off); err == nil || !e.Valid() { // cut off meanwhile
		return nil
	}
	return p.wrapRead(inSegment(e.s, err))
}

// checkFrom checks every batch from a position on.
func (h *headers) checkFrom(at int64) error {
	var buf []byte
	for at < h.size {
		head, err := h.read(at) // which ends within the segment
		if err != nil {
			return err
		}
		if cap(buf) < head.Size() {
			buf = make([]byte, head.Size())
		}
		buf = buf[:head.Size()]
		if n, err := h.f.ReadAt(buf, at); n < len(buf) && err != nil && !errors.Is(err, io.EOF) {
			return err
		} else if n < len(buf) {
			return nil // cut off meanwhile
		}
		if err := batch.CheckCRC(buf); err != nil {
			return fmt.Errorf("%w: %s, position %d: %w", ErrCorrupt, h.f.Name(), at, err)
		}
		at += int64(head.Size())
	}
	return nil
}
