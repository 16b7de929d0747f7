package simfs

import (
	"cmp"
	"path"
	"slices"
	"sync"

	"github.com/moldau/moldau/internal/invariant"
)

// Damage is a range of bytes of a file that are not what was last written to
// them, or, of kind Gone, a directory that is empty or lost.
type Damage struct {
	Node string
	Path string // as it is now, absolute
	Kind Kind
	Off  int64
	Len  int64 // what reaches past the end of the file is cut off
}

// Atlas knows the damage on all disks of a run. Make it with NewAtlas. All
// methods may be called concurrently; those of a nil *Atlas know nothing and
// allow nothing.
type Atlas struct {
	broken int // copies of one thing that may be taken at a time

	mu    sync.Mutex
	disks []*Disk
}

// NewAtlas returns the atlas of a run in which at most broken nodes may have
// lost their copy of one thing at a time. With as many as there are copies,
// loss is legitimate.
func NewAtlas(broken int) *Atlas {
	invariant.Check(broken >= 0, "atlas that allows %d broken copies", broken)
	return &Atlas{broken: broken}
}

func (a *Atlas) add(d *Disk) {
	a.mu.Lock()
	defer a.mu.Unlock()
	invariant.Check(!slices.ContainsFunc(a.disks, func(other *Disk) bool { return other.config.Node == d.config.Node }),
		"two disks of node %s", d.config.Node)
	a.disks = append(a.disks, d)
}

func (a *Atlas) all() []*Disk {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.disks)
}

// Damages lists all damage there is now, by node, path and offset. Files that
// no name leads to are left out.
func (a *Atlas) Damages() (list []Damage) {
	for _, d := range a.all() {
		list = append(list, d.Damages()...)
	}
	slices.SortStableFunc(list, func(x, y Damage) int { return cmp.Compare(x.Node, y.Node) })
	return list
}

// Damages lists the damage on this disk, by path and offset.
func (d *Disk) Damages() (list []Damage) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, dirs := range [][]string{d.gone, d.lostDirs} {
		for _, dir := range dirs {
			list = append(list, Damage{Node: d.config.Node, Path: dir, Kind: Gone})
		}
	}
	d.inner.Files(func(path string, id uint64, size int64) {
		a := d.ledger[id]
		if a == nil {
			return
		}
		for _, s := range a.damaged {
			if s.off < size {
				list = append(list, Damage{d.config.Node, path, s.kind, s.off, min(s.end, size) - s.off})
			}
		}
	})
	slices.SortStableFunc(list, func(x, y Damage) int {
		return cmp.Or(cmp.Compare(x.Path, y.Path), cmp.Compare(x.Off, y.Off))
	})
	return list
}

// thing is what copies on several nodes are copies of: the directory of a
// file by its last element, which for a partition is topic and number.
func thing(name string) string { return path.Base(path.Dir(clean(name))) }

// Allows reports whether damage that takes a node's copy of the file at name
// leaves enough others: whether the nodes that then have lost theirs are not
// too many. A directory that is gone counts for everything.
func (a *Atlas) Allows(node, name string) bool {
	if a == nil {
		return false
	}
	return a.counts(node, func(d Damage) bool { return d.Kind == Gone || thing(d.Path) == thing(name) }) <= a.broken
}

// AllowsNode is Allows for all that a node has: before its disk is replaced,
// say.
func (a *Atlas) AllowsNode(node string) bool {
	if a == nil {
		return false
	}
	return a.counts(node, func(Damage) bool { return true }) <= a.broken
}

// counts is the number of nodes, that one among them, with damage that took a
// copy and fits.
func (a *Atlas) counts(node string, fits func(Damage) bool) int {
	nodes := 1
	for _, d := range a.all() {
		if d.config.Node == node {
			continue
		}
		if slices.ContainsFunc(d.Damages(), func(damage Damage) bool { return damage.Kind.TakesCopy() && fits(damage) }) {
			nodes++
		}
	}
	return nodes
}
