package metarecord

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/internal/invariant"
)

// ErrTooNew marks a record, version or file format that this program does not
// know: whoever reads it must stop, not skip it.
var ErrTooNew = errors.New("written by a newer version")

// ErrCorrupt marks bytes that no version of the format explains.
var ErrCorrupt = errors.New("corrupt")

func checkFits(fits bool, field string, version int16) {
	invariant.Check(fits, "%s is set, version %d cannot hold it", field, version)
}

func appendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func appendUint16(dst []byte, v uint16) []byte { return binary.BigEndian.AppendUint16(dst, v) }
func appendUint32(dst []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(dst, v) }
func appendUint64(dst []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(dst, v) }

// appendCount writes a compact length: one more than n, or zero for null.
func appendCount(dst []byte, n int, null bool) []byte {
	if null {
		return append(dst, 0)
	}
	return binary.AppendUvarint(dst, uint64(n)+1)
}

func appendString(dst []byte, s string) []byte {
	return append(appendCount(dst, len(s), false), s...)
}

func appendNullableString(dst []byte, s *string) []byte {
	if s == nil {
		return append(dst, 0)
	}
	return appendString(dst, *s)
}

func appendBytes(dst, b []byte) []byte {
	return append(appendCount(dst, len(b), false), b...)
}

func appendTags(dst []byte, tags []Tag) []byte {
	w := startTags(dst, tags)
	return w.finish(dst)
}

// tagWriter writes a section of tagged fields in ascending order, unknown ones
// merged in. Count and sizes are put in front once they are known.
type tagWriter struct {
	start, valueStart int
	count             int
	unknown           []Tag // not yet written
}

func startTags(dst []byte, unknown []Tag) tagWriter {
	return tagWriter{start: len(dst), unknown: unknown}
}

func (w *tagWriter) begin(dst []byte, tag uint32) []byte {
	dst = w.flushBelow(dst, tag)
	w.count++
	dst = binary.AppendUvarint(dst, uint64(tag))
	w.valueStart = len(dst)
	return dst
}

func (w *tagWriter) end(dst []byte) []byte {
	return insertUvarint(dst, w.valueStart, uint64(len(dst)-w.valueStart))
}

func (w *tagWriter) flushBelow(dst []byte, tag uint32) []byte {
	for len(w.unknown) > 0 && w.unknown[0].Key < tag {
		dst = w.appendUnknown(dst)
	}
	return dst
}

func (w *tagWriter) appendUnknown(dst []byte) []byte {
	t := w.unknown[0]
	w.unknown = w.unknown[1:]
	w.count++
	dst = binary.AppendUvarint(dst, uint64(t.Key))
	dst = binary.AppendUvarint(dst, uint64(len(t.Value)))
	return append(dst, t.Value...)
}

func (w *tagWriter) finish(dst []byte) []byte {
	for len(w.unknown) > 0 {
		dst = w.appendUnknown(dst)
	}
	return insertUvarint(dst, w.start, uint64(w.count))
}

// insertUvarint puts v before dst[at:].
func insertUvarint(dst []byte, at int, v uint64) []byte {
	var b [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(b[:], v)
	dst = append(dst, b[:n]...)
	copy(dst[at+n:], dst[at:len(dst)-n])
	copy(dst[at:], b[:n])
	return dst
}

// reader takes values from the front of a record's bytes. Whatever is wrong
// with them is ErrCorrupt.
type reader struct{ kafka.Reader }

func newReader(b []byte) reader { return reader{kafka.NewReader(b)} }

func (r *reader) fail(format string, args ...any) {
	r.Fail(fmt.Errorf(format+": %w", append(args, ErrCorrupt)...))
}

// failure is the first failure as ErrCorrupt, nil if there was none; bytes left
// over are one.
func (r *reader) failure() error {
	if r.Len() > 0 {
		r.fail("%d bytes left over", r.Len())
	}
	err := r.Err()
	if err != nil && !errors.Is(err, ErrCorrupt) {
		return fmt.Errorf("%w: %w", err, ErrCorrupt)
	}
	return err
}

func (r *reader) bool() bool { return r.Int8() != 0 }

func (r *reader) float64() float64 { return math.Float64frombits(uint64(r.Int64())) }

// length reads a compact length whose elements take at least elemMin bytes.
func (r *reader) length(elemMin int, nullable bool) (n int, null bool) {
	v := r.Uvarint()
	if r.Bad() {
		return 0, true
	}
	if v == 0 {
		if !nullable {
			r.fail("null where none is allowed")
		}
		return 0, true
	}
	if v-1 > uint64(r.Len()/elemMin) {
		r.fail("%d elements of at least %d bytes in %d bytes", v-1, elemMin, r.Len())
		return 0, true
	}
	return int(v - 1), false
}

// count is for arrays: ok says that a slice must be made. Null stays nil, and
// so does an empty array where null is not allowed.
func (r *reader) count(elemMin int, nullable bool) (n int, ok bool) {
	n, null := r.length(elemMin, nullable)
	return n, !null && (n > 0 || nullable)
}

func (r *reader) string() string {
	n, _ := r.length(1, false)
	return string(r.Take(n))
}

func (r *reader) nullableString() *string {
	n, null := r.length(1, true)
	if null {
		return nil
	}
	s := string(r.Take(n))
	return &s
}

func (r *reader) bytes() []byte {
	n, _ := r.length(1, false)
	if n == 0 {
		return nil
	}
	return append([]byte(nil), r.Take(n)...)
}

func (r *reader) failTag(tag uint32, version int16) { r.fail("tag %d in version %d", tag, version) }

// tagSection walks a section of tagged fields; sections nest.
type tagSection struct {
	tag  uint32 // the current field's
	left uint64 // fields not begun yet
	prev int64  // the tag before, -1: none yet
	end  int    // bytes that must be left once the current field is read
}

func (r *reader) startTags() tagSection { return tagSection{left: r.Uvarint(), prev: -1} }

// next checks that the current field was read to its end and begins the next.
func (s *tagSection) next(r *reader) bool {
	if !r.Bad() && s.prev >= 0 && r.Len() != s.end {
		r.fail("tag %d: size does not fit its field", s.tag)
	}
	if r.Bad() || s.left == 0 {
		return false
	}
	s.left--
	tag, size := r.Uvarint(), r.Uvarint()
	if !r.Bad() && int64(tag) <= s.prev {
		r.fail("tag %d after tag %d", tag, s.prev)
	}
	if !r.Bad() && size > uint64(r.Len()) {
		r.fail("tag %d: %d bytes wanted, %d left", tag, size, r.Len())
	}
	s.tag, s.prev, s.end = uint32(tag), int64(tag), r.Len()-int(size)
	return !r.Bad()
}

// unknown keeps the current field's bytes.
func (s *tagSection) unknown(r *reader) Tag {
	return Tag{Key: s.tag, Value: append([]byte(nil), r.Take(r.Len()-s.end)...)}
}

// tags reads a section in which no field is known.
func (r *reader) tags() (unknown []Tag) {
	s := r.startTags()
	for s.next(r) {
		unknown = append(unknown, s.unknown(r))
	}
	return unknown
}
