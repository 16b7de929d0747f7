package memfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/internal/yield"
)

// Failures that io/fs has no name for.
var (
	errIsDir    = errors.New("is a directory")
	errNotDir   = errors.New("not a directory")
	errNotEmpty = errors.New("directory not empty")
)

// capacityDefaultBytes is the size of the file system until SetCapacity.
const capacityDefaultBytes = 1 << 40

// FS is a file system in memory. Make it with New. All methods may be called
// concurrently. Names are cleaned; relative ones begin at the root.
type FS struct {
	mu       sync.RWMutex
	root     *node
	pending  []*change // unsynced changes of entries, oldest first
	locked   map[string]bool
	lastID   uint64 // given to a file
	capacity int64  // bytes
	used     int64  // pages taken by the contents of files
	clock    clock.Clock
	hook     func(Call) error
}

// New returns an empty file system without a limit worth the name.
func New() *FS {
	return &FS{root: newDir(), locked: map[string]bool{}, capacity: capacityDefaultBytes}
}

// SetCapacity bounds the bytes that contents take, counted in whole pages;
// writes beyond fail with vfs.ErrNoSpace, after a part of them.
func (fsys *FS) SetCapacity(bytes int64) {
	fsys.mu.Lock()
	defer fsys.mu.Unlock()
	fsys.capacity = bytes
}

// SetClock makes c tell modification times, which are zero before.
func (fsys *FS) SetClock(c clock.Clock) {
	fsys.mu.Lock()
	defer fsys.mu.Unlock()
	fsys.clock = c
}

// emptyClone returns an FS with the settings of fsys. The caller holds mu.
func (fsys *FS) emptyClone() *FS {
	return &FS{locked: map[string]bool{}, lastID: fsys.lastID, capacity: fsys.capacity, clock: fsys.clock}
}

// countUsed sets used from the files that can be reached.
func (fsys *FS) countUsed() {
	seen := map[*node]bool{}
	var count func(n *node)
	count = func(n *node) {
		if seen[n] {
			return
		}
		seen[n] = true
		fsys.used += n.cur.taken * pageBytes
		for _, child := range n.entries { //det:ok a sum
			count(child)
		}
	}
	count(fsys.root)
}

func (fsys *FS) now() int64 {
	if fsys.clock == nil {
		return 0
	}
	return fsys.clock.Wall()
}

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// clean returns the absolute form of name.
func clean(name string) string { return path.Clean("/" + name) }

// find returns the node at a clean name.
func (fsys *FS) find(name string) (*node, error) {
	n := fsys.root
	for rest := name[1:]; rest != ""; {
		var element string
		element, rest, _ = strings.Cut(rest, "/")
		if !n.isDir() {
			return nil, errNotDir
		}
		if n = n.entries[element]; n == nil {
			return nil, fs.ErrNotExist
		}
	}
	return n, nil
}

// parent returns the directory that holds a clean name, and the last element.
func (fsys *FS) parent(name string) (dir *node, element string, err error) {
	above, element := path.Split(name)
	dir, err = fsys.find(clean(above))
	if err == nil && !dir.isDir() {
		err = errNotDir
	}
	if err == nil && element == "" {
		err = fs.ErrInvalid
	}
	return dir, element, err
}

// link gives target a name that is free, unsynced.
func (fsys *FS) link(dir *node, element string, target *node) {
	dir.entries[element] = target
	dir.modTime = fsys.now()
	target.links++
	fsys.record(&change{target: target, to: dir, newName: element})
}

// unlink takes a name away, unsynced.
func (fsys *FS) unlink(dir *node, element string) {
	target := dir.entries[element]
	delete(dir.entries, element)
	dir.modTime = fsys.now()
	target.links--
	fsys.free(target)
	fsys.record(&change{target: target, from: dir, oldName: element})
}

// free gives the space of n back if nobody can reach it any more.
func (fsys *FS) free(n *node) {
	if n.links == 0 && n.handles == 0 {
		fsys.used -= n.cur.taken * pageBytes
	}
}

// Create is vfs.FS's.
func (fsys *FS) Create(name string) (vfs.File, error) {
	if err := fsys.call(Call{Op: OpCreate, Name: name}); err != nil {
		return nil, pathError("create", name, err)
	}
	fsys.mu.Lock()
	defer fsys.mu.Unlock()
	n, err := fsys.create(clean(name))
	if err != nil {
		return nil, pathError("create", name, err)
	}
	if n.cur.size > 0 {
		fsys.used -= n.cur.taken * pageBytes
		n.truncate(0)
	}
	return fsys.handle(n, name, true), nil
}

