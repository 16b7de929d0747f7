package memfs

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// tornPageShare: one in so many surviving unsynced pages is torn by sectors.
const tornPageShare = 4

// CrashClone returns what a power loss at this moment leaves: a file system of
// its own, all of whose contents are synced. rng decides, and nothing else: the
// same history and the same rng give the same clone. Files that are open, locks
// and the hook stay with fsys, which may be used on.
func (fsys *FS) CrashClone(rng *rand.Rand) *FS {
	fsys.mu.Lock()
	defer fsys.mu.Unlock()
	c := crash{rng: rng, survive: surviveProbability(rng), nodes: map[*node]*node{}}
	c.entries = fsys.surviving(c.coin)
	clone := fsys.emptyClone()
	clone.root = c.clone(fsys.root)
	clone.countUsed()
	return clone
}

// surviveProbability draws how much of the unsynced a crash leaves: often
// nothing or everything, else some share.
func surviveProbability(rng *rand.Rand) float64 {
	switch rng.IntN(5) {
	case 0:
		return 0
	case 1:
		return 1
	case 2:
		return 0.5
	default:
		return rng.Float64()
	}
}

// crash is one CrashClone under way.
type crash struct {
	rng     *rand.Rand
	survive float64
	entries map[*node]map[string]*node // of directories with unsynced changes
	nodes   map[*node]*node            // from old to new
}

func (c *crash) coin() bool { return c.rng.Float64() < c.survive }

// clone returns what is left of n and all below it.
func (c *crash) clone(n *node) *node {
	if done := c.nodes[n]; done != nil {
		return done
	}
	if !n.isDir() {
		fresh := c.file(n)
		c.nodes[n] = fresh
		return fresh
	}
	fresh := newDir()
	fresh.modTime = n.modTime
	c.nodes[n] = fresh
	entries, changed := c.entries[n]
	if !changed {
		entries = n.baseEntries
	}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		child := c.clone(entries[name])
		child.links++
		fresh.entries[name] = child
		fresh.baseEntries[name] = child
	}
	return fresh
}

// file returns what is left of a file.
func (c *crash) file(n *node) *node {
	fresh := newFile()
	fresh.id, fresh.modTime = n.id, n.modTime
	fresh.base = n.base.share()
	if len(n.ops) > 0 {
		c.leave(n, &fresh.base, fresh.gen)
		n.gen = &generation{} // the clone may hold pages of the current contents
		fresh.gen = &generation{}
	}
	fresh.cur = fresh.base.share()
	return fresh
}

// leave changes im, which is the synced contents of n, to what is left of n.
func (c *crash) leave(n *node, im *image, gen *generation) {
	touching := map[int64][]fileOp{} // page to its ops, in order
	for _, op := range n.ops {
		first, end := op.touches()
		for i := first / pageBytes; i*pageBytes < end; i++ {
			touching[i] = append(touching[i], op)
		}
	}
	size := n.ops[len(n.ops)-1].size
	if !c.coin() {
		size = n.base.size
		if k := c.rng.IntN(len(n.ops)); c.coin() {
			size = n.ops[k].size
		}
	}
	im.size = max(im.size, size)
	for _, i := range n.dirtyPages() {
		if i*pageBytes >= size {
			continue
		}
		ops := touching[i]
		switch version := c.version(len(ops)); {
		case c.rng.IntN(tornPageShare) == 0:
			im.set(i, c.torn(im.page(i), i, ops, gen))
		case version == len(ops):
			im.set(i, n.cur.page(i))
		case version > 0:
			im.set(i, merged(im.page(i), i, ops[:version], gen, 0, pageBytes))
		}
	}
	im.tidy(size, gen)
}

// version draws how many of ops were written back before the crash.
func (c *crash) version(ops int) int {
	if c.coin() {
		return ops
	}
	if c.rng.IntN(2) == 0 {
		return 0
	}
	return c.rng.IntN(ops)
}

// torn returns page i with each sector of another age.
func (c *crash) torn(p page, i int64, ops []fileOp, gen *generation) page {
	for sector := 0; sector < pageBytes; sector += sectorBytes {
		if v := c.version(len(ops)); v > 0 {
			p = merged(p, i, ops[:v], gen, sector, sector+sectorBytes)
		}
	}
	return p
}

// merged returns page i with ops applied to its bytes from first to end. It
// changes p in place if it is of gen.
func merged(p page, i int64, ops []fileOp, gen *generation, first, end int) page {
	fresh := p
	if p.data == nil || p.gen != gen {
		fresh = newPage(p, gen)
	}
	for _, op := range ops {
		opFirst, opEnd := op.touches()
		from := max(opFirst-i*pageBytes, int64(first))
		to := min(opEnd-i*pageBytes, int64(end))
		if from >= to {
			continue
		}
		if op.data == nil {
			clear(fresh.data[from:to])
		} else {
			at := i*pageBytes + from - op.off
			copy(fresh.data[from:to], op.data[at:])
		}
	}
	return fresh
}

// tidy cuts the image to size, zeroing whatever lies past it.
func (im *image) tidy(size int64, gen *generation) {
	im.size = max(im.size, int64(len(im.pages))*pageBytes)
	im.resize(size, gen)
}

// Clone returns a copy that knows all that fsys knows: what the end of a
// process leaves, whose page cache survives it. Files that are open, locks and
// the hook stay with fsys, which may be used on.
func (fsys *FS) Clone() *FS {
	fsys.mu.Lock()
	defer fsys.mu.Unlock()
	nodes := map[*node]*node{}
	clone := fsys.emptyClone()
	clone.root = copyNode(fsys.root, nodes)
	for _, c := range fsys.pending {
		fresh := *c
		fresh.target = copyNode(c.target, nodes)
		if c.from != nil {
			fresh.from = copyNode(c.from, nodes)
		}
		if c.to != nil {
			fresh.to = copyNode(c.to, nodes)
		}
		clone.pending = append(clone.pending, &fresh)
	}
	clone.countUsed()
	return clone
}

// copyNode copies n and all that its entries, current and synced, refer to.
func copyNode(n *node, nodes map[*node]*node) *node {
	if done := nodes[n]; done != nil {
		return done
	}
	if !n.isDir() {
		n.gen = &generation{}
		fresh := &node{
			gen: &generation{}, cur: n.cur.share(), base: n.base.share(), ops: slices.Clone(n.ops),
			foldAt: n.foldAt, id: n.id, links: n.links, modTime: n.modTime,
		}
		nodes[n] = fresh
		return fresh
	}
	fresh := newDir()
	fresh.links, fresh.modTime = n.links, n.modTime
	nodes[n] = fresh
	for name, child := range n.entries { //det:ok a copy of a map
		fresh.entries[name] = copyNode(child, nodes)
	}
	for name, child := range n.baseEntries { //det:ok a copy of a map
		fresh.baseEntries[name] = copyNode(child, nodes)
	}
	return fresh
}
