// Package fault is everything that can happen to the machines of a run, each by
// a name, and the injector that lets it happen.
//
//	All() ─ the named faults ─► Draw: a seed's subset, rates (a Swarm)
//	                                  └─► Inject: a goroutine a fault ─► strike, hold, heal
//
// A fault strikes a World's machines from outside: fence, network, disk, clock.
// Each has a mark that proves that it hit something (the counters of
// simcore.Marks), says how it heals, and what must hold all the same. Which
// history event it leaves tells the checkers what it excuses.
//
// Each fault draws from a stream of its own, so that taking one away leaves the
// times and the choices of all others as they were.
//
// It is NOT the place where the machines are: that is sim/world. It never calls
// into a broker.
package fault
