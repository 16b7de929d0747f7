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
	mu    sync.Mutex
	world *world.World
	base  simnet.Link
	links map[way][]*layer[simnet.Link]
	disks map[*world.Node][]*layer[simfs.Faults]
}

type way struct{ from, to string }

// layer is one change.
type layer[T any] struct{ change func(*T) }

func newLayers(w *world.World, base simnet.Link) *layers {
	return &layers{world: w, base: base, links: map[way][]*layer[simnet.Link]{}, disks: map[*world.Node][]*layer[simfs.Faults]{}}
}

// Link changes how traffic fares from one host to another, until undo.
func (s *Site) Link(from, to string, change func(*simnet.Link)) (undo func()) {
	l, at, mine := s.layers, way{from, to}, &layer[simnet.Link]{change}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.links[at] = append(l.links[at], mine)
	l.setLink(at)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.links[at] = without(l.links[at], mine)
		l.setLink(at)
	}
}

// Both changes both ways between two hosts.
func (s *Site) Both(a, b string, change func(*simnet.Link)) (undo func()) {
	there, back := s.Link(a, b, change), s.Link(b, a, change)
	return func() { there(); back() }
}

func (l *layers) setLink(at way) {
	fare := l.base
	for _, x := range l.links[at] {
		x.change(&fare)
	}
	l.world.Fabric.SetLink(at.from, at.to, fare)
}

// Disk changes what may happen to calls of the node's disk, until undo.
func (s *Site) Disk(change func(*simfs.Faults)) (undo func()) {
	l, n, mine := s.layers, s.Node, &layer[simfs.Faults]{change}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.disks[n] = append(l.disks[n], mine)
	l.setDisk(n)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.disks[n] = without(l.disks[n], mine)
		l.setDisk(n)
	}
}

func (l *layers) setDisk(n *world.Node) {
	var faults simfs.Faults
	for _, x := range l.disks[n] {
		x.change(&faults)
	}
	n.Disk.SetFaults(faults)
}

func without[T comparable](list []T, one T) []T {
	return slices.DeleteFunc(list, func(x T) bool { return x == one })
}
