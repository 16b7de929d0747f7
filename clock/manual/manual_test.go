package manual_test

import (
	"bytes"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/clock/clocktest"
	"github.com/moldau/moldau/clock/manual"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	clocktest.Run(t, func(*testing.T) (clock.Clock, func(time.Duration)) {
		c := manual.New()
		return c, c.Advance
	})
}

func TestTimersFireInOrder(t *testing.T) {
	c := manual.New()
	delays := []time.Duration{30, 10, 20, 10}
	timers := make([]clock.Timer, len(delays))
	for i, d := range delays {
		timers[i] = c.NewTimer(d * time.Second)
	}
	var order []int
	for {
		if _, ok := c.AdvanceToNext(); !ok {
			break
		}
		for i, timer := range timers {
			select {
			case <-timer.C():
				order = append(order, i)
			default:
			}
		}
	}
	if want := []int{1, 3, 2, 0}; !equal(order, want) {
		t.Errorf("fired in order %v, want %v", order, want)
	}
	if got := c.Mono(); got != clock.Mono(30*time.Second) {
		t.Errorf("clock stands at %d", got)
	}
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestWallJumpsAlone(t *testing.T) {
	c := manual.New()
	wall := c.Wall()
	timer := c.NewTimer(time.Minute)
	c.JumpWall(-time.Hour)
	if got := c.Wall() - wall; got != -time.Hour.Milliseconds() {
		t.Errorf("wall moved by %d ms", got)
	}
	if c.Mono() != 0 {
		t.Errorf("monotonic time moved to %d", c.Mono())
	}
	select {
	case <-timer.C():
		t.Error("a jump of the wall clock fired a timer")
	default:
	}
}

func TestAwaitPendingWaitsForSleepers(t *testing.T) {
	c := manual.New()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Sleep(time.Minute, nil)
	}()
	c.AwaitPending(1)
	c.Advance(time.Minute)
	<-done
	if c.Pending() != 0 {
		t.Errorf("%d timers left", c.Pending())
	}
}

func TestEntropyFollowsFromSeed(t *testing.T) {
	read := func(seed uint64) []byte {
		p := make([]byte, 100)
		e := manual.NewEntropy(seed)
		e.Read(p[:33])
		e.Read(p[33:])
		return p
	}
	if !bytes.Equal(read(7), read(7)) || bytes.Equal(read(7), read(8)) {
		t.Error("entropy does not follow from the seed alone")
	}
}
