// Package pmap is a persistent ordered map: a B+ tree whose versions share
// all nodes that do not differ. A Map is a value that never changes; an
// Editor makes the next version, copying each node at most once however many
// changes it takes.
//
// It is NOT safe to use one Editor from two goroutines; Maps may be read by
// any number. Iteration is in key order, so it is deterministic.
//
// Invariants: all leaves have the same depth; keys ascend within a node and
// from node to node; in an inner node keys[i] is at most every key below
// kids[i] and above every key below kids[i-1]; no node but the root is empty.
package pmap

import "iter"

// nodeItemsMax is the greatest number of entries of a leaf, and of children of
// an inner node. nodeItemsMerge: two neighbours that together have at most
// this many after a deletion become one.
const (
	nodeItemsMax   = 32
	nodeItemsMerge = 16
)

// Map is one version. Make the first with New; the zero Map has no order and
// can only be read as empty.
type Map[K, V any] struct {
	compare func(a, b K) int
	root    *node[K, V] // nil when empty
	height  int         // inner levels above the leaves
	n       int
}

type owner struct{ _ byte }

type node[K, V any] struct {
	owner *owner // the Editor that may change the node in place
	keys  []K
	vals  []V           // leaf
	kids  []*node[K, V] // inner
}

// New is the empty map ordered by compare, which must be a pure function.
func New[K, V any](compare func(a, b K) int) Map[K, V] { return Map[K, V]{compare: compare} }

// Len is the number of entries.
func (m Map[K, V]) Len() int { return m.n }

// Same reports whether two versions are one and the same, at once.
func (m Map[K, V]) Same(o Map[K, V]) bool { return m.root == o.root }

// Get returns the value at k.
func (m Map[K, V]) Get(k K) (v V, ok bool) {
	n := m.root
	if n == nil {
		return v, false
	}
	for n.kids != nil {
		n = n.kids[childOf(m.compare, n, k)]
	}
	if i, found := search(m.compare, n.keys, k); found {
		return n.vals[i], true
	}
	return v, false
}

// All yields the entries in order.
func (m Map[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		if m.root != nil {
			walk(m.root, yield)
		}
	}
}

// From yields the entries at and above k, in order.
func (m Map[K, V]) From(k K) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		if m.root != nil {
			walkFrom(m.compare, m.root, k, yield)
		}
	}
}

func walk[K, V any](n *node[K, V], yield func(K, V) bool) bool {
	for _, kid := range n.kids {
		if !walk(kid, yield) {
			return false
		}
	}
	for i := range n.vals {
		if !yield(n.keys[i], n.vals[i]) {
			return false
		}
	}
	return true
}

func walkFrom[K, V any](compare func(a, b K) int, n *node[K, V], k K, yield func(K, V) bool) bool {
	if n.kids != nil {
		i := childOf(compare, n, k)
		if !walkFrom(compare, n.kids[i], k, yield) {
			return false
		}
		for _, kid := range n.kids[i+1:] {
			if !walk(kid, yield) {
				return false
			}
		}
		return true
	}
	i, _ := search(compare, n.keys, k)
	for ; i < len(n.keys); i++ {
		if !yield(n.keys[i], n.vals[i]) {
			return false
		}
	}
	return true
}

// search is the place of k in keys, or where it would be put.
func search[K any](compare func(a, b K) int, keys []K, k K) (int, bool) {
	lo, hi := 0, len(keys)
	for lo < hi {
		mid := (lo + hi) / 2
		c := compare(keys[mid], k)
		if c == 0 {
			return mid, true
		}
		if c < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, false
}

// childOf is the index of the child that k belongs below.
func childOf[K, V any](compare func(a, b K) int, n *node[K, V], k K) int {
	i, found := search(compare, n.keys, k)
	if !found && i > 0 {
		i--
	}
	return i
}
