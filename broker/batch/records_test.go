package batch

import (
	"bytes"
	"encoding/binary"
	"testing"

	"pgregory.net/rapid"
)

// TestCommonRecordsAreReadAlike: where readCommon reads a record, readAny reads
// the same; and what nearly all records look like, readCommon does read.
func TestCommonRecordsAreReadAlike(t *testing.T) {
	number := rapid.OneOf(rapid.Int64Range(-2, 2), rapid.Int64Range(-70, 70), rapid.Int64Range(-9000, 9000), rapid.SampledFrom([]int64{63, 64, -64, -65, 8191, 8192, -8192, -8193, 1<<20 - 1, 1 << 20, -1 << 20, -1<<20 - 1, 1 << 30}))
	length := rapid.OneOf(rapid.IntRange(0, 3), rapid.IntRange(60, 70), rapid.IntRange(8190, 8194))
	rapid.Check(t, func(t *rapid.T) {
		offset, delta := number.Draw(t, "offset"), number.Draw(t, "delta")
		body := appendVarint(appendVarint([]byte{0}, delta), offset)
		for _, name := range []string{"key", "value"} {
			if n := length.Draw(t, name) - 1; n < 0 {
				body = appendVarint(body, -1)
			} else {
				body = append(appendVarint(body, int64(n)), make([]byte, n)...)
			}
		}
		body = append(body, byte(rapid.SampledFrom([]int{0, 0, 0, 2, 1}).Draw(t, "headers")))
		off := rapid.SampledFrom([]int64{0, 0, 0, 1, -1}).Draw(t, "off by")
		b := append(appendVarint(nil, int64(len(body))+off), body...)
		whole := len(b)
		b = append(b, make([]byte, rapid.IntRange(0, 20).Draw(t, "behind"))...)
		if rapid.Bool().Draw(t, "change") {
			b[rapid.IntRange(0, min(len(b), 24)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "to")
			whole = 0
		}
		b = bytes.Clone(b[:rapid.IntRange(len(b)-5, len(b)).Draw(t, "cut")])
		var common, anyone frame
		read, err := common.readCommon(b, 0), anyone.readAny(b, 0)
		if read && (err != nil || common != anyone) {
			t.Fatalf("%x: read as %+v, and as %+v, %v", b, common, anyone, err)
		}
		small := max(offset, -offset, delta, -delta) < 1<<20
		if !read && err == nil && small && whole > commonHeadMax && len(b) >= whole+4 && anyone.headerCount == 0 {
			t.Fatalf("%x: not read", b)
		}
	})
}

// TestThreeBytes: the same value and length as varint's, up to the edges.
func TestThreeBytes(t *testing.T) {
	for _, bit := range []int{0, 5, 6, 7, 12, 13, 14, 18, 19, 20, 21, 30} {
		for _, v := range []int64{1<<bit - 1, 1 << bit, -1 << bit, -1<<bit - 1} {
			b := append(appendVarint(nil, v), make([]byte, 8)...)
			got, bits := threeBytes(binary.LittleEndian.Uint64(b))
			want, next := varint(b, 0)
			if next > 3 {
				want, next = got, 0
			}
			if got != want || int(bits) != 8*next {
				t.Errorf("%d: %d in %d bits", v, got, bits)
			}
		}
	}
}
