package api

import (
	"encoding/binary"

	"github.com/moldau/moldau/broker/kafka"
)

// reader reads the types of Kafka's protocol from a request's body, for the
// requests that are parsed by hand. Nothing is copied.
type reader struct {
	kafka.Reader
	flexible bool
}

func newReader(body []byte, flexible bool) reader {
	return reader{kafka.NewReader(body), flexible}
}

// length reads a compact length, -1 for null.
func (r *reader) length() int { return int(r.Uvarint()) - 1 }

// count reads an array's length, -1 for null. Every element takes at least
// elemBytes, so that a count that the bytes left cannot hold is refused
// before anything is allocated for it.
func (r *reader) count(elemBytes int) int {
	n := 0
	if r.flexible {
		n = r.length()
	} else {
		n = int(r.Int32())
	}
	if n > r.Len()/elemBytes {
		r.Fail(kafka.ErrShort)
		return 0
	}
	return n
}

// string reads a string, nil when null.
func (r *reader) string() []byte {
	n := 0
	if r.flexible {
		n = r.length()
	} else {
		n = int(r.Int16())
	}
	if n < 0 {
		return nil
	}
	return r.Take(n)
}

// bytes reads bytes or records, nil when null.
func (r *reader) bytes() []byte {
	n := 0
	if r.flexible {
		n = r.length()
	} else {
		n = int(r.Int32())
	}
	if n < 0 {
		return nil
	}
	return r.Take(n)
}

// tagsMax bounds the tagged fields of one structure.
const tagsMax = 64

// tags skips the tagged fields that end a structure in flexible versions.
func (r *reader) tags() {
	if !r.flexible {
		return
	}
	n := int(r.Uvarint())
	if n > tagsMax {
		r.Fail(kafka.ErrShort)
		return
	}
	for range n {
		r.Uvarint()
		r.Take(int(r.Uvarint()))
	}
}

// taggedFields gives the tagged fields that end a structure in flexible versions
// to field, with a reader of the value.
func (r *reader) taggedFields(field func(tag int, value *kafka.Reader)) {
	if !r.flexible {
		return
	}
	n := int(r.Uvarint())
	if n > tagsMax {
		r.Fail(kafka.ErrShort)
		return
	}
	for range n {
		tag := int(r.Uvarint())
		value := kafka.NewReader(r.Take(int(r.Uvarint())))
		if r.Bad() {
			return
		}
		if field(tag, &value); value.Bad() {
			r.Fail(kafka.ErrShort)
			return
		}
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
