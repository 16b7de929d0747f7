package server

import (
	"testing"

	"github.com/moldau/moldau/clock/manual"
)

// asker takes a turn on a goroutine of its own.
func asker(t *turns, closed <-chan struct{}) <-chan bool {
	got := make(chan bool, 1)
	go func() { got <- t.take(closed) }()
	return got
}

// queued waits until n requests wait for a turn.
func queued(t *turns, n int) {
	for {
		t.mu.Lock()
		now := len(t.waiting)
		t.mu.Unlock()
		if now == n {
			return
		}
	}
}

// Turns are given in the order in which they were asked for, and one that was
// given to a connection that closed goes on to the next.
func TestTurnsAreFirstComeFirstServed(t *testing.T) {
	turns := newTurns(manual.New(), 1)
	if !turns.take(nil) {
		t.Fatal("the first turn is not free")
	}
	gone := make(chan struct{})
	first := asker(turns, nil)
	queued(turns, 1)
	leaves := asker(turns, gone)
	queued(turns, 2)
	last := asker(turns, nil)
	queued(turns, 3)
	close(gone)
	if <-leaves {
		t.Fatal("a turn for a connection that closed")
	}
	queued(turns, 2)
	turns.giveBack()
	if !<-first {
		t.Fatal("the first in the queue got no turn")
	}
	select {
	case <-last:
		t.Fatal("two turns at once where there is one")
	default:
	}
	turns.giveBack()
	if !<-last {
		t.Fatal("the last in the queue got no turn")
	}
	turns.giveBack()
	if turns.free != 1 || len(turns.waiting) != 0 {
		t.Fatalf("%d free, %d waiting at the end", turns.free, len(turns.waiting))
	}
}

// A turn that was given while its connection closed is not lost.
func TestTurnsSurviveAbandoning(t *testing.T) {
	turns := newTurns(manual.New(), 1)
	w := &turnWaiter{ready: make(chan struct{})}
	turns.free = 0 // it was given to w
	turns.abandon(w)
	if turns.free != 1 {
		t.Fatalf("%d turns are free", turns.free)
	}
}

// writer is a connection whose answer is being written.
func writer(id uint64) *Conn {
	c := &Conn{id: id, srv: &Server{budget: NewBudget(manual.New(), 1<<20)}, tc: closeOnly{make(chan struct{})}, closed: make(chan struct{})}
	c.drained.L = &c.mu
	return c
}

// While unread answers take too much, nobody gets a turn; those that stall
// longest are ended first, as many as a round may, and then turns are given again.
func TestUnreadAnswersHoldTurnsUp(t *testing.T) {
	clk := manual.New()
	turns := newTurns(clk, 2)
	var conns []*Conn
	for i := range evictionsMax + 2 {
		conns = append(conns, writer(uint64(i)))
		turns.writing(conns[i], answerBytesMax)
		clk.Advance(1)
	}
	waits := asker(turns, nil)
	queued(turns, 1)
	turns.sweep()
	if conns[0].gone.Load() {
		t.Fatal("ended before it stalled")
	}
	if !turns.contended() {
		t.Fatal("answers over the limit are no contention")
	}
	clk.Advance(writeStalledAfter)
	turns.sweep()
	for i, c := range conns {
		if c.gone.Load() != (i < evictionsMax) {
			t.Errorf("connection %d of %d ended: %v", i, len(conns), c.gone.Load())
		}
	}
	turns.sweep()
	for i, c := range conns {
		if last := i == len(conns)-1; c.gone.Load() == last { // without the others it is within the limit
			t.Errorf("connection %d of %d after the second round ended: %v", i, len(conns), c.gone.Load())
		}
		turns.written(c)
	}
	if !<-waits || turns.bytes != 0 || len(turns.writes) != 0 {
		t.Fatalf("%d bytes of %d answers are left", turns.bytes, len(turns.writes))
	}
}

// Only requests with large answers take turns.
func TestWhoNeedsATurn(t *testing.T) {
	for key := range int16(100) {
		want := key == 3 || key == 32 || key == 35 || key == 75
		if needsTurn(key) != want {
			t.Errorf("key %d needs a turn: %v", key, !want)
		}
	}
}
