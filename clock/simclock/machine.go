package simclock

import (
	"sync"
	"time"

	"github.com/moldau/moldau/internal/invariant"
	"github.com/moldau/moldau/internal/simcore"
)

const (
	// driftPpmMin and driftPpmMax bound the drift, in millionths.
	driftPpmMin = -500_000
	driftPpmMax = 1_000_000
	// million is the unit of drift.
	million = 1_000_000
)

// Machine is the clock of a node's machine, which outlives its processes. Make
// it with New. All methods may be called concurrently.
type Machine struct {
	base   simcore.Timebase
	origin time.Time
	marks  marks

	mu         sync.Mutex
	ppm        int64         // rate against true time, less one
	trueFrom   time.Duration // since origin: when ppm was set
	localFrom  time.Duration // what the machine's monotonic clock showed then
	offset     time.Duration // of the wall clock, beyond what drift made
	resolution time.Duration // zero: exact
	clocks     []*Clock      // of incarnations that live, oldest first
}

// marks are the faults that hit a reading or a timer.
type marks struct {
	skew, drift, coarse *simcore.Counter // readings of a wall clock that was wrong; timers; readings
	jump                *simcore.Counter // jumps that a later reading saw
	held                *simcore.Counter // timers that a pause held
}

// New returns the clock of a machine that is right. counters may be nil; it
// gets "clock.skew", "clock.drift", "clock.coarse", "clock.jump" and "clock.held".
func New(base simcore.Timebase, counters *simcore.Marks) *Machine {
	invariant.Check(base != nil, "simulated clock without a timebase")
	return &Machine{base: base, origin: base.Now(), marks: marks{
		skew: counters.Counter("clock.skew"), drift: counters.Counter("clock.drift"),
		coarse: counters.Counter("clock.coarse"), jump: counters.Counter("clock.jump"), held: counters.Counter("clock.held"),
	}}
}

// Boot returns the clock of an incarnation, whose monotonic readings begin at
// zero. A nil fence never falls.
func (m *Machine) Boot(fence *simcore.Fence) *Clock {
	c := &Clock{machine: m, fence: fence}
	m.mu.Lock()
	c.bootAt = m.local()
	m.clocks = append(m.clocks, c)
	m.mu.Unlock()
	fence.OnCrash(func(simcore.Ending) { c.crashed() })
	fence.OnResume(c.resumed)
	return c
}

// SetDrift makes the clock run faster than true time by ppm millionths, slower
// if negative, from now on. Timers that are set are moved.
func (m *Machine) SetDrift(ppm int) {
	invariant.Check(ppm >= driftPpmMin && ppm <= driftPpmMax, "clock drift of %d ppm", ppm)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.localFrom = m.local()
	m.trueFrom = m.base.Now().Sub(m.origin)
	m.ppm = int64(ppm)
	for _, c := range m.clocks {
		for t := c.first; t != nil; t = t.next {
			m.setAlarm(t)
		}
	}
}

// Jump moves the wall clock by d, either way.
func (m *Machine) Jump(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.offset += d
	for _, c := range m.clocks {
		c.jumped = true
	}
}

// SetResolution makes readings multiples of d; zero makes them exact.
func (m *Machine) SetResolution(d time.Duration) {
	invariant.Check(d >= 0, "clock resolution of %v", d)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.resolution = d
}

// Heal makes the clock right again: no drift, exact, and the wall clock set to
// true time by one jump.
func (m *Machine) Heal() {
	m.SetDrift(0)
	m.SetResolution(0)
	m.Jump(-m.Error())
}

// Error is by how much the wall clock is ahead of true time now, its
// resolution left out.
func (m *Machine) Error() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.local() + m.offset - m.base.Now().Sub(m.origin)
}

// local is the machine's exact monotonic time. The caller holds mu.
func (m *Machine) local() time.Duration {
	passed := m.base.Now().Sub(m.origin) - m.trueFrom
	return m.localFrom + passed + scaled(passed, m.ppm)
}

// scaled is d*ppm/million without overflow.
func scaled(d time.Duration, ppm int64) time.Duration {
	return d/million*time.Duration(ppm) + d%million*time.Duration(ppm)/million
}

// trueFor is the true time in which the machine's clock moves by at least d,
// up to one rounding. The caller holds mu.
func (m *Machine) trueFor(d time.Duration) time.Duration {
	if m.ppm == 0 {
		return d
	}
	rate := time.Duration(million + m.ppm)
	return d/rate*million + (d%rate*million+rate-1)/rate
}

// coarsened is a reading as the resolution shows it. The caller holds mu.
func (m *Machine) coarsened(reading time.Duration) time.Duration {
	if m.resolution == 0 || reading%m.resolution == 0 {
		return reading
	}
	m.marks.coarse.Add()
	return reading - reading%m.resolution
}
