// Package buffer holds the memory that record bytes travel in from a
// connection's reader to the log, without a copy. A Frame is one request's
// memory; a Slice is a part of it with one owner, who moves with the message
// that carries it. The owner releases it exactly once; when the last Slice of
// a Frame is released, its memory goes back to where it came from.
package buffer

import (
	"sync/atomic"

	"github.com/moldau/moldau/internal/invariant"
)

// Frame is the memory of one request. Make it with NewFrame.
type Frame struct {
	bytes []byte
	refs  atomic.Int32
	home  Home
}

// Home takes back the memory of frames that nobody refers to any more: the
// request-memory budget. It may be called from any goroutine and must not wait.
type Home interface {
	TakeBack(bytes []byte)
}

// NewFrame wraps bytes; the caller holds the first reference. A nil home
// leaves the memory to the collector.
func NewFrame(bytes []byte, home Home) *Frame {
	f := &Frame{bytes: bytes, home: home}
	f.refs.Store(1)
	return f
}

// Bytes is the whole memory. It must not be used after the last Release.
func (f *Frame) Bytes() []byte { return f.bytes }

// Slice takes a reference and returns the part b of the frame as a Slice.
// b must lie within Bytes.
func (f *Frame) Slice(b []byte) Slice {
	n := f.refs.Add(1)
	invariant.Check(n > 1, "slice of a released frame")
	return Slice{Bytes: b, frame: f}
}

// Release gives up one reference.
func (f *Frame) Release() {
	n := f.refs.Add(-1)
	invariant.Check(n >= 0, "frame released too often")
	if n == 0 && f.home != nil {
		b := f.bytes
		f.bytes = nil
		f.home.TakeBack(b)
	}
}

// Slice is a part of a Frame with one owner. The zero Slice is empty.
type Slice struct {
	Bytes []byte
	frame *Frame
}

// Own wraps memory that belongs to nobody else (batches that the broker itself encodes).
func Own(b []byte) Slice { return Slice{Bytes: b} }

// Share takes another reference to the same part, for a second owner. The
// bytes do not change from then on.
func (s Slice) Share() Slice {
	if s.frame != nil {
		n := s.frame.refs.Add(1)
		invariant.Check(n > 1, "share of a released frame")
	}
	return s
}

// Release gives the part back. The Slice must not be used afterwards.
func (s Slice) Release() {
	if s.frame != nil {
		s.frame.Release()
	}
}
