package api

import (
	"encoding/binary"

	"github.com/moldau/moldau/broker/kafka"
)

// reader reads the primitive types of Kafka's protocol from a request's body,
// for the requests that are parsed by hand. The first error sticks: bad is
// set, and everything read later is zero. Nothing is copied.
type reader struct {
	b        []byte
	flexible bool
	bad      bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) int8() int8 {
	if b := r.take(1); b != nil {
		return int8(b[0])
	}
	return 0
}

func (r *reader) int16() int16 {
	if b := r.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) int32() int32 {
	if b := r.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (r *reader) int64() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (r *reader) uuid() (u kafka.UUID) {
	copy(u[:], r.take(len(u)))
	return u
}

func (r *reader) uvarint() int {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > 1<<31 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return int(v)
}

// count reads an array's length, -1 for null. Every element takes at least
// elemBytes, so that a count that the bytes left cannot hold is refused
// before anything is allocated for it.
func (r *reader) count(elemBytes int) int {
	n := 0
	if r.flexible {
		n = r.uvarint() - 1
	} else {
		n = int(r.int32())
	}
	if n > len(r.b)/elemBytes {
		r.bad, r.b = true, nil
		return 0
	}
	return n
}

// string reads a string, nil when null.
func (r *reader) string() []byte {
	n := 0
	if r.flexible {
		n = r.uvarint() - 1
	} else {
		n = int(r.int16())
	}
	if n < 0 {
		return nil
	}
	return r.take(n)
}

// bytes reads bytes or records, nil when null.
func (r *reader) bytes() []byte {
	n := 0
	if r.flexible {
		n = r.uvarint() - 1
	} else {
		n = int(r.int32())
	}
	if n < 0 {
		return nil
	}
	return r.take(n)
}

// tagsMax bounds the tagged fields of one structure.
const tagsMax = 64

// tags skips the tagged fields that end a structure in flexible versions.
func (r *reader) tags() {
	if !r.flexible {
		return
	}
	n := r.uvarint()
	if n > tagsMax {
		r.bad, r.b = true, nil
		return
	}
	for range n {
		r.uvarint()
		r.take(r.uvarint())
	}
}

// writer appends the primitive types to dst.
type writer struct {
	dst      []byte
	flexible bool
}

func (w *writer) int16(v int16)     { w.dst = binary.BigEndian.AppendUint16(w.dst, uint16(v)) }
func (w *writer) int32(v int32)     { w.dst = binary.BigEndian.AppendUint32(w.dst, uint32(v)) }
func (w *writer) int64(v int64)     { w.dst = binary.BigEndian.AppendUint64(w.dst, uint64(v)) }
func (w *writer) uvarint(v int)     { w.dst = binary.AppendUvarint(w.dst, uint64(v)) }
func (w *writer) raw(b []byte)      { w.dst = append(w.dst, b...) }
func (w *writer) uuid(u kafka.UUID) { w.dst = append(w.dst, u[:]...) }

func (w *writer) count(n int) {
	if w.flexible {
		w.uvarint(n + 1)
		return
	}
	w.int32(int32(n))
}

func (w *writer) string(s string) {
	if w.flexible {
		w.uvarint(len(s) + 1)
	} else {
		w.int16(int16(len(s)))
	}
	w.dst = append(w.dst, s...)
}

// nullString writes s, or null when it is empty.
func (w *writer) nullString(s string) {
	switch {
	case s != "" && w.flexible:
		w.uvarint(len(s) + 1)
	case s != "":
		w.int16(int16(len(s)))
	case w.flexible:
		w.uvarint(0)
	default:
		w.int16(-1)
	}
	w.dst = append(w.dst, s...)
}

// noTags ends a structure without tagged fields.
func (w *writer) noTags() {
	if w.flexible {
		w.dst = append(w.dst, 0)
	}
}
