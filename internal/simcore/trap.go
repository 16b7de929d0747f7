package simcore

import (
	"slices"

	"github.com/moldau/moldau/internal/invariant"
)

// Op is a kind of seam call, "<seam>.<call>": "disk.sync", "net.write".
type Op string

// Where in a call a trap goes off.
type Where int

const (
	// Before the call does anything.
	Before Where = iota
	// Within the call, after a part of its work: writes to files and
	// connections, and sends of files. Other calls pass it by.
	Within
	// After the call did all of its work, before the caller learns of it.
	After
)

// Trap waits for a seam call and does something on its goroutine, most often
// a crash at that very place. What is zero picks every call.
type Trap struct {
	Ops   []Op
	Match func(name string) bool
	// Nth picks the nth of the calls that fit, counting from 1; zero is 1.
	Nth   int
	Where Where
	// Do is done once; nil crashes the incarnation by Ending.
	Do     func()
	Ending Ending
}

// trap is an armed Trap with the number of calls that are still to pass.
type trap struct {
	Trap
	left int
}

// Arm sets a trap and returns what takes it away. It goes off once at most.
func (f *Fence) Arm(t Trap) (disarm func()) {
	invariant.Check(f != nil && t.Nth >= 0, "trap at call %d", t.Nth)
	armed := &trap{Trap: t, left: max(t.Nth, 1)}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return func() {}
	}
	f.traps = append(f.traps, armed)
	f.attention.Store(true)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.remove(armed)
	}
}

// remove takes a trap away. The caller holds mu.
func (f *Fence) remove(t *trap) {
	f.traps = slices.DeleteFunc(f.traps, func(other *trap) bool { return other == t })
	f.attention.Store(f.ended || f.resumed != nil || len(f.traps) > 0)
}

// take counts the call against the traps and returns the first that goes off.
func (f *Fence) take(where Where, op Op, name string) *trap {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, t := range f.traps {
		if t.Where != where || (len(t.Ops) > 0 && !slices.Contains(t.Ops, op)) || (t.Match != nil && !t.Match(name)) {
			continue
		}
		if t.left--; t.left == 0 {
			f.remove(t)
			f.marks.Counter("process.trap").Hit(string(op) + " " + name)
			return t
		}
	}
	return nil
}

func (f *Fence) spring(where Where, op Op, name string) {
	if t := f.take(where, op, name); t != nil {
		f.run(t)
	}
}

func (f *Fence) run(t *trap) {
	if t.Do != nil {
		t.Do()
		return
	}
	f.Crash(t.Ending)
}
