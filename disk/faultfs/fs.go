package faultfs

import (
	"fmt"
	"io"

	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/internal/invariant"
)

// FS wraps a file system with faults. Make it with New. All methods may be
// called concurrently.
type FS struct {
	inner vfs.FS
	rules rules
}

// New wraps inner; delays go by c. Without rules nothing is changed.
func New(inner vfs.FS, c clock.Clock) *FS {
	invariant.Check(inner != nil && c != nil, "faultfs without a file system or a clock")
	return &FS{inner: inner, rules: rules{clock: c}}
}

// Add puts a rule in force and returns what takes it away. Rules apply in the
// order in which they were added; the first error wins.
func (fsys *FS) Add(rule Rule) (remove func()) { return fsys.rules.add(rule) }

// fault applies the rules to a call that has no parts.
func (fsys *FS) fault(op Op, name string) error {
	if _, err := fsys.rules.apply(op, name); err != nil {
		return fmt.Errorf("%s %s: %w", op, name, err)
	}
	return nil
}

// file opens by open and wraps what it returns.
func (fsys *FS) file(op Op, name string, open func(string) (vfs.File, error)) (vfs.File, error) {
	if err := fsys.fault(op, name); err != nil {
		return nil, err
	}
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	return &file{fsys: fsys, inner: f}, nil
}

// Create is vfs.FS's.
func (fsys *FS) Create(name string) (vfs.File, error) {
	return fsys.file(OpCreate, name, fsys.inner.Create)
}

// Open is vfs.FS's.
func (fsys *FS) Open(name string) (vfs.File, error) {
	return fsys.file(OpOpen, name, fsys.inner.Open)
}

// OpenRead is vfs.FS's.
func (fsys *FS) OpenRead(name string) (vfs.File, error) {
	return fsys.file(OpOpen, name, fsys.inner.OpenRead)
}

// Remove is vfs.FS's.
func (fsys *FS) Remove(name string) error {
	if err := fsys.fault(OpRemove, name); err != nil {
		return err
	}
	return fsys.inner.Remove(name)
}

// RemoveAll is vfs.FS's.
func (fsys *FS) RemoveAll(name string) error {
	if err := fsys.fault(OpRemoveAll, name); err != nil {
		return err
	}
	return fsys.inner.RemoveAll(name)
}

// Rename is vfs.FS's.
func (fsys *FS) Rename(oldName, newName string) error {
	if err := fsys.fault(OpRename, oldName); err != nil {
		return err
	}
	return fsys.inner.Rename(oldName, newName)
}

// MkdirAll is vfs.FS's.
func (fsys *FS) MkdirAll(dir string) error {
	if err := fsys.fault(OpMkdirAll, dir); err != nil {
		return err
	}
	return fsys.inner.MkdirAll(dir)
}

// List is vfs.FS's.
func (fsys *FS) List(dir string) ([]vfs.Info, error) {
	if err := fsys.fault(OpList, dir); err != nil {
		return nil, err
	}
	return fsys.inner.List(dir)
}

// Stat is vfs.FS's.
func (fsys *FS) Stat(name string) (vfs.Info, error) {
	if err := fsys.fault(OpStat, name); err != nil {
		return vfs.Info{}, err
	}
	return fsys.inner.Stat(name)
}

// SyncDir is vfs.FS's.
func (fsys *FS) SyncDir(dir string) error {
	if err := fsys.fault(OpSyncDir, dir); err != nil {
		return err
	}
	return fsys.inner.SyncDir(dir) // the caller's promise
}

// Lock is vfs.FS's.
func (fsys *FS) Lock(name string) (io.Closer, error) {
	if err := fsys.fault(OpLock, name); err != nil {
		return nil, err
	}
	return fsys.inner.Lock(name)
}

// Usage is vfs.FS's.
func (fsys *FS) Usage(dir string) (vfs.Usage, error) {
	if err := fsys.fault(OpUsage, dir); err != nil {
		return vfs.Usage{}, err
	}
	return fsys.inner.Usage(dir)
}
