// Package manual is a clock.Clock that stands still until the test that holds
// it moves it, and a clock.Entropy that follows from a seed.
//
// Timers fire within Advance, on its goroutine, in the order of their times;
// those of one time in the order of their setting. Wall and monotonic time move
// together, except that JumpWall moves the wall clock alone.
package manual

import (
	"container/heap"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/moldau/moldau/clock"
)

// wallStartMs is what a new clock shows: 2025-01-01 00:00 UTC.
const wallStartMs = 1_735_689_600_000

// Clock is a clock that is moved by hand. Make it with New. All methods may be
// called concurrently.
type Clock struct {
	mu     sync.Mutex
	set    sync.Cond // timers were added
	mono   clock.Mono
	jumped time.Duration // of the wall clock against the monotonic
	timers timerHeap
	seq    uint64
}

// New returns a clock at monotonic zero and 2025-01-01 00:00 UTC.
func New() *Clock {
	c := &Clock{}
	c.set.L = &c.mu
	return c
}

// Wall is clock.Clock's.
func (c *Clock) Wall() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return wallStartMs + int64((time.Duration(c.mono)+c.jumped)/time.Millisecond)
}

// Mono is clock.Clock's.
func (c *Clock) Mono() clock.Mono {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mono
}

// JumpWall moves the wall clock alone, forwards or backwards. No timer fires.
func (c *Clock) JumpWall(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jumped += d
}

// Advance moves time on by d and fires, one after the other, the timers that
// fall due on the way, those too that are set meanwhile.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	end := c.mono.Add(max(d, 0))
	for len(c.timers) > 0 && c.timers[0].due <= end {
		c.fireNext()
	}
	c.mono = end
}

// AdvanceToNext moves time to the next timer and fires it alone. It tells by
// how much time moved, and false where no timer is set.
func (c *Clock) AdvanceToNext() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.timers) == 0 {
		return 0, false
	}
	before := c.mono
	c.fireNext()
	return c.mono.Sub(before), true
}

func (c *Clock) fireNext() {
	t := heap.Pop(&c.timers).(*timer)
	c.mono = max(c.mono, t.due)
	t.fired <- struct{}{} // empty while the timer is set
}

// Pending is the number of timers that are set, sleepers included.
func (c *Clock) Pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.timers)
}

// AwaitPending returns when at least n timers are set: when the goroutines
// under test have come so far that moving the clock means something to them.
func (c *Clock) AwaitPending(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.timers) < n {
		c.set.Wait()
	}
}

// NewTimer is clock.Clock's.
func (c *Clock) NewTimer(d time.Duration) clock.Timer {
	t := &timer{clock: c, fired: make(chan struct{}, 1), index: unset}
	t.Reset(d)
	return t
}

// Sleep is clock.Clock's.
func (c *Clock) Sleep(d time.Duration, stop <-chan struct{}) bool {
	t := c.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return true
	case <-stop:
		return false
	}
}

// unset is the index of a timer that is not in the heap.
const unset = -1

type timer struct {
	clock *Clock
	fired chan struct{}
	due   clock.Mono
	seq   uint64
	index int // in the heap
}

func (t *timer) C() <-chan struct{} { return t.fired }

func (t *timer) Reset(d time.Duration) {
	c := t.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	t.disarm()
	if d <= 0 {
		t.fired <- struct{}{}
		return
	}
	c.seq++
	t.due, t.seq = c.mono.Add(d), c.seq
	heap.Push(&c.timers, t)
	c.set.Broadcast()
}

func (t *timer) Stop() {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	t.disarm()
}

// disarm unsets the timer and takes back what it has sent. The caller holds mu.
func (t *timer) disarm() {
	if t.index != unset {
		heap.Remove(&t.clock.timers, t.index)
	}
	select {
	case <-t.fired:
	default:
	}
}

// timerHeap has the next timer first.
type timerHeap []*timer

func (h timerHeap) Len() int { return len(h) }

func (h timerHeap) Less(i, j int) bool {
	if h[i].due != h[j].due {
		return h[i].due < h[j].due
	}
	return h[i].seq < h[j].seq
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	t.index = len(*h)
	*h = append(*h, t)
}

func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	t.index = unset
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return t
}

// Entropy yields the bytes that its seed determines. Make it with NewEntropy.
// It may be used concurrently; the order of the calls decides who gets what.
type Entropy struct {
	mu     sync.Mutex
	source *rand.ChaCha8
}

// NewEntropy returns the entropy of a seed.
func NewEntropy(seed uint64) *Entropy {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	return &Entropy{source: rand.NewChaCha8(key)}
}

// Read is clock.Entropy's.
func (e *Entropy) Read(p []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, _ = e.source.Read(p) // never fails
}
