package simcore

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moldau/moldau/internal/yield"
)

// Ending is how an incarnation ends.
type Ending int

const (
	// Kill: the process is gone, its machine is not: files keep what was
	// written, peers learn that their connections are closed.
	Kill Ending = iota
	// PowerLoss: the machine is gone: files keep what was synced and any part
	// of the rest, peers hear nothing more.
	PowerLoss
	// Exit: the process ended by itself, which leaves what a kill leaves.
	Exit
)

func (e Ending) String() string {
	switch e {
	case PowerLoss:
		return "power loss"
	case Exit:
		return "exit"
	}
	return "kill"
}

// Fence is what an incarnation's seams ask at every call. Make it with
// NewFence. All methods may be called concurrently; those of a nil *Fence do
// nothing and let everything pass.
//
// Who calls Crash from a goroutine that then goes on must not call into the
// incarnation any more: that ends the goroutine like any other. Clean-up of a
// crashed incarnation (raft's Shutdown, say) runs on a goroutine of its own.
type Fence struct {
	marks   *Marks
	cut     *Counter
	refused *Counter
	frozen  *Counter

	attention atomic.Bool // crashed, paused, or traps are armed
	crashed   chan struct{}
	ctx       context.Context
	cancel    context.CancelFunc

	mu       sync.Mutex
	ended    bool
	ending   Ending
	resumed  chan struct{} // nil: not paused
	onCrash  []func(Ending)
	onResume []func()
	traps    []*trap
}

// NewFence returns the fence of an incarnation that is alive. Marks, which may
// be nil, get "process.<ending>" per crash, "process.cut" per call that a
// crash ended under way, "process.fenced" per call that came after it, and
// "process.frozen" per call that a pause held.
func NewFence(marks *Marks) *Fence {
	f := &Fence{
		marks: marks, crashed: make(chan struct{}),
		cut: marks.Counter("process.cut"), refused: marks.Counter("process.fenced"), frozen: marks.Counter("process.frozen"),
	}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f
}

// Alive reports whether the incarnation has not crashed. It may be paused.
func (f *Fence) Alive() bool {
	if f == nil {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.ended
}

// Paused reports whether a pause is on.
func (f *Fence) Paused() bool {
	if f == nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.resumed != nil && !f.ended
}

// Crashed is closed when the incarnation crashes.
func (f *Fence) Crashed() <-chan struct{} {
	if f == nil {
		return nil
	}
	return f.crashed
}

// Context is cancelled when the incarnation crashes.
func (f *Fence) Context() context.Context {
	if f == nil {
		return context.Background()
	}
	return f.ctx
}

// OnCrash makes Crash call note, on its goroutine, in the order of OnCrash. If
// the incarnation has crashed already, note is called at once.
func (f *Fence) OnCrash(note func(Ending)) {
	if f == nil {
		return
	}
	f.mu.Lock()
	if f.ended {
		ending := f.ending
		f.mu.Unlock()
		note(ending)
		return
	}
	f.onCrash = append(f.onCrash, note)
	f.mu.Unlock()
}

// OnResume makes Resume call note after the pause is over.
func (f *Fence) OnResume(note func()) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.onResume = append(f.onResume, note)
}

// Crash ends the incarnation: no seam call that has not returned yet ever
// does. It returns false if it had crashed before. It holds nobody: calls end
// when their goroutines run next.
func (f *Fence) Crash(how Ending) bool {
	if f == nil {
		return false
	}
	f.mu.Lock()
	if f.ended {
		f.mu.Unlock()
		return false
	}
	f.ended, f.ending, f.traps = true, how, nil
	f.attention.Store(true)
	notes := f.onCrash
	f.onCrash, f.onResume = nil, nil
	f.mu.Unlock()
	close(f.crashed)
	f.marks.Counter("process." + how.String()).Hit("")
	for _, note := range notes {
		note(how)
	}
	f.cancel()
	return true
}

// Pause freezes the incarnation at its seams until Resume. It reports whether
// it was running.
func (f *Fence) Pause() bool {
	if f == nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended || f.resumed != nil {
		return false
	}
	f.resumed = make(chan struct{})
	f.attention.Store(true)
	return true
}

// Resume ends a pause and reports whether there was one.
func (f *Fence) Resume() bool {
	if f == nil {
		return false
	}
	f.mu.Lock()
	if f.ended || f.resumed == nil {
		f.mu.Unlock()
		return false
	}
	close(f.resumed)
	f.resumed = nil
	f.attention.Store(len(f.traps) > 0)
	notes := slices.Clone(f.onResume)
	f.mu.Unlock()
	for _, note := range notes {
		note()
	}
	return true
}

// Enter begins a seam call on name (a file, an address; may be empty). It
// waits while the incarnation is paused and ends the goroutine if it has
// crashed. The caller holds no lock.
func (f *Fence) Enter(op Op, name string) {
	yield.Point()
	if f != nil && f.attention.Load() {
		f.gate(f.refused)
		f.spring(Before, op, name)
		f.gate(f.cut)
	}
}

// Leave ends a seam call, like Enter: what was done meanwhile is done, but a
// crashed incarnation never learns of it.
func (f *Fence) Leave(op Op, name string) {
	if f != nil && f.attention.Load() {
		f.gate(f.cut)
		f.spring(After, op, name)
		f.gate(f.cut)
	}
}

// Part reports whether a trap is to go off within the call: the caller does a
// part of its work and then calls Spring.
func (f *Fence) Part(op Op, name string) (Spring func(), within bool) {
	if f == nil || !f.attention.Load() {
		return nil, false
	}
	t := f.take(Within, op, name)
	if t == nil {
		return nil, false
	}
	return func() {
		f.run(t)
		f.gate(f.cut)
	}, true
}

// Wait returns when ch receives or is closed, and ends the goroutine if the
// incarnation crashes before.
func (f *Fence) Wait(ch <-chan struct{}) {
	select {
	case <-ch:
	case <-f.Crashed():
		f.gate(f.cut)
	}
}

// Sleep returns when d has passed in true time, or stop closes, which it
// reports as false; it ends the goroutine if the incarnation crashes before.
func (f *Fence) Sleep(base Timebase, d time.Duration, stop <-chan struct{}) bool {
	if d <= 0 {
		return true
	}
	done := make(chan struct{})
	alarm := base.AfterFunc(d, func() { close(done) })
	defer alarm.Stop()
	select {
	case <-done:
		return true
	case <-stop:
		return false
	case <-f.Crashed():
		f.gate(f.cut)
		return false // not reached
	}
}

// gate waits while paused, and ends the goroutine of a crashed incarnation.
func (f *Fence) gate(ended *Counter) {
	held := false
	for {
		f.mu.Lock()
		over, resumed := f.ended, f.resumed
		f.mu.Unlock()
		if over {
			ended.Add()
			runtime.Goexit()
		}
		if resumed == nil {
			return
		}
		if !held {
			held = true
			f.frozen.Add()
		}
		select {
		case <-resumed:
		case <-f.crashed:
		}
	}
}
