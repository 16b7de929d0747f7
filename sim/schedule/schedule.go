// Package schedule lets a guest choose, by its own random draws, how the
// simulator's runtime orders its goroutines: in uniformly random order, or by
// random priorities with few changes (PCT), which finds ordering bugs that
// need one goroutine to be slow for long.
//
// Not a scheduler: that is the patched runtime (sim/overlay). In any other
// build Set does nothing.
package schedule

// Policy is how the runtime chooses. The zero value is the default.
type Policy struct {
	// YieldOneIn: a lock or a mark of internal/yield gives the processor away
	// once in so many times on average; 0 for 8.
	YieldOneIn uint32
	// ChangeOneIn, if above 0, chooses priorities: each goroutine gets a random
	// one at birth, the highest that can run does, and at one in so many locks
	// and marks the running one falls below all others.
	ChangeOneIn uint32
}
