package simcore

import "time"

// Timebase is the time that all simulated parts share: the true one, against
// which the nodes' clocks are wrong. In the simulator it is the virtual time
// of the process, in tests that of a synctest bubble.
type Timebase interface {
	// Now reads it; its monotonic part never falls.
	Now() time.Time
	// AfterFunc calls f on a goroutine of its own when d has passed.
	AfterFunc(d time.Duration, f func()) Alarm
}

// Alarm is a call to come; *time.Timer is one.
type Alarm interface {
	// Reset sets it to d from now and tells whether it was set before.
	Reset(d time.Duration) bool
	// Stop takes it back and tells whether it was set. A call that has begun
	// goes on.
	Stop() bool
}

// ProcessTime is the Timebase of the process itself.
type ProcessTime struct{}

// Now is Timebase's.
func (ProcessTime) Now() time.Time { return time.Now() }

// AfterFunc is Timebase's.
func (ProcessTime) AfterFunc(d time.Duration, f func()) Alarm { return time.AfterFunc(d, f) }
