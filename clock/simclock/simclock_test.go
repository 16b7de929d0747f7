package simclock_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/clock/clocktest"
	"github.com/moldau/moldau/clock/simclock"
	"github.com/moldau/moldau/internal/simcore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	drifts := map[string]int{"exact": 0, "fast": 300_000, "slow": -300_000}
	for name, ppm := range drifts {
		t.Run(name, func(t *testing.T) {
			clocktest.Run(t, func(*testing.T) (clock.Clock, func(time.Duration)) {
				m := simclock.New(simcore.ProcessTime{}, nil)
				m.SetDrift(ppm)
				return m.Boot(simcore.NewFence(nil)), func(time.Duration) {}
			})
		})
	}
}

// bubble runs f with a machine in virtual time.
func bubble(t *testing.T, f func(t *testing.T, m *simclock.Machine, marks *simcore.Marks)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		marks := simcore.NewMarks(nil)
		f(t, simclock.New(simcore.ProcessTime{}, marks), marks)
	})
}

func mustFire(t *testing.T, marks *simcore.Marks, name string) {
	t.Helper()
	if marks.Fired(name) == 0 {
		t.Errorf("%s never fired: %v", name, marks.All())
	}
}

func TestWallJumpsAlone(t *testing.T) {
	bubble(t, func(t *testing.T, m *simclock.Machine, marks *simcore.Marks) {
		c := m.Boot(nil)
		timer := c.NewTimer(time.Second)
		trueMs := time.Now().UnixMilli()
		for _, jump := range []time.Duration{time.Hour, -3 * time.Hour} {
			before, mono := c.Wall(), c.Mono()
			m.Jump(jump)
			if got := c.Wall() - before; got != jump.Milliseconds() || c.Mono() != mono {
				t.Errorf("jump by %v: wall clock moved by %d ms, monotonic to %d", jump, got, c.Mono())
			}
		}
		if m.Error() != -2*time.Hour || c.Wall() != trueMs-2*3600_000 {
			t.Errorf("clock is off by %v", m.Error())
		}
		<-timer.C()
		if time.Now().UnixMilli() != trueMs+1000 {
			t.Error("a jump moved a timer")
		}
		m.Heal()
		if m.Error() != 0 || c.Wall() != time.Now().UnixMilli() {
			t.Errorf("healed clock is off by %v", m.Error())
		}
		mustFire(t, marks, "clock.jump")
		mustFire(t, marks, "clock.skew")
	})
}

func TestDriftScalesClockAndTimers(t *testing.T) {
	for _, c := range []struct {
		ppm  int
		true time.Duration // that an hour of the machine takes
	}{{0, time.Hour}, {1_000_000, 30 * time.Minute}, {-500_000, 2 * time.Hour}, {250_000, 48 * time.Minute}} {
		bubble(t, func(t *testing.T, m *simclock.Machine, _ *simcore.Marks) {
			m.SetDrift(c.ppm)
			clk := m.Boot(nil)
			begin, wall := time.Now(), clk.Wall()
			clk.Sleep(time.Hour, nil)
			if took := time.Since(begin); took != c.true {
				t.Errorf("drift %d: an hour took %v", c.ppm, took)
			}
			if clk.Mono() != clock.Mono(time.Hour) || clk.Wall()-wall != 3600_000 {
				t.Errorf("drift %d: clock shows %v and %d ms", c.ppm, clk.Mono(), clk.Wall()-wall)
			}
		})
	}
}

// TestDriftMovesSetTimers halves the speed in the middle of a timer.
func TestDriftMovesSetTimers(t *testing.T) {
	bubble(t, func(t *testing.T, m *simclock.Machine, marks *simcore.Marks) {
		c := m.Boot(nil)
		begin := time.Now()
		timer := c.NewTimer(2 * time.Second)
		time.Sleep(time.Second)
		m.SetDrift(-500_000)
		<-timer.C()
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("timer took %v", took)
		}
		m.SetDrift(1_000_000)
		before := c.Mono()
		timer.Reset(time.Second)
		<-timer.C()
		if took := time.Since(begin); took != 3500*time.Millisecond || c.Mono().Sub(before) != time.Second {
			t.Errorf("timer took %v", took)
		}
		mustFire(t, marks, "clock.drift")
	})
}

