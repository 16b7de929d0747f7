package pmap

// Change is one difference between two versions.
type Change[K, V any] struct {
	Key          K
	Old, New     V
	InOld, InNew bool
}

// Diff calls f, in key order, for every key that is in only one of the two
// versions or whose values are not same. It skips what the versions share, so
// it costs about as much as the edits between them.
func Diff[K, V any](older, newer Map[K, V], same func(a, b V) bool, f func(Change[K, V])) {
	if older.root == newer.root {
		return
	}
	compare := older.compare
	if compare == nil {
		compare = newer.compare
	}
	a, b := frontierOf(older), frontierOf(newer)
	for !a.done() && !b.done() {
		if a.aligned(b) {
			a.skip()
			b.skip()
			continue
		}
		if ha, hb := a.height(), b.height(); ha > 0 || hb > 0 || a.whole() && b.whole() {
			if ha >= hb {
				a.open()
			}
			if hb >= ha {
				b.open()
			}
			continue
		}
		a.open()
		b.open()
		ka, va := a.entry()
		kb, vb := b.entry()
		switch c := compare(ka, kb); {
		case c < 0:
			f(Change[K, V]{Key: ka, Old: va, InOld: true})
			a.advance()
		case c > 0:
			f(Change[K, V]{Key: kb, New: vb, InNew: true})
			b.advance()
		default:
			if !same(va, vb) {
				f(Change[K, V]{Key: ka, Old: va, New: vb, InOld: true, InNew: true})
			}
			a.advance()
			b.advance()
		}
	}
	a.rest(func(k K, v V) { f(Change[K, V]{Key: k, Old: v, InOld: true}) })
	b.rest(func(k K, v V) { f(Change[K, V]{Key: k, New: v, InNew: true}) })
}

// frontier is what remains of one version: a stack of subtrees, the next one
// on top, of which only the top may be a leaf that was begun.
type frontier[K, V any] struct{ stack []subtree[K, V] }

type subtree[K, V any] struct {
	n      *node[K, V]
	height int
	begun  bool
	at     int // the next entry of a leaf that was begun
}

func frontierOf[K, V any](m Map[K, V]) *frontier[K, V] {
	f := &frontier[K, V]{}
	if m.root != nil {
		f.stack = append(f.stack, subtree[K, V]{n: m.root, height: m.height})
	}
	return f
}

func (f *frontier[K, V]) done() bool          { return len(f.stack) == 0 }
func (f *frontier[K, V]) top() *subtree[K, V] { return &f.stack[len(f.stack)-1] }
func (f *frontier[K, V]) height() int         { return f.top().height }
func (f *frontier[K, V]) whole() bool         { return !f.top().begun }
func (f *frontier[K, V]) skip()               { f.stack = f.stack[:len(f.stack)-1] }

func (f *frontier[K, V]) aligned(o *frontier[K, V]) bool {
	return f.whole() && o.whole() && f.top().n == o.top().n
}

// open replaces an inner node on top by its children, or begins a leaf.
func (f *frontier[K, V]) open() {
	t := f.top()
	if t.n.kids == nil {
		t.begun = true
		return
	}
	n, h := t.n, t.height-1
	f.skip()
	for i := len(n.kids) - 1; i >= 0; i-- {
		f.stack = append(f.stack, subtree[K, V]{n: n.kids[i], height: h})
	}
}

func (f *frontier[K, V]) entry() (K, V) {
	t := f.top()
	return t.n.keys[t.at], t.n.vals[t.at]
}

func (f *frontier[K, V]) advance() {
	t := f.top()
	if t.at++; t.at == len(t.n.keys) {
		f.skip()
	}
}

func (f *frontier[K, V]) rest(visit func(K, V)) {
	for !f.done() {
		t := *f.top()
		f.skip()
		if !t.begun {
			walk(t.n, func(k K, v V) bool { visit(k, v); return true })
			continue
		}
		for i := t.at; i < len(t.n.keys); i++ {
			visit(t.n.keys[i], t.n.vals[i])
		}
	}
}
