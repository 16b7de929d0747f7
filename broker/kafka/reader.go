package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrShort marks bytes that end before what they should hold, or that hold a
// length which cannot be.
var ErrShort = errors.New("ends early or holds an impossible length")

// Reader takes the primitive types of Kafka's formats from the front of bytes:
// big-endian numbers, identities, and unsigned variable-length numbers. Every
// length is checked against the bytes that are left; the first failure sticks,
// and everything read after it is zero. Nothing is copied or allocated but the
// error. The zero value reads nothing.
//
// Strings, arrays and tagged fields differ between the formats that share it;
// who reads one of those embeds a Reader.
type Reader struct {
	b   []byte
	err error
}

// NewReader reads from b, which must not change meanwhile.
func NewReader(b []byte) Reader { return Reader{b: b} }

// Len is the number of bytes left, 0 after a failure.
func (r *Reader) Len() int { return len(r.b) }

// Err is the first failure. It is ErrShort by errors.Is where the bytes are to blame.
func (r *Reader) Err() error { return r.err }

// Bad reports whether there was a failure.
func (r *Reader) Bad() bool { return r.err != nil }

// Fail notes a failure that the caller found, unless there was one before.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

// Take is the next n bytes, nil where there are not so many. Appending to them
// does not touch what follows.
func (r *Reader) Take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.short(n)
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *Reader) short(n int) {
	r.Fail(fmt.Errorf("%d bytes wanted, %d left: %w", n, len(r.b), ErrShort))
}

// Int8 reads one byte.
func (r *Reader) Int8() int8 {
	if b := r.Take(1); b != nil {
		return int8(b[0])
	}
	return 0
}

// Uint16 reads two bytes.
func (r *Reader) Uint16() uint16 {
	if b := r.Take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// Int16 reads two bytes.
func (r *Reader) Int16() int16 { return int16(r.Uint16()) }

// Uint32 reads four bytes.
func (r *Reader) Uint32() uint32 {
	if b := r.Take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// Int32 reads four bytes.
func (r *Reader) Int32() int32 { return int32(r.Uint32()) }

// Int64 reads eight bytes.
func (r *Reader) Int64() int64 {
	if b := r.Take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// UUID reads sixteen bytes.
func (r *Reader) UUID() (u UUID) {
	copy(u[:], r.Take(len(u)))
	return u
}

// Uvarint reads a variable-length number of at most 32 bits, as Kafka does.
func (r *Reader) Uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > math.MaxUint32 {
		r.Fail(fmt.Errorf("bad variable-length number: %w", ErrShort))
		return 0
	}
	r.b = r.b[n:]
	return v
}
