package memfs

// HeldBytes is the memory that contents take, current and synced ones, and what
// was written since: each page once, however many files share it. Files that
// only a handle reaches do not count.
func (fsys *FS) HeldBytes() int64 {
	fsys.mu.RLock()
	defer fsys.mu.RUnlock()
	h := holdings{nodes: map[*node]bool{}, pages: map[*[pageBytes]byte]bool{}}
	h.add(fsys.root)
	for _, c := range fsys.pending {
		h.add(c.target)
	}
	return int64(len(h.pages))*pageBytes + h.logged
}

// holdings are what was counted so far.
type holdings struct {
	nodes  map[*node]bool
	pages  map[*[pageBytes]byte]bool
	logged int64 // bytes of ops
}

func (h *holdings) add(n *node) {
	if n == nil || h.nodes[n] {
		return
	}
	h.nodes[n] = true
	for _, im := range []*image{&n.cur, &n.base} {
		for _, p := range im.pages {
			if p.data != nil {
				h.pages[p.data] = true
			}
		}
	}
	for _, op := range n.ops {
		h.logged += int64(len(op.data))
	}
	for _, children := range []map[string]*node{n.entries, n.baseEntries} {
		for _, child := range children { //det:ok a sum
			h.add(child)
		}
	}
}