// create returns the file at a clean name, made if missing.
func (fsys *FS) create(name string) (*node, error) {
	dir, element, err := fsys.parent(name)
	if err != nil {
		return nil, err
	}
	n := dir.entries[element]
	if n == nil {
		n = newFile()
		fsys.lastID++
		n.id = fsys.lastID
		n.modTime = fsys.now()
		fsys.link(dir, element, n)
	}
	if n.isDir() {
		return nil, errIsDir
	}
	return n, nil
}

func (fsys *FS) handle(n *node, name string, write bool) *file {
	n.handles++
	return &file{fsys: fsys, node: n, name: name, write: write}
}

// Open is vfs.FS's.
func (fsys *FS) Open(name string) (vfs.File, error) { return fsys.open(name, true) }

// OpenRead is vfs.FS's.
func (fsys *FS) OpenRead(name string) (vfs.File, error) { return fsys.open(name, false) }

func (fsys *FS) open(name string, write bool) (vfs.File, error) {
	yield.Point()
	fsys.mu.Lock()
	defer fsys.mu.Unlock()
	n, err := fsys.find(clean(name))
	if err == nil && n.isDir() {
		err = errIsDir
	}
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return fsys.handle(n, name, write), nil
}

// Remove is vfs.FS's.
func (fsys *FS) Remove(name string) error {
	if err := fsys.call(Call{Op: OpRemove, Name: name}); err != nil {
		return pathError("remove", name, err)
	}
	fsys.mu.Lock()
	defer fsys.mu.Unlock()
	dir, element, err := fsys.parent(clean(name))
	if err != nil {
		return pathError("remove", name, err)
	}
	n := dir.entries[element]
	if n == nil {
		return pathError("remove", name, fs.ErrNotExist)
	}
	if len(n.entries) > 0 {
		return pathError("remove", name, errNotEmpty)
	}
	fsys.unlink(dir, element)
	return nil
}

// RemoveAll is vfs.FS's. It is one call to the hook; a crash may leave any
// part of its unlinks.
func (fsys *FS) RemoveAll(name string) error {
	if err := fsys.call(Call{Op: OpRemoveAll, Name: name}); err != nil {
		return pathError("removeall", name, err)
	}
	fsys.mu.Lock()
	defer fsys.mu.Unlock()
	dir, element, err := fsys.parent(clean(name))
	if errors.Is(err, fs.ErrNotExist) || (err == nil && dir.entries[element] == nil) {
		return nil
	}
	if err != nil {
		return pathError("removeall", name, err)
	}
	fsys.unlinkTree(dir, element)
	return nil
}

func (fsys *FS) unlinkTree(dir *node, element string) {
	n := dir.entries[element]
	for _, name := range n.sortedNames() {
		fsys.unlinkTree(n, name)
	}
	fsys.unlink(dir, element)
}

