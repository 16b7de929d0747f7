// Package sysclock is clock.Clock and clock.Entropy over the machine's own:
// the only place, beside net/tcp's deadlines, that reads the process's time.
package sysclock

import (
	"crypto/rand"
	"sync"
	"time"

	"github.com/moldau/moldau/clock"
)

// Clock is the machine's clock. Make it with New.
type Clock struct {
	origin time.Time
}

// New returns a clock whose monotonic readings begin at zero now.
func New() *Clock { return &Clock{origin: time.Now()} }

// Wall is clock.Clock's.
func (*Clock) Wall() int64 { return time.Now().UnixMilli() }

// Mono is clock.Clock's.
func (c *Clock) Mono() clock.Mono { return clock.Mono(time.Since(c.origin)) }

// NewTimer is clock.Clock's.
func (c *Clock) NewTimer(d time.Duration) clock.Timer {
	t := &timer{clock: c, fired: make(chan struct{}, 1), armed: true, due: c.Mono().Add(d)}
	t.mu.Lock() // fire must not run before std is set
	defer t.mu.Unlock()
	t.std = time.AfterFunc(d, t.fire)
	return t
}

// Sleep is clock.Clock's.
func (*Clock) Sleep(d time.Duration, stop <-chan struct{}) bool {
	if stop == nil {
		time.Sleep(d)
		return true
	}
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-stop:
		return false
	}
}

// timer fires at due while it is armed. A run of fire that an earlier setting
// began comes before the due of a later one, and does nothing.
type timer struct {
	clock *Clock
	std   *time.Timer
	fired chan struct{}

	mu    sync.Mutex
	armed bool
	due   clock.Mono
}

func (t *timer) C() <-chan struct{} { return t.fired }

func (t *timer) fire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.armed || t.clock.Mono() < t.due {
		return
	}
	t.armed = false
	t.fired <- struct{}{} // empty while armed
}

func (t *timer) Reset(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drain()
	t.armed, t.due = true, t.clock.Mono().Add(d)
	t.std.Reset(d)
}

func (t *timer) Stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drain()
	t.armed = false
	t.std.Stop()
}

func (t *timer) drain() {
	select {
	case <-t.fired:
	default:
	}
}

// Entropy is the operating system's source of randomness.
type Entropy struct{}

// Read is clock.Entropy's. Where the system has no randomness the process ends.
func (Entropy) Read(p []byte) {
	// crypto/rand.Read never returns an error.
	_, _ = rand.Read(p)
}
