package server

import (
	"runtime"
	"testing"

	"github.com/moldau/moldau/clock/manual"
)

// Of frames that wait for memory the one that declared least comes first.
func TestSmallerFramesComeFirst(t *testing.T) {
	b := NewBudget(manual.New(), 16<<20)
	fill := crowd(t, b, 2, 1<<20, 8<<20)
	waiting := func(declared int64, waiters int) <-chan bool {
		granted := make(chan bool, 1)
		go func() { granted <- b.charge(&arrival{declared: declared}, 1<<10) }()
		for {
			b.mu.Lock()
			n := len(b.waiters[0])
			b.mu.Unlock()
			if n == waiters {
				return granted
			}
			runtime.Gosched()
		}
	}
	large, small := waiting(1<<20, 1), waiting(1<<10, 2)
	b.mu.Lock()
	first := b.waiters[0][0].arr.declared
	b.mu.Unlock()
	if first != 1<<10 {
		t.Errorf("a frame of %d bytes comes first", first)
	}
	for _, a := range fill {
		a.conn.giveBack(a, make([]byte, 8<<20))
	}
	if !<-small || !<-large {
		t.Error("a frame got no memory")
	}
}
