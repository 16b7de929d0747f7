package memnet

import (
	"errors"
	"io"
	"sync"

	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/net/transport"
)

const (
	// ringBytesMax bounds the bytes under way in one direction.
	ringBytesMax = 256 << 10
	// ringBytesMin is what a direction begins with. Both are powers of two.
	ringBytesMin = 4 << 10
)

// ErrReset: the peer closed the connection, so that nobody reads what is written.
var ErrReset = errors.New("connection reset by peer")

// ring is one direction of a connection: one writer, one reader.
//
// The writer alone grows bytes and fills what is free; the reader alone
// advances head. So the writer may fill a free part without holding mu.
type ring struct {
	reader, writer side
	over           <-chan struct{} // of the network

	mu           sync.Mutex
	bytes        []byte // a power of two long
	head         int    // of the oldest unread byte
	length       int    // of the unread bytes
	readerClosed bool
	writerClosed bool
}

// side is one end of a ring. The goroutine that reads or writes owns timer.
type side struct {
	clock    clock.Clock
	wake     chan struct{} // one slot
	timer    clock.Timer
	waiting  bool       // guarded by the ring's mu, as are the next two
	limited  bool       // deadline holds
	deadline clock.Mono //
}

func newRing(c clock.Clock, over <-chan struct{}) *ring {
	return &ring{
		over:   over,
		reader: side{clock: c, wake: make(chan struct{}, 1)},
		writer: side{clock: c, wake: make(chan struct{}, 1)},
	}
}

// rouse wakes the side if it waits. The caller holds the ring's mu.
func (s *side) rouse() {
	if s.waiting {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// expired reports whether the deadline is over. The caller holds the ring's mu.
func (s *side) expired() bool { return s.limited && s.clock.Mono() >= s.deadline }

// wait unlocks mu, waits to be roused or for the deadline, and locks mu, even
// if a clock ends the goroutine meanwhile, as the simulator's does in a crash.
func (s *side) wait(mu *sync.Mutex, over <-chan struct{}) {
	s.waiting = true
	limited, deadline := s.limited, s.deadline
	mu.Unlock()
	defer func() {
		mu.Lock()
		s.waiting = false
	}()
	if limited {
		left := deadline.Sub(s.clock.Mono())
		if s.timer == nil {
			s.timer = s.clock.NewTimer(left)
		} else {
			s.timer.Reset(left)
		}
		select {
		case <-s.wake:
		case <-s.timer.C():
		case <-over:
		}
		s.timer.Stop()
	} else {
		select {
		case <-s.wake:
		case <-over:
		}
	}
}

// limit sets the deadline of a side of r.
func (r *ring) limit(s *side, limited bool, deadline clock.Mono) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.limited, s.deadline = limited, deadline
	s.rouse()
}

// read takes at least one byte, waiting for it.
func (r *ring) read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		switch {
		case r.readerClosed, isClosed(r.over):
			return 0, transport.ErrClosed
		case len(p) == 0:
			return 0, nil
		case r.reader.expired():
			return 0, transport.ErrTimeout
		case r.length > 0:
			return r.take(p), nil
		case r.writerClosed:
			return 0, io.EOF
		}
		r.reader.wait(&r.mu, r.over)
	}
}

// take copies unread bytes out. The caller holds mu.
func (r *ring) take(p []byte) int {
	p = p[:min(len(p), r.length)]
	n := copy(p, r.bytes[r.head:])
	copy(p[n:], r.bytes)
	r.length -= len(p)
	r.head = (r.head + len(p)) & (len(r.bytes) - 1)
	r.writer.rouse()
	return len(p)
}

// reserve waits for room and returns a free part of the ring, at least one and
// at most want bytes, which commit then hands to the reader.
func (r *ring) reserve(want int) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		if err := r.writeError(); err != nil {
			return nil, err
		}
		r.grow(want)
		if r.length < len(r.bytes) {
			tail := (r.head + r.length) & (len(r.bytes) - 1)
			free := min(len(r.bytes)-r.length, len(r.bytes)-tail)
			return r.bytes[tail:][:min(free, want)], nil
		}
		r.writer.wait(&r.mu, r.over)
	}
}

// commit hands n bytes of what reserve returned to the reader.
func (r *ring) commit(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.length += n
	r.reader.rouse()
}

// grow makes room for want more bytes as far as the bound allows.
func (r *ring) grow(want int) {
	size := max(len(r.bytes), ringBytesMin)
	for size < ringBytesMax && size-r.length < want {
		size *= 2
	}
	if size == len(r.bytes) {
		return
	}
	bigger := make([]byte, size)
	n := copy(bigger, r.bytes[r.head:min(r.head+r.length, len(r.bytes))])
	copy(bigger[n:], r.bytes[:r.length-n])
	r.bytes, r.head = bigger, 0
}

// write copies all of p in, waiting for room.
func (r *ring) write(p []byte) (done int, err error) {
	for done < len(p) {
		part, err := r.reserve(len(p) - done)
		if err != nil {
			return done, err
		}
		n := copy(part, p[done:])
		r.commit(n)
		done += n
	}
	return done, nil
}

// writable returns the error that a write would meet at once.
func (r *ring) writable() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.writeError()
}

// writeError says why nothing can be written. The caller holds mu.
func (r *ring) writeError() error {
	switch {
	case r.writerClosed, isClosed(r.over):
		return transport.ErrClosed
	case r.readerClosed:
		return ErrReset
	case r.writer.expired():
		return transport.ErrTimeout
	}
	return nil
}

// closeReader ends the reading side: unread bytes are lost, writes fail. It
// tells whether the side was open.
func (r *ring) closeReader() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	open := !r.readerClosed
	r.readerClosed = true
	r.reader.rouse()
	r.writer.rouse()
	return open
}

// closeWriter ends the writing side: the reader gets the rest, then io.EOF.
func (r *ring) closeWriter() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writerClosed = true
	r.reader.rouse()
	r.writer.rouse()
}
