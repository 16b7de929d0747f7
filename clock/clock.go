// Package clock is the seam of time. Everything outside the real edges takes
// a Clock; nothing else reads the process's own.
//
// Wall and monotonic time are kept apart: sessions, timeouts and leases are
// monotonic, retention and record timestamps are wall time, and a jump of
// the wall clock never ends a session. Seams take durations, not absolute
// deadlines.
//
// Implementations: clock/sysclock (the machine's), clock/manual (moved by the
// test that holds it), and the simulator's with skew and jumps per node.
package clock

import "time"

// Mono is a reading of the monotonic clock: nanoseconds since some origin of
// this incarnation. Readings never decrease; only differences mean anything.
type Mono int64

// Sub is the time from earlier to m.
func (m Mono) Sub(earlier Mono) time.Duration { return time.Duration(m - earlier) }

// Add is the reading d after m.
func (m Mono) Add(d time.Duration) Mono { return m + Mono(d) }

// Clock tells time and wakes. All methods may be called concurrently.
type Clock interface {
	// Wall is the wall clock in milliseconds since the Unix epoch, Kafka's
	// unit for every timestamp. It may jump both ways.
	Wall() int64
	// Mono reads the monotonic clock.
	Mono() Mono
	// NewTimer returns a timer that fires once, d from now; d at or below
	// zero fires at once.
	NewTimer(d time.Duration) Timer
	// Sleep returns after d, or earlier when stop is closed; it reports
	// whether the whole time passed. A nil stop never closes.
	Sleep(d time.Duration, stop <-chan struct{}) bool
}

// Timer fires once on C for each NewTimer or Reset. One goroutine owns it.
type Timer interface {
	// C receives when the timer fires. After Stop or Reset nothing stale is
	// received from it.
	C() <-chan struct{}
	// Reset makes the timer fire d from now, whatever its state.
	Reset(d time.Duration)
	// Stop ends it.
	Stop()
}

// Entropy is the source of identities (cluster, topic, directory and producer
// ids, member ids) and of jitter. It is injected like the clock: the real one
// is the operating system's, the simulator's follows from the seed.
type Entropy interface {
	// Read fills p. It never fails.
	Read(p []byte)
}
