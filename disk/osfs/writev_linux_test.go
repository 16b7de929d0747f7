package osfs

import (
	"bytes"
	"testing"
)

// TestAfterPartialWrite: what a call left over is written next, nothing twice,
// and the caller's list stays as it was.
func TestAfterPartialWrite(t *testing.T) {
	bufs := [][]byte{[]byte("abc"), nil, []byte("de"), []byte("fghi")}
	whole := bytes.Join(bufs, nil)
	for n := range len(whole) + 1 {
		rest := after(bufs, n)
		if got := bytes.Join(rest, nil); !bytes.Equal(got, whole[n:]) {
			t.Errorf("after %d bytes %q is left", n, got)
		}
		if !bytes.Equal(bytes.Join(bufs, nil), whole) {
			t.Fatalf("after %d bytes the caller's list was changed", n)
		}
	}
}

// TestCallsAreBounded: no call writes more than writeCallBytesMax, none is
// empty, and together they are the whole list.
func TestCallsAreBounded(t *testing.T) {
	const most = writeCallBytesMax
	for _, sizes := range [][]int{{1}, {most}, {most + 1}, {most, 1}, {1, most}, {1 << 20, 1 << 20, 5}, {5 << 20}, {most / 2, most / 2, most / 2, 0, 7}} {
		var bufs [][]byte
		for i, n := range sizes {
			bufs = append(bufs, bytes.Repeat([]byte{byte('a' + i)}, n))
		}
		whole, calls := bytes.Join(bufs, nil), 0
		for at := 0; len(bufs) > 0; calls++ {
			part := bytes.Join(front(bufs), nil)
			if len(part) == 0 || len(part) > most || !bytes.Equal(part, whole[at:at+len(part)]) {
				t.Fatalf("%v: call %d writes %d bytes from %d", sizes, calls, len(part), at)
			}
			at += len(part)
			if bufs = after(bufs, len(part)); len(bufs) == 0 && at != len(whole) {
				t.Fatalf("%v: %d of %d bytes", sizes, at, len(whole))
			}
		}
		if size := callBytes(len(whole)); size > most || size*((len(whole)+most-1)/most) < len(whole) {
			t.Errorf("%d bytes in calls of %d", len(whole), size)
		}
	}
}
