package ring

import (
	"testing"

	"pgregory.net/rapid"
)

// The ring against a slice, under any order of operations.
func TestRingIsAQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r Ring[int]
		var want []int
		for range rapid.IntRange(0, 400).Draw(t, "steps") {
			switch op := rapid.IntRange(0, 5).Draw(t, "op"); {
			case op <= 2:
				v := rapid.Int().Draw(t, "value")
				*r.Push() = v
				want = append(want, v)
			case op == 3 && len(want) > 0:
				r.PopFront()
				want = want[1:]
			case op == 4 && len(want) > 0:
				r.PopBack()
				want = want[:len(want)-1]
			case op == 5:
				r = r.Clone()
			}
			if r.Len() != len(want) {
				t.Fatalf("%d values, want %d", r.Len(), len(want))
			}
			for i, v := range want {
				if *r.At(i) != v {
					t.Fatalf("value %d is %d, want %d", i, *r.At(i), v)
				}
			}
		}
	})
}

// An emptied ring that was large keeps no memory; a popped value is not held.
func TestRingLetsGo(t *testing.T) {
	var r Ring[*int]
	for range 2 * keepMax {
		*r.Push() = new(int)
	}
	buf := r.buf
	for r.Len() > 0 {
		r.PopFront()
	}
	if r.buf != nil {
		t.Errorf("an empty ring holds %d values' memory", len(r.buf))
	}
	for i, p := range buf {
		if p != nil {
			t.Fatalf("popped value %d is still referred to", i)
		}
	}
}
