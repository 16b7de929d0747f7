package memfs

// pendingMax bounds the changes of directory entries that are remembered as
// unsynced. The oldest beyond it survive crashes, as if written back.
const pendingMax = 1 << 16

// change is an unsynced change of directory entries: a link (from is nil), an
// unlink (to is nil), or a rename.
type change struct {
	target  *node
	from    *node // directory that loses oldName
	oldName string
	to      *node // directory that gains newName
	newName string

	// Of a rename between two directories one half may be synced.
	fromSynced, toSynced bool
}

// entryKey is a name in a directory.
type entryKey struct {
	dir  *node
	name string
}

// names are the entries that the unsynced part of c changes.
func (c *change) names() []entryKey {
	var keys []entryKey
	if c.from != nil && !c.fromSynced {
		keys = append(keys, entryKey{c.from, c.oldName})
	}
	if c.to != nil && !c.toSynced {
		keys = append(keys, entryKey{c.to, c.newName})
	}
	return keys
}

// done reports whether nothing of c is unsynced.
func (c *change) done() bool {
	return (c.from == nil || c.fromSynced) && (c.to == nil || c.toSynced)
}

// applyFrom takes the old name out of entries, which are those of c.from.
func (c *change) applyFrom(entries map[string]*node) {
	if entries[c.oldName] == c.target {
		delete(entries, c.oldName)
	}
}

// applyTo puts the new name into entries, which are those of c.to.
func (c *change) applyTo(entries map[string]*node) { entries[c.newName] = c.target }

// record remembers a change that is part of the current entries already.
func (fsys *FS) record(c *change) {
	fsys.pending = append(fsys.pending, c)
	if len(fsys.pending) > pendingMax {
		oldest := fsys.pending[0]
		fsys.pending = fsys.pending[1:]
		if oldest.from != nil && !oldest.fromSynced {
			oldest.applyFrom(oldest.from.baseEntries)
		}
		if oldest.to != nil && !oldest.toSynced {
			oldest.applyTo(oldest.to.baseEntries)
		}
	}
}

// syncDir makes the current entries of dir those that survive.
func (fsys *FS) syncDir(dir *node) {
	rest := fsys.pending[:0]
	for _, c := range fsys.pending {
		if c.from == dir && !c.fromSynced {
			c.applyFrom(dir.baseEntries)
			c.fromSynced = true
		}
		if c.to == dir && !c.toSynced {
			c.applyTo(dir.baseEntries)
			c.toSynced = true
		}
		if !c.done() {
			rest = append(rest, c)
		}
	}
	clear(fsys.pending[len(rest):])
	fsys.pending = rest
}

// surviving chooses, by the coin, which pending changes a crash leaves, and
// returns the entries of the directories that they change. A change never
// comes without the earlier ones to the same name; a rename whose old name is
// gone for good has its new one.
func (fsys *FS) surviving(coin func() bool) map[*node]map[string]*node {
	forced := make([]bool, len(fsys.pending))
	needed := map[entryKey]bool{}
	for i := len(fsys.pending) - 1; i >= 0; i-- {
		c := fsys.pending[i]
		forced[i] = c.fromSynced
		for _, key := range c.names() {
			forced[i] = forced[i] || needed[key]
		}
		if forced[i] {
			for _, key := range c.names() {
				needed[key] = true
			}
		}
	}
	result := map[*node]map[string]*node{}
	entries := func(dir *node) map[string]*node {
		if result[dir] == nil {
			result[dir] = make(map[string]*node, len(dir.baseEntries))
			for name, child := range dir.baseEntries { //det:ok a copy of a map
				result[dir][name] = child
			}
		}
		return result[dir]
	}
	blocked := map[entryKey]bool{}
	for i, c := range fsys.pending {
		keys := c.names()
		survives := coin()
		for _, key := range keys {
			survives = survives && !blocked[key]
		}
		if !survives && !forced[i] {
			for _, key := range keys {
				blocked[key] = true
			}
			continue
		}
		if c.from != nil && !c.fromSynced {
			c.applyFrom(entries(c.from))
		}
		if c.to != nil && !c.toSynced {
			c.applyTo(entries(c.to))
		}
	}
	return result
}
