// Package simclock is clock.Clock for the nodes of a simulation: the clocks of
// machines that are wrong, each in its own way, over one true time.
//
//	true time ─► Machine (one a node: offset, drift, jumps, resolution)
//	                 └─► Clock (one an incarnation: its fence, its timers)
//
// Wall and monotonic time of a machine run at its rate; jumps and offsets move
// the wall clock alone. Timers go by the machine's monotonic time: on a clock
// that is slow they are late. A coarse clock shows multiples of its
// resolution, and its timers fire at such. Monotonic readings never fall,
// whatever is set.
//
// A pause keeps timers from firing until it is resumed; then all that are due
// fire at once, as after SIGSTOP. A crash fires all of them at once, so that
// whoever waits for one goes on and ends at its next seam call.
//
// Not a model of: leap seconds, and clocks that differ between the cores of a
// machine. Code that reads the process's own clock is not reached.
//
// Who owns state: a Machine one mutex, which guards its clocks and timers too.
package simclock
