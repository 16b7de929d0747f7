package simclock

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/internal/simcore"
)

// The calls that a fence sees.
const (
	OpRead    simcore.Op = "clock.read"  // Wall and Mono
	OpTimer   simcore.Op = "clock.timer" // NewTimer, Reset and Stop
	OpSleep   simcore.Op = "clock.sleep"
	OpEntropy simcore.Op = "clock.entropy"
)

// Clock is the clock of one incarnation. Machine.Boot makes it.
type Clock struct {
	machine *Machine
	fence   *simcore.Fence

	// Guarded by the machine's mutex.
	bootAt      time.Duration // the machine's monotonic time at boot
	last        clock.Mono    // latest reading
	jumped      bool          // the wall clock jumped since it was read
	dead        bool
	first, tail *timer // those that are set, in the order of their setting
}

// Wall is clock.Clock's.
func (c *Clock) Wall() int64 {
	c.fence.Enter(OpRead, "")
	m := c.machine
	m.mu.Lock()
	defer m.mu.Unlock()
	ahead := m.local() + m.offset
	if c.jumped {
		c.jumped = false
		m.marks.jump.Hit("")
	}
	if m.offset != 0 {
		m.marks.skew.Add()
	}
	return m.coarsened(time.Duration(m.origin.UnixNano()) + ahead).Milliseconds()
}

// Mono is clock.Clock's.
func (c *Clock) Mono() clock.Mono {
	c.fence.Enter(OpRead, "")
	c.machine.mu.Lock()
	defer c.machine.mu.Unlock()
	return c.mono()
}

// mono reads the clock. The caller holds the machine's mutex.
func (c *Clock) mono() clock.Mono {
	c.last = max(c.last, clock.Mono(c.machine.coarsened(c.machine.local()-c.bootAt)))
	return c.last
}

// NewTimer is clock.Clock's.
func (c *Clock) NewTimer(d time.Duration) clock.Timer {
	c.fence.Enter(OpTimer, "")
	t := &timer{clock: c, fired: make(chan struct{}, 1)}
	c.set(t, d)
	return t
}

// Sleep is clock.Clock's.
func (c *Clock) Sleep(d time.Duration, stop <-chan struct{}) bool {
	c.fence.Enter(OpSleep, "")
	if d <= 0 {
		return true
	}
	t := &timer{clock: c, fired: make(chan struct{}, 1)}
	c.set(t, d)
	whole := false
	select {
	case <-t.fired:
		whole = true
	case <-stop:
		c.unset(t)
	case <-c.fence.Crashed(): // Leave ends the goroutine
	}
	c.fence.Leave(OpSleep, "")
	return whole
}

// crashed fires every timer and forgets the clock.
func (c *Clock) crashed() {
	m := c.machine
	m.mu.Lock()
	defer m.mu.Unlock()
	c.dead = true
	for c.first != nil {
		c.first.fireNow()
	}
	for i, other := range m.clocks {
		if other == c {
			m.clocks = append(m.clocks[:i], m.clocks[i+1:]...)
			return
		}
	}
}

// resumed fires the timers that fell due in a pause, in the order of their setting.
func (c *Clock) resumed() {
	c.machine.mu.Lock()
	defer c.machine.mu.Unlock()
	for t := c.first; t != nil; {
		next := t.next
		if t.held {
			t.fireNow()
		}
		t = next
	}
}

// Entropy is clock.Entropy of one incarnation, out of a stream that is its
// machine's alone. Make it with NewEntropy.
type Entropy struct {
	fence *simcore.Fence

	mu     sync.Mutex
	stream *rand.Rand
}

// NewEntropy returns what draws from stream, which nobody else uses meanwhile.
func NewEntropy(fence *simcore.Fence, stream *rand.Rand) *Entropy {
	return &Entropy{fence: fence, stream: stream}
}

// Read is clock.Entropy's.
func (e *Entropy) Read(p []byte) {
	e.fence.Enter(OpEntropy, "")
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := 0; i < len(p); i += 8 {
		bits := e.stream.Uint64()
		for j := i; j < min(i+8, len(p)); j++ {
			p[j] = byte(bits)
			bits >>= 8
		}
	}
}
