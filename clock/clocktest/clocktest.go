// Package clocktest is the contract of clock.Clock as tests, run against every
// implementation.
package clocktest

import (
	"testing"
	"time"

	"github.com/moldau/moldau/clock"
)

// far is a time that no test waits for; tick is one that it does.
const (
	far  = time.Hour
	tick = 2 * time.Millisecond
)

// Run tests the clocks that fresh makes. advance lets at least d pass on the
// clock: it moves a manual one, and may do nothing on one that runs by itself.
func Run(t *testing.T, fresh func(t *testing.T) (c clock.Clock, advance func(d time.Duration))) {
	cases := []struct {
		name string
		run  func(t *testing.T, c clock.Clock, advance func(d time.Duration))
	}{
		{"readings never fall and pass the timer's time", testReadings},
		{"a timer at or below zero fires at once", testAtOnce},
		{"a reset timer fires again, once", testReset},
		{"nothing stale comes after stop or reset", testStale},
		{"an earlier timer fires first", testOrder},
		{"sleep passes its time", testSleep},
		{"sleep ends early when stop closes", testSleepStopped},
		{"many resets race the firing", testResetRace},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			clk, advance := fresh(t)
			c.run(t, clk, advance)
		})
	}
}

func testReadings(t *testing.T, c clock.Clock, advance func(time.Duration)) {
	mono, wall := c.Mono(), c.Wall()
	timer := c.NewTimer(tick)
	defer timer.Stop()
	advance(tick)
	<-timer.C()
	if passed := c.Mono().Sub(mono); passed < tick {
		t.Errorf("monotonic clock moved by %v, timer was set to %v", passed, tick)
	}
	if c.Wall() < wall {
		t.Errorf("wall clock fell from %d to %d ms", wall, c.Wall())
	}
}

func testAtOnce(t *testing.T, c clock.Clock, _ func(time.Duration)) {
	for _, d := range []time.Duration{0, -far} {
		timer := c.NewTimer(d)
		<-timer.C()
		timer.Reset(d)
		<-timer.C()
		timer.Stop()
	}
	if !c.Sleep(0, make(chan struct{})) || !c.Sleep(-far, nil) {
		t.Error("sleep of no time was cut short")
	}
}

func testReset(t *testing.T, c clock.Clock, advance func(time.Duration)) {
	timer := c.NewTimer(far)
	defer timer.Stop()
	for range 3 {
		timer.Reset(tick)
		advance(tick)
		<-timer.C()
		mustBeEmpty(t, timer)
	}
}

func testStale(t *testing.T, c clock.Clock, advance func(time.Duration)) {
	witness := c.NewTimer(far)
	defer witness.Stop()
	for _, end := range []func(clock.Timer){clock.Timer.Stop, func(timer clock.Timer) { timer.Reset(far) }} {
		timer := c.NewTimer(tick)
		witness.Reset(2 * tick)
		advance(2 * tick)
		<-witness.C() // by now timer has fired as well
		end(timer)
		mustBeEmpty(t, timer)
		timer.Stop()
		timer.Stop()
	}
}

func mustBeEmpty(t *testing.T, timer clock.Timer) {
	t.Helper()
	select {
	case <-timer.C():
		t.Error("timer fired once too often")
	default:
	}
}

func testOrder(t *testing.T, c clock.Clock, advance func(time.Duration)) {
	late, early := c.NewTimer(far), c.NewTimer(tick)
	defer late.Stop()
	defer early.Stop()
	advance(tick)
	<-early.C()
	mustBeEmpty(t, late)
}

func testSleep(t *testing.T, c clock.Clock, advance func(time.Duration)) {
	before := c.Mono()
	slept := make(chan bool, 2)
	go func() { slept <- c.Sleep(tick, nil) }()
	go func() { slept <- c.Sleep(tick, make(chan struct{})) }()
	for range 2 {
		for done := false; !done; {
			select {
			case whole := <-slept:
				if !whole {
					t.Error("sleep says that it was cut short")
				}
				done = true
			default:
				advance(tick)
			}
		}
	}
	if passed := c.Mono().Sub(before); passed < tick {
		t.Errorf("slept for %v instead of %v", passed, tick)
	}
}

func testSleepStopped(t *testing.T, c clock.Clock, _ func(time.Duration)) {
	stop := make(chan struct{})
	slept := make(chan bool)
	go func() { slept <- c.Sleep(far, stop) }()
	close(stop)
	if <-slept {
		t.Error("stopped sleep says that its whole time passed")
	}
}

// testResetRace sets a timer again and again around the moment it fires.
func testResetRace(t *testing.T, c clock.Clock, advance func(time.Duration)) {
	timer := c.NewTimer(time.Microsecond)
	defer timer.Stop()
	for range 2000 {
		advance(time.Microsecond)
		timer.Reset(far)
		mustBeEmpty(t, timer)
		timer.Reset(time.Microsecond)
	}
	advance(time.Microsecond)
	<-timer.C()
	mustBeEmpty(t, timer)
}
