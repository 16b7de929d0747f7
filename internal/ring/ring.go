// Package ring is a queue in a ring of memory: values are pushed at the back
// and popped at either end, without allocation while the queue does not grow.
// It is not safe for concurrent use and sets no bound; its owner does.
package ring

import "github.com/moldau/moldau/internal/invariant"

const (
	capMin  = 8
	keepMax = 128 // values whose memory an emptied queue keeps
)

// Ring is the queue. The zero Ring is empty and ready.
// Invariant: cap(buf) is 0 or a power of two; n values begin at buf[head].
type Ring[T any] struct {
	buf  []T
	head int
	n    int
}

// Len is the number of values.
func (r *Ring[T]) Len() int { return r.n }

// At is the i-th value from the front, to be read or changed in place. The
// pointer is valid until the next push or pop.
func (r *Ring[T]) At(i int) *T {
	if uint(i) >= uint(r.n) { // an if: the arguments of a Check would be allocated
		invariant.Unreachable("ring of %d values, asked for %d", r.n, i)
	}
	return &r.buf[(r.head+i)&(len(r.buf)-1)]
}

// Front is the oldest value. REQUIRES: Len() > 0.
func (r *Ring[T]) Front() *T { return r.At(0) }

// Back is the newest value. REQUIRES: Len() > 0.
func (r *Ring[T]) Back() *T { return r.At(r.n - 1) }

// Push adds a zero value at the back, to be filled in place.
func (r *Ring[T]) Push() *T {
	if r.n == len(r.buf) {
		r.grow()
	}
	r.n++
	return r.Back()
}

// PopFront removes the oldest value. REQUIRES: Len() > 0.
func (r *Ring[T]) PopFront() {
	clear(r.buf[r.head : r.head+1])
	r.head = (r.head + 1) & (len(r.buf) - 1)
	r.n--
	r.rest()
}

// PopBack removes the newest value. REQUIRES: Len() > 0.
func (r *Ring[T]) PopBack() {
	var zero T
	*r.Back() = zero
	r.n--
	r.rest()
}

// Reset empties the ring and gives its memory away.
func (r *Ring[T]) Reset() { *r = Ring[T]{} }

// Clone copies the ring; the values are copied as Go copies them.
func (r *Ring[T]) Clone() Ring[T] {
	if r.n == 0 {
		return Ring[T]{}
	}
	c := Ring[T]{buf: make([]T, len(r.buf)), head: r.head, n: r.n}
	copy(c.buf, r.buf)
	return c
}

// rest gives away the memory of a burst once all of it is gone.
func (r *Ring[T]) rest() {
	if r.n == 0 && len(r.buf) > keepMax {
		r.Reset()
	}
}

func (r *Ring[T]) grow() {
	buf := make([]T, max(capMin, 2*len(r.buf)))
	n := copy(buf, r.buf[r.head:])
	copy(buf[n:], r.buf[:r.head])
	r.buf, r.head = buf, 0
}
