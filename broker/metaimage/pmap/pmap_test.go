package pmap

import (
	"cmp"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// check verifies the invariants of the package doc.
func check(t *rapid.T, m Map[int, int]) {
	if m.root == nil {
		if m.n != 0 {
			t.Fatalf("no root, length %d", m.n)
		}
		return
	}
	total := 0
	var visit func(n *node[int, int], depth int, lo, hi *int)
	visit = func(n *node[int, int], depth int, lo, hi *int) {
		if len(n.keys) == 0 || len(n.keys) > nodeItemsMax || !slices.IsSorted(n.keys) {
			t.Fatalf("bad node %v", n.keys)
		}
		if n.kids == nil {
			if depth != m.height || len(n.vals) != len(n.keys) {
				t.Fatalf("leaf at depth %d of %d with %d values", depth, m.height, len(n.vals))
			}
			total += len(n.keys)
			if lo != nil && n.keys[0] < *lo || hi != nil && n.keys[len(n.keys)-1] >= *hi {
				t.Fatalf("leaf %v outside its bounds", n.keys)
			}
			return
		}
		for i, kid := range n.kids {
			klo, khi := lo, hi
			if i > 0 {
				klo = &n.keys[i]
			}
			if i+1 < len(n.kids) {
				khi = &n.keys[i+1]
			}
			visit(kid, depth+1, klo, khi)
		}
	}
	visit(m.root, 0, nil, nil)
	if total != m.n {
		t.Fatalf("length %d, entries %d", m.n, total)
	}
}

func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type version struct {
			m     Map[int, int]
			model map[int]int
		}
		keyMax := rapid.SampledFrom([]int{20, 300, 5000}).Draw(t, "keyMax")
		versions := []version{{New[int, int](cmp.Compare[int]), map[int]int{}}}
		for range rapid.IntRange(1, 6).Draw(t, "versions") {
			base := versions[rapid.IntRange(0, len(versions)-1).Draw(t, "base")]
			e, model := base.m.Edit(), maps.Clone(base.model)
			for range rapid.IntRange(0, 400).Draw(t, "edits") {
				k := rapid.IntRange(0, keyMax).Draw(t, "k")
				if rapid.IntRange(0, 2).Draw(t, "op") == 0 {
					_, had := model[k]
					if e.Delete(k) != had {
						t.Fatalf("delete %d: had %v", k, had)
					}
					delete(model, k)
				} else {
					v := rapid.IntRange(0, 3).Draw(t, "v")
					e.Set(k, v)
					model[k] = v
				}
			}
			versions = append(versions, version{e.Map(), model})
		}
		for _, v := range versions { // older versions included: none may have changed
			check(t, v.m)
			if got := maps.Collect(v.m.All()); !maps.Equal(got, v.model) {
				t.Fatalf("got %v want %v", got, v.model)
			}
			from := rapid.IntRange(0, keyMax).Draw(t, "from")
			prev := from - 1
			count := 0
			for k := range v.m.From(from) {
				if k <= prev {
					t.Fatalf("from %d: %d after %d", from, k, prev)
				}
				prev = k
				count++
			}
			want := 0
			for k := range v.model {
				if k >= from {
					want++
				}
				if got, ok := v.m.Get(k); !ok || got != v.model[k] {
					t.Fatalf("get %d: %d %v", k, got, ok)
				}
			}
			if count != want {
				t.Fatalf("from %d: %d entries, want %d", from, count, want)
			}
		}
		a := versions[rapid.IntRange(0, len(versions)-1).Draw(t, "a")]
		b := versions[rapid.IntRange(0, len(versions)-1).Draw(t, "b")]
		got := maps.Clone(a.model)
		last := -1
		Diff(a.m, b.m, func(x, y int) bool { return x == y }, func(c Change[int, int]) {
			if c.Key <= last {
				t.Fatalf("diff out of order: %d after %d", c.Key, last)
			}
			last = c.Key
			if old, ok := a.model[c.Key]; ok != c.InOld || old != c.Old {
				t.Fatalf("diff's old at %d", c.Key)
			}
			if c.InNew {
				got[c.Key] = c.New
			} else {
				delete(got, c.Key)
			}
			if c.InOld && c.InNew && c.Old == c.New {
				t.Fatalf("diff of equal values at %d", c.Key)
			}
		})
		if !maps.Equal(got, b.model) {
			t.Fatalf("diff does not lead from a to b")
		}
	})
}

// One change to a large map must copy, and a diff must look at, a path only.
func TestSharing(t *testing.T) {
	e := New[int, int](cmp.Compare[int]).Edit()
	for i := range 100_000 {
		e.Set(i, i)
	}
	m := e.Map()
	if n := testing.AllocsPerRun(100, func() { m.Set(50_000, 1) }); n > 20 {
		t.Errorf("%v allocations for one change", n)
	}
	m2 := m.Set(50_000, 1)
	looked := 0
	Diff(m, m2, func(a, b int) bool { looked++; return a == b }, func(Change[int, int]) {})
	if looked > nodeItemsMax {
		t.Errorf("diff compared %d values", looked)
	}
}