func (n *node) sortedNames() []string {
	names := make([]string, 0, len(n.entries))
	for name := range n.entries { //det:ok sorted below
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Rename is vfs.FS's.
func (fsys *FS) Rename(oldName, newName string) error {
	if err := fsys.call(Call{Op: OpRename, Name: oldName, NewName: newName}); err != nil {
		return pathError("rename", oldName, err)
	}
	fsys.mu.Lock()
	defer fsys.mu.Unlock()
	if err := fsys.rename(clean(oldName), clean(newName)); err != nil {
		return pathError("rename", oldName+" to "+newName, err)
	}
	return nil
}

func (fsys *FS) rename(oldName, newName string) error {
	from, oldElement, err := fsys.parent(oldName)
	if err != nil {
		return err
	}
	to, newElement, err := fsys.parent(newName)
	if err != nil {
		return err
	}
	n, replaced := from.entries[oldElement], to.entries[newElement]
	switch {
	case n == nil:
		return fs.ErrNotExist
	case n == replaced:
		return nil
	case strings.HasPrefix(newName, oldName+"/"):
		return fs.ErrInvalid
	case replaced != nil && n.isDir() != replaced.isDir():
		return fs.ErrExist
	case replaced != nil && len(replaced.entries) > 0:
		return errNotEmpty
	}
	if replaced != nil {
		replaced.links--
		fsys.free(replaced)
	}
	delete(from.entries, oldElement)
	to.entries[newElement] = n
	from.modTime, to.modTime = fsys.now(), fsys.now()
	fsys.record(&change{target: n, from: from, oldName: oldElement, to: to, newName: newElement})
	return nil
}

// MkdirAll is vfs.FS's. The hook sees it whether or not there is something to make.
func (fsys *FS) MkdirAll(dir string) error {
	if err := fsys.call(Call{Op: OpMkdirAll, Name: dir}); err != nil {
		return pathError("mkdir", dir, err)
	}
	fsys.mu.Lock()
	defer fsys.mu.Unlock()
	n := fsys.root
	for rest := clean(dir)[1:]; rest != ""; {
		var element string
		element, rest, _ = strings.Cut(rest, "/")
		if !n.isDir() {
			return pathError("mkdir", dir, errNotDir)
		}
		child := n.entries[element]
		if child == nil {
			child = newDir()
			child.modTime = fsys.now()
			fsys.link(n, element, child)
		}
		n = child
	}
	if !n.isDir() {
		return pathError("mkdir", dir, errNotDir)
	}
	return nil
}

// List is vfs.FS's.
func (fsys *FS) List(dir string) ([]vfs.Info, error) {
	yield.Point()
	fsys.mu.RLock()
	defer fsys.mu.RUnlock()
	n, err := fsys.find(clean(dir))
	if err == nil && !n.isDir() {
		err = errNotDir
	}
	if err != nil {
		return nil, pathError("list", dir, err)
	}
	infos := make([]vfs.Info, 0, len(n.entries))
	for _, name := range n.sortedNames() {
		infos = append(infos, n.entries[name].info(name))
	}
	return infos, nil
}

// Stat is vfs.FS's.
func (fsys *FS) Stat(name string) (vfs.Info, error) {
	yield.Point()
	fsys.mu.RLock()
	defer fsys.mu.RUnlock()
	n, err := fsys.find(clean(name))
	if err != nil {
		return vfs.Info{}, pathError("stat", name, err)
	}
	return n.info(path.Base(clean(name))), nil
}

func (n *node) info(name string) vfs.Info {
	return vfs.Info{Name: name, Size: n.cur.size, Dir: n.isDir(), ModTime: time.UnixMilli(n.modTime)}
}

// SyncDir is vfs.FS's.
func (fsys *FS) SyncDir(dir string) error {
	if err := fsys.call(Call{Op: OpSyncDir, Name: dir}); err != nil {
		return pathError("syncdir", dir, err)
	}
	fsys.mu.Lock()
	defer fsys.mu.Unlock()
	n, err := fsys.find(clean(dir))
	if err == nil && !n.isDir() {
		err = errNotDir
	}
	if err != nil {
		return pathError("syncdir", dir, err)
	}
	fsys.syncDir(n)
	return nil
}

// Lock is vfs.FS's.
func (fsys *FS) Lock(name string) (io.Closer, error) {
	if err := fsys.call(Call{Op: OpLock, Name: name}); err != nil {
		return nil, pathError("lock", name, err)
	}
	fsys.mu.Lock()
	defer fsys.mu.Unlock()
	at := clean(name)
	if _, err := fsys.create(at); err != nil {
		return nil, pathError("lock", name, err)
	}
	if fsys.locked[at] {
		return nil, fmt.Errorf("lock %s: %w", name, vfs.ErrLocked)
	}
	fsys.locked[at] = true
	return &lock{fsys: fsys, name: at}, nil
}

// lock is a held lock.
type lock struct {
	fsys *FS
	name string
	once sync.Once
}

// Close releases the lock; further calls do nothing.
func (l *lock) Close() error {
	l.once.Do(func() {
		l.fsys.mu.Lock()
		defer l.fsys.mu.Unlock()
		delete(l.fsys.locked, l.name)
	})
	return nil
}

// Usage is vfs.FS's.
func (fsys *FS) Usage(dir string) (vfs.Usage, error) {
	fsys.mu.RLock()
	defer fsys.mu.RUnlock()
	if _, err := fsys.find(clean(dir)); err != nil {
		return vfs.Usage{}, pathError("usage", dir, err)
	}
	return vfs.Usage{Total: fsys.capacity, Free: max(fsys.capacity-fsys.used, 0)}, nil
}