func TestCoarse(t *testing.T) {
	bubble(t, func(t *testing.T, m *simclock.Machine, marks *simcore.Marks) {
		const tick = 16 * time.Millisecond
		c := m.Boot(nil)
		time.Sleep(50 * time.Millisecond)
		exact := c.Mono()
		m.SetResolution(tick)
		if c.Mono() != exact {
			t.Errorf("monotonic clock fell from %v to %v", exact, c.Mono())
		}
		begin := c.Mono()
		c.Sleep(time.Millisecond, nil)
		if now := c.Mono(); now%clock.Mono(tick) != 0 || now.Sub(begin) < time.Millisecond {
			t.Errorf("coarse clock shows %d after %d", now, begin)
		}
		if wall := c.Wall(); wall%16 != 0 {
			t.Errorf("wall clock shows %d", wall)
		}
		time.Sleep(time.Millisecond)
		c.Mono()
		mustFire(t, marks, "clock.coarse")
	})
}

// TestPauseHoldsTimers: what fell due fires on resume, and only then.
func TestPauseHoldsTimers(t *testing.T) {
	bubble(t, func(t *testing.T, m *simclock.Machine, marks *simcore.Marks) {
		fence := simcore.NewFence(marks)
		c := m.Boot(fence)
		soon, late := c.NewTimer(time.Second), c.NewTimer(time.Hour)
		fence.Pause()
		read := make(chan clock.Mono)
		go func() { read <- c.Mono() }()
		time.Sleep(time.Minute)
		select {
		case <-soon.C():
			t.Error("a timer fired in a pause")
		case <-read:
			t.Error("the clock was read in a pause")
		default:
		}
		fence.Resume()
		<-soon.C()
		if now := <-read; now.Sub(0) != time.Minute {
			t.Errorf("clock shows %v after the pause", now)
		}
		select {
		case <-late.C():
			t.Error("a timer fired early")
		default:
		}
		late.Stop()
		mustFire(t, marks, "clock.held")
		mustFire(t, marks, "process.frozen")
	})
}

// TestCrashEndsWhoWaits: sleepers, readers and who waits for a timer alone.
func TestCrashEndsWhoWaits(t *testing.T) {
	bubble(t, func(t *testing.T, m *simclock.Machine, marks *simcore.Marks) {
		fence := simcore.NewFence(marks)
		c := m.Boot(fence)
		ended := make(chan struct{}, 3)
		run := func(f func()) {
			go func() {
				defer func() { ended <- struct{}{} }()
				f()
				t.Error("a call returned to a crashed incarnation")
			}()
		}
		timer := c.NewTimer(time.Hour)
		run(func() { c.Sleep(time.Hour, nil) })
		run(func() { <-timer.C(); c.Mono() })
		run(func() { time.Sleep(time.Second); timer.Reset(time.Second) })
		synctest.Wait()
		fence.Crash(simcore.Kill)
		for range 3 {
			<-ended
		}
		mustFire(t, marks, "process.cut")
		mustFire(t, marks, "process.fenced")
		if next := m.Boot(simcore.NewFence(nil)); next.Mono() != 0 {
			t.Errorf("the next incarnation begins at %v", next.Mono())
		}
	})
}

func TestEntropyFollowsTheStream(t *testing.T) {
	read := func(seed uint64, sizes ...int) (all []byte) {
		e := simclock.NewEntropy(nil, simcore.NewStreams(seed).Stream("ids"))
		for _, n := range sizes {
			p := make([]byte, n)
			e.Read(p)
			all = append(all, p...)
		}
		return all
	}
	if !bytes.Equal(read(1, 16, 7, 16), read(1, 16, 7, 16)) || bytes.Equal(read(1, 16), read(2, 16)) {
		t.Error("entropy does not follow its seed")
	}
}
