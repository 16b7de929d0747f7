package life_test

import (
	"slices"
	"testing"

	"github.com/moldau/moldau/internal/life"
)

func TestEnd(t *testing.T) {
	l := life.New()
	var calls []int
	l.OnEnd(func() { calls = append(calls, 1) })
	forget := l.OnEnd(func() { calls = append(calls, 2) })
	l.OnEnd(func() { calls = append(calls, 3) })
	forget()
	l.End()
	l.End()
	l.OnEnd(func() { calls = append(calls, 4) })
	if !slices.Equal(calls, []int{1, 3, 4}) {
		t.Errorf("calls %v", calls)
	}
	select {
	case <-l.Over():
	default:
		t.Error("Over is open after the end")
	}
}

// TestReceive: what is there is received; at the end of the life the goroutine
// ends, its deferred calls run.
func TestReceive(t *testing.T) {
	l := life.New()
	ch := make(chan int, 1)
	ch <- 7
	if v := life.Receive(l, ch); v != 7 {
		t.Errorf("received %d", v)
	}
	ended, passed := make(chan struct{}), false
	go func() {
		defer close(ended)
		life.Receive(l, ch)
		passed = true
	}()
	l.End()
	<-ended
	if passed {
		t.Error("received something in a life that is over")
	}
}

// TestNil: a nil life never ends.
func TestNil(t *testing.T) {
	var l *life.Life
	l.OnEnd(func() { t.Error("called") })()
	ch := make(chan int, 1)
	ch <- 1
	if l.Over() != nil || life.Receive(l, ch) != 1 {
		t.Error("a nil life ended")
	}
}
