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
