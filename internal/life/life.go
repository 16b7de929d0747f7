// Package life is how the parts of a node learn that it is over without a stop:
// its process is gone, or, where many nodes share one (a simulation), its
// incarnation is. Nothing is saved or answered then; goroutines that wait for
// each other let go and end, which is all that is left to do.
//
//	Life ── Over: closed at the end, for selects
//	     ├─ Receive: to receive, or end the goroutine
//	     └─ OnEnd: for who cannot select (conditions, libraries)
//
// It is NOT a clean stop: that is each part's Close, in its order. A part that
// has stopped cleanly takes its call back by forget.
//
// Who owns state: a Life one mutex, not held while calls run. A nil *Life
// never ends.
package life

import (
	"runtime"
	"slices"
	"sync"
)

// Life is the span of a node's process. Make it with New. All methods may be
// called concurrently.
type Life struct {
	over chan struct{}

	mu    sync.Mutex
	ended bool
	calls []*call
}

type call struct{ f func() }

// New returns a life that has not ended.
func New() *Life { return &Life{over: make(chan struct{})} }

// Over is closed when the life ends.
func (l *Life) Over() <-chan struct{} {
	if l == nil {
		return nil
	}
	return l.over
}

// Ended reports whether the life is over.
func (l *Life) Ended() bool {
	select {
	case <-l.Over():
		return true
	default:
		return false
	}
}

// OnEnd has End call f, which must not wait for anything of the node, nor use
// its clock, disk or network. If the life is over f is called at once. forget
// takes it back.
func (l *Life) OnEnd(f func()) (forget func()) {
	if l == nil {
		return func() {}
	}
	c := &call{f}
	l.mu.Lock()
	ended := l.ended
	if !ended {
		l.calls = append(l.calls, c)
	}
	l.mu.Unlock()
	if ended {
		f()
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.calls = slices.DeleteFunc(l.calls, func(other *call) bool { return other == c })
	}
}

// End ends the life, once: it closes Over, then makes the calls in the order
// of OnEnd.
func (l *Life) End() {
	l.mu.Lock()
	if l.ended {
		l.mu.Unlock()
		return
	}
	l.ended = true
	calls := l.calls
	l.calls = nil
	l.mu.Unlock()
	close(l.over)
	for _, c := range calls {
		c.f()
	}
}

// Receive receives from ch. If the life ends before, it ends the goroutine
// (runtime.Goexit; deferred calls run), as the seams of a node that is gone do.
func Receive[T any](l *Life, ch <-chan T) (v T) {
	select {
	case v = <-ch:
	case <-l.Over():
		runtime.Goexit()
	}
	return v
}
