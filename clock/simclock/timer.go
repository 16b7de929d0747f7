package simclock

import (
	"time"

	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/internal/simcore"
)

// timer is set while it is in its clock's list. All but fired is guarded by
// the machine's mutex.
type timer struct {
	clock *Clock
	fired chan struct{}
	alarm simcore.Alarm // nil before the first setting that waits

	set, held  bool
	due        clock.Mono
	prev, next *timer
}

// C is clock.Timer's.
func (t *timer) C() <-chan struct{} { return t.fired }

// Reset is clock.Timer's.
func (t *timer) Reset(d time.Duration) {
	t.clock.fence.Enter(OpTimer, "")
	t.clock.unset(t)
	t.clock.set(t, d)
}

// Stop is clock.Timer's.
func (t *timer) Stop() {
	t.clock.fence.Enter(OpTimer, "")
	t.clock.unset(t)
}

// set makes t, which is not set, fire d from now.
func (c *Clock) set(t *timer, d time.Duration) {
	m := c.machine
	m.mu.Lock()
	defer m.mu.Unlock()
	if d <= 0 || c.dead {
		t.fired <- struct{}{} // empty while t is not set
		return
	}
	t.set, t.held = true, false
	t.due = c.mono().Add(d)
	if m.resolution > 0 {
		t.due += (clock.Mono(m.resolution) - t.due%clock.Mono(m.resolution)) % clock.Mono(m.resolution)
	}
	t.prev, t.next = c.tail, nil
	if c.tail == nil {
		c.first = t
	} else {
		c.tail.next = t
	}
	c.tail = t
	if m.ppm != 0 {
		m.marks.drift.Add()
	}
	m.setAlarm(t)
}

// setAlarm lets t look at the clock when it should be due. The caller holds mu.
func (m *Machine) setAlarm(t *timer) {
	if t.held {
		return
	}
	left := t.due - clock.Mono(m.local()-t.clock.bootAt)
	d := m.trueFor(time.Duration(max(left, 1)))
	if t.alarm == nil {
		t.alarm = m.base.AfterFunc(d, t.ring)
	} else {
		t.alarm.Reset(d)
	}
}

// ring is the alarm's: t fires if it is due, which it is not if it was set
// anew, or the clock made slower, just now.
func (t *timer) ring() {
	m := t.clock.machine
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case !t.set || t.held:
	case clock.Mono(m.local()-t.clock.bootAt) < t.due:
		m.setAlarm(t)
	case t.clock.fence.Paused():
		t.held = true
		m.marks.held.Add()
	default:
		t.fireNow()
	}
}

// fireNow fires a timer that is set. The caller holds the machine's mutex.
func (t *timer) fireNow() {
	t.unlink()
	t.fired <- struct{}{} // empty while t is set
}

// unset stops t and takes back what it has sent.
func (c *Clock) unset(t *timer) {
	c.machine.mu.Lock()
	defer c.machine.mu.Unlock()
	if t.set {
		t.unlink()
	}
	select {
	case <-t.fired:
	default:
	}
}

// unlink takes a timer that is set out of its clock's list.
func (t *timer) unlink() {
	c := t.clock
	if t.prev == nil {
		c.first = t.next
	} else {
		t.prev.next = t.next
	}
	if t.next == nil {
		c.tail = t.prev
	} else {
		t.next.prev = t.prev
	}
	t.prev, t.next, t.set, t.held = nil, nil, false, false
	if t.alarm != nil {
		t.alarm.Stop()
	}
}
