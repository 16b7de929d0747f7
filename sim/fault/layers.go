package fault

import (
	"slices"
	"sync"

	"github.com/moldau/moldau/disk/simfs"
	"github.com/moldau/moldau/net/simnet"
	"github.com/moldau/moldau/sim/world"
)

// layers let faults that last overlap: each changes what the others left, and
// takes its own change back.
type layers struct {
	links layered[way, simnet.Link]
	disks layered[*world.Node, simfs.Faults]
}

type way struct{ from, to string }

func newLayers(w *world.World, base simnet.Link) *layers {
	return &layers{
		links: layered[way, simnet.Link]{
			base: base, changes: map[way][]*layer[simnet.Link]{},
			set: func(at way, l simnet.Link) { w.Fabric.SetLink(at.from, at.to, l) },
		},
		disks: layered[*world.Node, simfs.Faults]{
			changes: map[*world.Node][]*layer[simfs.Faults]{},
			set:     func(n *world.Node, f simfs.Faults) { n.Disk.SetFaults(f) },
		},
	}
}

// Link changes how traffic fares from one host to another, until undo.
func (s *Site) Link(from, to string, change func(*simnet.Link)) (undo func()) {
	return s.layers.links.add(way{from, to}, change)
}

// Both changes both ways between two hosts.
func (s *Site) Both(a, b string, change func(*simnet.Link)) (undo func()) {
	there, back := s.Link(a, b, change), s.Link(b, a, change)
	return func() { there(); back() }
}

// Disk changes what may happen to calls of the node's disk, until undo.
func (s *Site) Disk(change func(*simfs.Faults)) (undo func()) {
	return s.layers.disks.add(s.Node, change)
}

// layered are changes of one value for each K.
type layered[K comparable, T any] struct {
	base T
	set  func(K, T)

	mu      sync.Mutex
	changes map[K][]*layer[T]
}

// layer is one change.
type layer[T any] struct{ change func(*T) }

// add makes a change until undo.
func (l *layered[K, T]) add(at K, change func(*T)) (undo func()) {
	mine := &layer[T]{change}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes[at] = append(l.changes[at], mine)
	l.apply(at)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.changes[at] = slices.DeleteFunc(l.changes[at], func(x *layer[T]) bool { return x == mine })
		l.apply(at)
	}
}

func (l *layered[K, T]) apply(at K) {
	value := l.base
	for _, x := range l.changes[at] {
		x.change(&value)
	}
	l.set(at, value)
}
