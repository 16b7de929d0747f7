package shard

import "testing"

// TestGrowthBeforeTheLastAnswer: an owner that takes every wake as it comes,
// each for an answer that it waits for, is woken again by what grew meanwhile.
func TestGrowthBeforeTheLastAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		minBytes, grown, last int64 // grown after the first answer, available with the last
		again                 bool
	}{
		"enough grew":                     {minBytes: 1, grown: 5, again: true},
		"enough with the last answer":     {minBytes: 10, grown: 5, last: 6, again: true},
		"too little with the last answer": {minBytes: 10, grown: 5, last: 4},
		"nothing grew":                    {minBytes: 10, last: 4},
		"enough was answered":             {minBytes: 10, last: 10},
	} {
		w := NewFetchWait()
		take := func() (woken bool) {
			select {
			case <-w.Wake():
				return true
			default:
				return false
			}
		}
		w.Arm(2, c.minBytes)
		w.answered(0)
		if c.grown > 0 {
			w.grow(c.grown, false)
		}
		take()
		w.answered(c.last)
		if !take() || !w.Answered() {
			t.Errorf("%s: the last answer does not wake", name)
		}
		if again := take(); again != c.again {
			t.Errorf("%s: woken again: %v", name, again)
		}
	}
}
