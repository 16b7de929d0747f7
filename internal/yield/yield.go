//go:build !moldau_sim

// Package yield marks the places where another goroutine may come between:
// seam calls, publications and loads of the metadata image, and hand-offs
// (inbox, reply slot, join). In production a mark is empty and inlined; in
// the simulator's build it hands the processor over by a seeded coin, so that
// races without a lock between them are found too.
package yield

// Point marks one such place.
func Point() {}
