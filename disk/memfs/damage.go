package memfs

// Damager is implemented by the files of an FS, for wrappers that model what
// disks do to bytes. The hook does not see these calls.
type Damager interface {
	// ID is the same for every open of a file, after renames, and in clones;
	// no other file of the same descent has it.
	ID() uint64
	// Damage replaces bytes of the current contents, and of the synced ones as
	// far as they reach, as if nobody had written. Bytes past the end are left
	// out. The length stays.
	Damage(p []byte, off int64)
	// DropDirty does what a Sync that fails does: what was written since the
	// last one counts as clean, and a crash brings the old bytes back.
	DropDirty()
}

var _ Damager = (*file)(nil)

// ID is Damager's.
func (f *file) ID() uint64 { return f.node.id }

// Damage is Damager's.
func (f *file) Damage(p []byte, off int64) {
	f.fsys.mu.Lock()
	defer f.fsys.mu.Unlock()
	n := f.node
	before := n.cur.taken
	n.cur.overwrite(p, off, n.gen)
	f.fsys.used += (n.cur.taken - before) * pageBytes
	n.base.overwrite(p, off, &generation{})
}

// overwrite replaces bytes below the size.
func (im *image) overwrite(p []byte, off int64, gen *generation) {
	for len(p) > 0 && off < im.size {
		in := off % pageBytes
		part := p[:min(int64(len(p)), pageBytes-in, im.size-off)]
		copy(im.writable(off/pageBytes, gen).data[in:], part)
		p, off = p[len(part):], off+int64(len(part))
	}
}

// DropDirty is Damager's.
func (f *file) DropDirty() {
	f.fsys.mu.Lock()
	defer f.fsys.mu.Unlock()
	f.node.forgetOps()
}

// Files calls each with every file's path, id and length, in the order of the paths.
func (fsys *FS) Files(each func(path string, id uint64, size int64)) {
	fsys.mu.RLock()
	defer fsys.mu.RUnlock()
	fsys.eachFile(fsys.root, "", func(path string, n *node) { each(path, n.id, n.cur.size) })
}

func (fsys *FS) eachFile(dir *node, path string, each func(path string, n *node)) {
	for _, name := range dir.sortedNames() {
		if n := dir.entries[name]; n.isDir() {
			fsys.eachFile(n, path+"/"+name, each)
		} else {
			each(path+"/"+name, n)
		}
	}
}
