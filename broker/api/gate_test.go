package api

import (
	"testing"

	"pgregory.net/rapid"
)

// The gate never lets more elements in than it has room for, gives all of them
// back, and lets small requests pass whoever waits.
func TestGate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var g gate
		open := make(chan struct{})
		var inside []int
		type waiting struct {
			n    int
			done chan bool
		}
		var queue []waiting
		settle := func() {
			for len(queue) > 0 {
				g.mu.Lock()
				outside := len(g.waiters)
				g.mu.Unlock()
				if outside == len(queue) {
					return
				}
				if !<-queue[0].done {
					t.Fatal("a waiter was sent away")
				}
				inside = append(inside, queue[0].n)
				queue = queue[1:]
			}
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			if n, ok := g.enter(elementsFree, open); n != 0 || !ok {
				t.Fatal("a small request was counted")
			}
			if rapid.Bool().Draw(t, "enter") {
				w := waiting{n: rapid.IntRange(elementsFree+1, elementsInFlightMax).Draw(t, "n"), done: make(chan bool, 1)}
				g.mu.Lock()
				before := len(g.waiters)
				g.mu.Unlock()
				entered := make(chan struct{})
				go func() {
					_, ok := g.enter(w.n, open)
					w.done <- ok
					close(entered)
				}()
				for parked := false; !parked; {
					select {
					case <-entered:
						parked = true
					default:
						g.mu.Lock()
						parked = len(g.waiters) > before
						g.mu.Unlock()
					}
				}
				queue = append(queue, w)
			} else if len(inside) > 0 {
				g.leave(inside[0])
				inside = inside[1:]
			}
			settle()
			sum := 0
			for _, n := range inside {
				sum += n
			}
			if sum != g.used || sum > elementsInFlightMax {
				t.Fatalf("%d elements are inside, %d counted", sum, g.used)
			}
			if len(queue) > 0 && sum+queue[0].n <= elementsInFlightMax {
				t.Fatalf("%d elements wait although %d are inside", queue[0].n, sum)
			}
		}
		close(open) // the connections of those that wait are gone
		for _, w := range queue {
			if <-w.done {
				t.Fatal("admitted after its connection closed")
			}
		}
		for _, n := range inside {
			g.leave(n)
		}
		if g.used != 0 || g.crowded() {
			t.Fatalf("%d elements stay counted", g.used)
		}
	})
}
