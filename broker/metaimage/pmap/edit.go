package pmap

import (
	"iter"
	"slices"
)

// Editor makes the next version of a map. It begins as the version it was
// made from, which stays as it is.
type Editor[K, V any] struct {
	m     Map[K, V]
	owner *owner
}

// Edit begins a new version.
func (m Map[K, V]) Edit() *Editor[K, V] { return &Editor[K, V]{m: m, owner: new(owner)} }

// From yields the entries of the version under way at and above k; it must not
// be changed meanwhile.
func (e *Editor[K, V]) From(k K) iter.Seq2[K, V] { return e.m.From(k) }

// All yields the entries of the version under way; it must not be changed
// meanwhile.
func (e *Editor[K, V]) All() iter.Seq2[K, V] { return e.m.All() }

// Get returns the value at k in the version under way.
func (e *Editor[K, V]) Get(k K) (V, bool) { return e.m.Get(k) }

// Map ends the version under way and returns it. The Editor goes on with the
// one after it.
func (e *Editor[K, V]) Map() Map[K, V] {
	e.owner = new(owner)
	return e.m
}

// Set puts v at k.
func (e *Editor[K, V]) Set(k K, v V) {
	m := &e.m
	if m.root == nil {
		m.root = &node[K, V]{owner: e.owner, keys: []K{k}, vals: []V{v}}
		m.n = 1
		return
	}
	root, right := e.set(m.root, k, v)
	if right != nil {
		root = &node[K, V]{owner: e.owner, keys: []K{root.keys[0], right.keys[0]}, kids: []*node[K, V]{root, right}}
		m.height++
	}
	m.root = root
}

// Set returns a version with v at k.
func (m Map[K, V]) Set(k K, v V) Map[K, V] {
	e := m.Edit()
	e.Set(k, v)
	return e.m
}

// Delete returns a version without k.
func (m Map[K, V]) Delete(k K) Map[K, V] {
	e := m.Edit()
	e.Delete(k)
	return e.m
}

// own returns n, or a copy of it, that this Editor may change.
func (e *Editor[K, V]) own(n *node[K, V]) *node[K, V] {
	if n.owner == e.owner {
		return n
	}
	return &node[K, V]{owner: e.owner, keys: slices.Clone(n.keys), vals: slices.Clone(n.vals), kids: slices.Clone(n.kids)}
}

func (e *Editor[K, V]) set(n *node[K, V], k K, v V) (left, right *node[K, V]) {
	n = e.own(n)
	if n.kids == nil {
		i, found := search(e.m.compare, n.keys, k)
		if found {
			n.vals[i] = v
			return n, nil
		}
		n.keys = slices.Insert(n.keys, i, k)
		n.vals = slices.Insert(n.vals, i, v)
		e.m.n++
		return n, e.split(n, i == len(n.keys)-1)
	}
	i := childOf(e.m.compare, n, k)
	kid, right := e.set(n.kids[i], k, v)
	n.kids[i] = kid
	if i == 0 {
		n.keys[0] = kid.keys[0]
	}
	if right == nil {
		return n, nil
	}
	n.keys = slices.Insert(n.keys, i+1, right.keys[0])
	n.kids = slices.Insert(n.kids, i+1, right)
	return n, e.split(n, i+1 == len(n.keys)-1)
}

// split moves the upper part of a node that is too large into a new one. One
// that grew at its end is left nearly full, so that ascending insertion packs.
func (e *Editor[K, V]) split(n *node[K, V], atEnd bool) *node[K, V] {
	if len(n.keys) <= nodeItemsMax {
		return nil
	}
	at := len(n.keys) / 2
	if atEnd {
		at = len(n.keys) - 2
	}
	right := &node[K, V]{owner: e.owner, keys: slices.Clone(n.keys[at:])}
	clear(n.keys[at:])
	n.keys = n.keys[:at]
	if n.kids != nil {
		right.kids = slices.Clone(n.kids[at:])
		clear(n.kids[at:])
		n.kids = n.kids[:at]
		return right
	}
	right.vals = slices.Clone(n.vals[at:])
	clear(n.vals[at:])
	n.vals = n.vals[:at]
	return right
}

// Delete removes k and reports whether it was there.
func (e *Editor[K, V]) Delete(k K) bool {
	m := &e.m
	if _, ok := m.Get(k); !ok {
		return false
	}
	m.root = e.delete(m.root, k)
	m.n--
	for len(m.root.kids) == 1 {
		m.root = m.root.kids[0]
		m.height--
	}
	if m.n == 0 {
		m.root = nil
	}
	return true
}

func (e *Editor[K, V]) delete(n *node[K, V], k K) *node[K, V] {
	n = e.own(n)
	if n.kids == nil {
		i, _ := search(e.m.compare, n.keys, k)
		n.keys = slices.Delete(n.keys, i, i+1)
		n.vals = slices.Delete(n.vals, i, i+1)
		return n
	}
	i := childOf(e.m.compare, n, k)
	kid := e.delete(n.kids[i], k)
	if len(kid.keys) == 0 {
		n.keys = slices.Delete(n.keys, i, i+1)
		n.kids = slices.Delete(n.kids, i, i+1)
		return n
	}
	n.kids[i] = kid
	if i > 0 && e.merge(n, i-1) {
		return n
	}
	if i+1 < len(n.kids) {
		e.merge(n, i)
	}
	return n
}

// merge joins the children i and i+1 of n if both are small. The left one's
// lower bound stays.
func (e *Editor[K, V]) merge(n *node[K, V], i int) bool {
	if len(n.kids[i].keys)+len(n.kids[i+1].keys) > nodeItemsMerge {
		return false
	}
	left, right := e.own(n.kids[i]), n.kids[i+1]
	left.keys = append(left.keys, right.keys...)
	left.vals = append(left.vals, right.vals...)
	left.kids = append(left.kids, right.kids...)
	if right.kids != nil {
		left.keys[len(left.keys)-len(right.keys)] = n.keys[i+1]
	}
	n.kids[i] = left
	n.keys = slices.Delete(n.keys, i+1, i+2)
	n.kids = slices.Delete(n.kids, i+1, i+2)
	return true
}
