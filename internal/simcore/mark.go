package simcore

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Counter counts how often one fault hit an operation. A nil one counts nothing.
type Counter struct {
	name  string
	marks *Marks
	count atomic.Int64
}

// Add counts one hit, which nobody is told of: for what happens all the time.
func (c *Counter) Add() {
	if c != nil {
		c.count.Add(1)
	}
}

// Hit counts one hit and tells the observer, with what was hit.
func (c *Counter) Hit(detail string) {
	if c == nil {
		return
	}
	c.count.Add(1)
	if observe := c.marks.observe; observe != nil {
		observe(c.name, detail)
	}
}

// Mark is a fault's name and its number of hits.
type Mark struct {
	Name  string
	Fired int64
}

// Marks are the counters of one run. Make them with NewMarks; a nil *Marks
// counts nothing.
type Marks struct {
	observe func(name, detail string)

	mu       sync.Mutex
	counters map[string]*Counter
}

// NewMarks returns marks that tell observe, unless it is nil, of every Hit. It
// is called on the goroutine that was hit, perhaps with a lock of the
// component held: it must neither wait nor call the component.
func NewMarks(observe func(name, detail string)) *Marks {
	return &Marks{observe: observe, counters: map[string]*Counter{}}
}

// Counter returns the counter of a name, the same one for the same name.
func (m *Marks) Counter(name string) *Counter {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.counters[name]
	if c == nil {
		c = &Counter{name: name, marks: m}
		m.counters[name] = c
	}
	return c
}

// Fired is how often the fault of a name hit something.
func (m *Marks) Fired(name string) int64 {
	if m == nil {
		return 0
	}
	return m.Counter(name).count.Load()
}

// All lists what has fired, sorted by name.
func (m *Marks) All() (all []Mark) {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(m.counters)) {
		if n := m.counters[name].count.Load(); n > 0 {
			all = append(all, Mark{name, n})
		}
	}
	return all
}
