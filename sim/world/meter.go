package world

import (
	"sync/atomic"
	"time"

	"github.com/moldau/moldau/internal/simcore"
)

// Meter is a Timebase that counts what is asked of another: readings of the
// clock and calls to come, by which a run that does not end is found.
type Meter struct {
	Base simcore.Timebase
	// ReadsMax and EventsMax bound both; zero is no bound. Beyond one of them
	// Over is called, again and again: it ends the run.
	ReadsMax, EventsMax int64
	Over                func(what string, count int64)

	reads, events atomic.Int64
}

// Now is simcore.Timebase's.
func (m *Meter) Now() time.Time {
	if n := m.reads.Add(1); m.ReadsMax > 0 && n > m.ReadsMax {
		m.Over("clock reads", n)
	}
	return m.Base.Now()
}

// AfterFunc is simcore.Timebase's.
func (m *Meter) AfterFunc(d time.Duration, f func()) simcore.Alarm {
	m.Event()
	return m.Base.AfterFunc(d, f)
}

// Event counts one event: a call to come, or a line of the trace.
func (m *Meter) Event() {
	if n := m.events.Add(1); m.EventsMax > 0 && n > m.EventsMax {
		m.Over("events", n)
	}
}

// Reads is the number of clock readings so far, Events that of events.
func (m *Meter) Reads() int64 { return m.reads.Load() }

// Events is the number of events so far.
func (m *Meter) Events() int64 { return m.events.Load() }
