package seglog

import (
	"encoding/binary"
	"fmt"
	"math"
	"sort"

	"github.com/moldau/moldau/internal/invariant"
)

// The index files of a segment: fixed-length entries, big-endian, offsets
// relative to the segment's base.
//
//	.index      | last offset i32 | position i32 |
//	.timeindex  | timestamp i64 | last offset i32 |
//	.txnindex   | version i16 = 0 | producer i64 | first i64 | last i64 | last stable i64 |
//
// The first two are preallocated while the segment is active: entries of zeros
// follow the last one. The offset 0 at position 0 is never an entry, since an
// entry is written only after index.interval.bytes of batches; nor is the
// timestamp 0 with offset 0 told from preallocation by Kafka.
const (
	IndexEntryLen = 8
	TimeEntryLen  = 12
	TxnEntryLen   = 34
)

// AppendIndexEntry appends the bytes of e in a segment at base.
func AppendIndexEntry(dst []byte, base int64, e IndexEntry) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(relative(base, e.Offset)))
	invariant.Check(e.Position >= 0 && e.Position <= math.MaxInt32, "index position %d", e.Position)
	return binary.BigEndian.AppendUint32(dst, uint32(e.Position))
}

// AppendTimeEntry appends the bytes of e in a segment at base.
func AppendTimeEntry(dst []byte, base int64, e TimeEntry) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(e.Timestamp))
	return binary.BigEndian.AppendUint32(dst, uint32(relative(base, e.Offset)))
}

// AppendTxnEntry appends the bytes of a transaction index entry.
func AppendTxnEntry(dst []byte, t AbortedTxn) []byte {
	dst = binary.BigEndian.AppendUint16(dst, 0)
	dst = binary.BigEndian.AppendUint64(dst, uint64(t.ProducerID))
	dst = binary.BigEndian.AppendUint64(dst, uint64(t.FirstOffset))
	dst = binary.BigEndian.AppendUint64(dst, uint64(t.LastOffset))
	return binary.BigEndian.AppendUint64(dst, uint64(t.LastStableOffset))
}

// relative is offset as an index holds it. Appends never pass the range: a
// segment that an offset does not fit is rolled before.
func relative(base, offset int64) int32 {
	d := offset - base
	invariant.Check(d >= 0 && d <= math.MaxInt32, "offset %d does not fit an index at %d", offset, base)
	return int32(d)
}

// IndexEntryAt decodes the i-th entry of an offset index. b holds it.
func IndexEntryAt(b []byte, base int64, i int) IndexEntry {
	b = b[i*IndexEntryLen:][:IndexEntryLen]
	return IndexEntry{
		Offset:   base + int64(int32(binary.BigEndian.Uint32(b))),
		Position: int64(int32(binary.BigEndian.Uint32(b[4:]))),
	}
}

// TimeEntryAt decodes the i-th entry of a time index. b holds it.
func TimeEntryAt(b []byte, base int64, i int) TimeEntry {
	b = b[i*TimeEntryLen:][:TimeEntryLen]
	return TimeEntry{
		Timestamp: int64(binary.BigEndian.Uint64(b)),
		Offset:    base + int64(int32(binary.BigEndian.Uint32(b[8:]))),
	}
}

// CheckIndex counts the entries of an offset index and checks that offsets and
// positions ascend from base on, and positions stay below size, the segment's
// bytes. Zeros at the end, from preallocation, are no entries.
func CheckIndex(b []byte, base, size int64) (int, error) {
	n, err := entries("offset index", b, IndexEntryLen)
	if err != nil {
		return 0, err
	}
	last := IndexEntry{Offset: base - 1, Position: -1}
	for i := range n {
		e := IndexEntryAt(b, base, i)
		if e.Offset <= last.Offset || e.Position <= last.Position || e.Position >= size {
			return i, fmt.Errorf("offset index of segment %d: entry %d (offset %d, position %d) after (%d, %d), segment of %d bytes",
				base, i, e.Offset, e.Position, last.Offset, last.Position, size)
		}
		last = e
	}
	return n, nil
}

// CheckTimeIndex counts the entries of a time index and checks that timestamps
// ascend and offsets do not fall. end is one past the segment's last offset.
func CheckTimeIndex(b []byte, base, end int64) (int, error) {
	n, err := entries("time index", b, TimeEntryLen)
	if err != nil {
		return 0, err
	}
	last := TimeEntry{Timestamp: math.MinInt64, Offset: base}
	for i := range n {
		e := TimeEntryAt(b, base, i)
		if e.Timestamp <= last.Timestamp || e.Offset < last.Offset || e.Offset >= end {
			return i, fmt.Errorf("time index of segment %d: entry %d (timestamp %d, offset %d) after (%d, %d), segment ends at %d",
				base, i, e.Timestamp, e.Offset, last.Timestamp, last.Offset, end)
		}
		last = e
	}
	return n, nil
}

// ParseTxnIndex decodes a transaction index.
func ParseTxnIndex(b []byte) ([]AbortedTxn, error) {
	if len(b)%TxnEntryLen != 0 {
		return nil, fmt.Errorf("transaction index of %d bytes: not a multiple of %d", len(b), TxnEntryLen)
	}
	txns := make([]AbortedTxn, 0, len(b)/TxnEntryLen)
	last := int64(-1)
	for ; len(b) > 0; b = b[TxnEntryLen:] {
		if v := binary.BigEndian.Uint16(b); v != 0 {
			return nil, fmt.Errorf("transaction index: entry %d has version %d, known is 0", len(txns), v)
		}
		t := AbortedTxn{
			ProducerID:       int64(binary.BigEndian.Uint64(b[2:])),
			FirstOffset:      int64(binary.BigEndian.Uint64(b[10:])),
			LastOffset:       int64(binary.BigEndian.Uint64(b[18:])),
			LastStableOffset: int64(binary.BigEndian.Uint64(b[26:])),
		}
		if t.FirstOffset < 0 || t.LastOffset < t.FirstOffset || t.LastOffset <= last {
			return nil, fmt.Errorf("transaction index: entry %d spans %d to %d after %d", len(txns), t.FirstOffset, t.LastOffset, last)
		}
		last = t.LastOffset
		txns = append(txns, t)
	}
	return txns, nil
}

// entries is the number of entries of n bytes before the preallocated zeros.
func entries(what string, b []byte, n int) (int, error) {
	if len(b)%n != 0 {
		return 0, fmt.Errorf("%s of %d bytes: not a multiple of %d", what, len(b), n)
	}
	count := len(b) / n
	for count > 0 && zero(b[(count-1)*n:count*n]) {
		count--
	}
	return count, nil
}

func zero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// SearchIndex finds the last of n ascending entries whose offset is at most
// offset: the scan for offset begins at its position, or at 0 without one.
func SearchIndex(n int, at func(i int) IndexEntry, offset int64) (IndexEntry, bool) {
	i := sort.Search(n, func(i int) bool { return at(i).Offset > offset })
	if i == 0 {
		return IndexEntry{}, false
	}
	return at(i - 1), true
}

// SearchTime finds the last of n ascending entries whose timestamp is at most
// timestamp: no record before its offset is as late as timestamp but the one
// that the entry names.
func SearchTime(n int, at func(i int) TimeEntry, timestamp int64) (TimeEntry, bool) {
	i := sort.Search(n, func(i int) bool { return at(i).Timestamp > timestamp })
	if i == 0 {
		return TimeEntry{}, false
	}
	return at(i - 1), true
}
