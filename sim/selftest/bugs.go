package main

import (
	"sync"
	"sync/atomic"

	"github.com/moldau/moldau/internal/yield"
	"github.com/moldau/moldau/sim/schedule"
)

// bugs are the planted ones. Each returns whether it showed.
var bugs = map[string]func() bool{
	"check-then-act": checkThenAct,
	"start-order":    startOrder,
	"select-order":   selectOrder,
	"hand-off":       handOff,
	"atomics":        atomics,
	"slow-one":       slowOne,
}

// together runs functions as goroutines and waits for them.
func together(functions ...func()) {
	var all sync.WaitGroup
	for _, f := range functions {
		all.Go(f)
	}
	all.Wait()
}

// checkThenAct: a balance is checked in one critical section and drawn on in
// the next.
func checkThenAct() bool {
	var mu sync.Mutex
	balance := 1
	draw := func() {
		mu.Lock()
		enough := balance > 0
		mu.Unlock()
		if !enough {
			return
		}
		mu.Lock()
		balance--
		mu.Unlock()
	}
	together(draw, draw)
	return balance < 0
}

// startOrder: who is started second trusts that who was started first has run.
func startOrder() bool {
	var ready, early atomic.Bool
	together(
		func() { ready.Store(true) },
		func() { early.Store(!ready.Load()) },
	)
	return early.Load()
}

// selectOrder: a consumer that is told to stop forgets what waits in its queue.
func selectOrder() bool {
	queue, stop := make(chan int, 1), make(chan struct{})
	queue <- 1
	close(stop)
	select {
	case <-queue:
		return false
	case <-stop:
		return len(queue) > 0
	}
}

// handOff: a new owner and its epoch are published one after the other, and a
// reader comes in between.
func handOff() bool {
	var ownerMu, epochMu sync.Mutex
	owner, epoch, torn := 1, 1, false
	together(
		func() {
			ownerMu.Lock()
			owner = 2
			ownerMu.Unlock()
			epochMu.Lock()
			epoch = 2
			epochMu.Unlock()
		},
		func() {
			ownerMu.Lock()
			o := owner
			ownerMu.Unlock()
			epochMu.Lock()
			e := epoch
			epochMu.Unlock()
			torn = o != e
		},
	)
	return torn
}

// atomics: two goroutines load, add and store without a lock, a mark of a
// hand-off between.
func atomics() bool {
	var n atomic.Int64
	add := func() {
		was := n.Load()
		yield.Point()
		n.Store(was + 1)
	}
	together(add, add)
	return n.Load() != 2
}

// slowOne needs one goroutine to stand still while another goes a long way,
// which priorities show and uniform order almost never does.
func slowOne() bool {
	const far, rounds = 60, 50
	schedule.Set(schedule.Policy{ChangeOneIn: far})
	for range rounds {
		if wentFar(far) {
			return true
		}
	}
	return false
}

// wentFar reports whether almost all of far steps came between two looks.
func wentFar(far int) bool {
	var mu sync.Mutex
	var steps, before, after int
	look := func(at *int) {
		mu.Lock()
		defer mu.Unlock()
		*at = steps
	}
	together(
		func() {
			look(&before)
			look(&after)
		},
		func() {
			for range far {
				mu.Lock()
				steps++
				mu.Unlock()
			}
		},
	)
	return after-before >= far-2
}
