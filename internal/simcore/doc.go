// Package simcore is what the simulated clock, network and disk share: the
// fence that ends or freezes a node's incarnation at its seams, the time that
// they all run on, the random streams that a seed is split into, and the
// marks that prove that a fault hit something.
//
// An incarnation is one life of one node's process. Goroutines cannot be
// killed from outside, so a crash is made at the seams: from then on every
// call of the incarnation to its clock, network or disk ends the goroutine
// that makes it (runtime.Goexit, deferred calls run), calls that wait there
// included. Whatever it computes meanwhile reaches nobody. A pause holds the
// goroutines at the same places until it is resumed.
//
//	injector ─► Fence.Crash / Pause / Arm      every seam call: Enter, work, Leave
//	                 │ OnCrash                        │ crashed: Goexit
//	                 ▼                                ▼ paused: waits
//	   clock, network and disk let go of the node     trap: crashes right here
//
// What that asks of the code under test: a lock that is held over a seam call
// is released by a deferred call, and who gives a lock up to wait takes it
// back by one. Goroutines that wait for others by channels alone are not
// reached: Fence.Context tells them.
//
// Not an injector: when what happens is decided above. Not a scheduler: the
// goroutines' order is the runtime's.
//
// Who owns state: one Fence an incarnation, with a mutex of its own, never
// held while callbacks run. Invariant: nobody enters or leaves a fence with a
// lock held, as the goroutine may not come back.
package simcore
