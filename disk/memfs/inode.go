package memfs

import "slices"

// opsMax bounds the ops that a file remembers one by one; beyond it, and
// beyond twice the pages they touched, they are folded to the current contents
// of each such page: intermediate versions are forgotten, that the pages are
// unsynced is not.
const opsMax = 1024

// fileOp is a write (data at off) or a truncation (data nil, from length
// before to size).
type fileOp struct {
	off    int64
	data   []byte // a copy, never changed
	before int64  // length of the file before the op
	size   int64  // length of the file after the op
}

// touches is the range of bytes that the op changed.
func (op fileOp) touches() (first, end int64) {
	if op.data == nil {
		return op.size, max(op.before, op.size)
	}
	return op.off, op.off + int64(len(op.data))
}

// node is a file or a directory.
type node struct {
	// Of a file.
	gen    *generation
	cur    image
	base   image // as of the last completed Sync
	ops    []fileOp
	foldAt int    // number of ops at which they are folded
	id     uint64 // the same in every clone

	// Of a directory; nil for a file.
	entries     map[string]*node
	baseEntries map[string]*node // as of the last completed SyncDir

	links   int   // names that refer to it
	handles int   // open files
	modTime int64 // wall milliseconds
}

func newFile() *node { return &node{gen: &generation{}, foldAt: opsMax} }

func newDir() *node {
	return &node{entries: map[string]*node{}, baseEntries: map[string]*node{}}
}

func (n *node) isDir() bool { return n.entries != nil }

// logWrite remembers a write of the first length bytes of parts, which is part
// of the current contents already.
func (n *node) logWrite(off int64, parts [][]byte, length, before int64) {
	data := make([]byte, 0, length)
	for _, p := range parts {
		data = append(data, p[:min(int64(len(p)), length-int64(len(data)))]...)
	}
	n.log(fileOp{off: off, data: data, before: before, size: n.cur.size})
}

// truncate changes the length and remembers it.
func (n *node) truncate(size int64) {
	before := n.cur.size
	n.cur.resize(size, n.gen)
	n.log(fileOp{before: before, size: size})
}

// log remembers op and folds the ops when they are many.
func (n *node) log(op fileOp) {
	n.ops = append(n.ops, op)
	if len(n.ops) <= n.foldAt {
		return
	}
	dirty, size := n.dirtyPages(), n.cur.size
	n.ops = make([]fileOp, 0, len(dirty)+1)
	for _, i := range dirty {
		data := make([]byte, pageBytes)
		n.cur.readAt(data, i*pageBytes)
		n.ops = append(n.ops, fileOp{off: i * pageBytes, data: data, before: size, size: size})
	}
	n.ops = append(n.ops, fileOp{before: size, size: size})
	n.foldAt = max(opsMax, 2*len(n.ops))
}

// dirtyPages lists, sorted, the pages that ops since the last Sync touched.
func (n *node) dirtyPages() []int64 {
	var pages []int64
	for _, op := range n.ops {
		first, end := op.touches()
		for i := first / pageBytes; i*pageBytes < end; i++ {
			if len(pages) == 0 || pages[len(pages)-1] != i {
				pages = append(pages, i)
			}
		}
	}
	slices.Sort(pages)
	return slices.Compact(pages)
}

// sync makes the current contents those that survive.
func (n *node) sync() {
	n.base.resize(n.cur.size, n.gen)
	for _, i := range n.dirtyPages() {
		if i*pageBytes < n.cur.size {
			n.base.set(i, n.cur.page(i))
		}
	}
	n.gen = &generation{}
	n.forgetOps()
}

// forgetOps takes the contents for clean: after a sync they are; after a
// failed one the system believes it.
func (n *node) forgetOps() { n.ops, n.foldAt = nil, opsMax }
