package simfs

import (
	"errors"
	"io"
	"io/fs"

	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/internal/simcore"
)

// The calls that a fence sees, with the name of the file or directory.
const (
	OpCreate    simcore.Op = "disk.create"
	OpOpen      simcore.Op = "disk.open"
	OpRead      simcore.Op = "disk.read"
	OpWrite     simcore.Op = "disk.write" // WriteAt and WriteVecAt
	OpTruncate  simcore.Op = "disk.truncate"
	OpSync      simcore.Op = "disk.sync"
	OpRemove    simcore.Op = "disk.remove"
	OpRemoveAll simcore.Op = "disk.removeall"
	OpRename    simcore.Op = "disk.rename" // with the new name
	OpMkdirAll  simcore.Op = "disk.mkdirall"
	OpList      simcore.Op = "disk.list"
	OpStat      simcore.Op = "disk.stat"
	OpSyncDir   simcore.Op = "disk.syncdir"
	OpLock      simcore.Op = "disk.lock"
	OpUsage     simcore.Op = "disk.usage"
	OpClose     simcore.Op = "disk.close"
)

// FS is a disk as one incarnation sees it. Disk.Mount makes it.
type FS struct {
	disk  *Disk
	fence *simcore.Fence
	inner *memfs.FS
}

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// names does a call that changes names.
func (fsys *FS) names(op simcore.Op, name string, do func() error) error {
	err := fsys.begin(op, name)
	if err == nil && fsys.disk.strikes(NameError, name) {
		fsys.disk.hit(NameError, name)
		err = ErrIO
	}
	if err != nil {
		err = pathError(string(op), name, err)
	} else {
		err = do()
	}
	fsys.fence.Leave(op, name)
	return err
}

// looks does a call that changes nothing.
func (fsys *FS) looks(op simcore.Op, name string, do func() error) error {
	err := fsys.begin(op, name)
	if err != nil {
		err = pathError(string(op), name, err)
	} else {
		err = do()
	}
	fsys.fence.Leave(op, name)
	return err
}

// Create is vfs.FS's. On a full disk it makes no new file.
func (fsys *FS) Create(name string) (f vfs.File, err error) {
	err = fsys.names(OpCreate, name, func() error {
		if fsys.full(name) {
			return pathError(string(OpCreate), name, vfs.ErrNoSpace)
		}
		f, err = fsys.file(fsys.inner.Create(name))
		if err == nil {
			f.(*file).emptied()
		}
		return err
	})
	return f, err
}

// full reports whether the disk is full and has no file of that name.
func (fsys *FS) full(name string) bool {
	usage, err := fsys.inner.Usage("/")
	if err != nil || usage.Free > 0 {
		return false
	}
	if _, err = fsys.inner.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	fsys.disk.marks.full.Hit(fsys.disk.config.Node + ":" + name)
	return true
}

// file wraps an open file of the file system below.
func (fsys *FS) file(inner vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &file{fsys: fsys, inner: inner, raw: inner.(memfs.Damager)}, nil
}

// Open is vfs.FS's.
func (fsys *FS) Open(name string) (f vfs.File, err error) {
	err = fsys.looks(OpOpen, name, func() error {
		f, err = fsys.file(fsys.inner.Open(name))
		return err
	})
	return f, err
}

// OpenRead is vfs.FS's.
func (fsys *FS) OpenRead(name string) (f vfs.File, err error) {
	err = fsys.looks(OpOpen, name, func() error {
		f, err = fsys.file(fsys.inner.OpenRead(name))
		return err
	})
	return f, err
}

// Remove is vfs.FS's.
func (fsys *FS) Remove(name string) error {
	return fsys.names(OpRemove, name, func() error { return fsys.inner.Remove(name) })
}

// RemoveAll is vfs.FS's.
func (fsys *FS) RemoveAll(name string) error {
	return fsys.names(OpRemoveAll, name, func() error { return fsys.inner.RemoveAll(name) })
}

// Rename is vfs.FS's.
func (fsys *FS) Rename(oldName, newName string) error {
	return fsys.names(OpRename, newName, func() error { return fsys.inner.Rename(oldName, newName) })
}

// MkdirAll is vfs.FS's.
func (fsys *FS) MkdirAll(dir string) error {
	return fsys.names(OpMkdirAll, dir, func() error { return fsys.inner.MkdirAll(dir) })
}

// List is vfs.FS's.
func (fsys *FS) List(dir string) (infos []vfs.Info, err error) {
	err = fsys.looks(OpList, dir, func() error {
		infos, err = fsys.inner.List(dir)
		return err
	})
	return infos, err
}

// Stat is vfs.FS's.
func (fsys *FS) Stat(name string) (info vfs.Info, err error) {
	err = fsys.looks(OpStat, name, func() error {
		info, err = fsys.inner.Stat(name)
		return err
	})
	return info, err
}

// SyncDir is vfs.FS's. Where it fails nothing is dropped.
func (fsys *FS) SyncDir(dir string) error {
	return fsys.names(OpSyncDir, dir, func() error { return fsys.inner.SyncDir(dir) }) // the caller's promise
}

// Lock is vfs.FS's. A crash lets go of it.
func (fsys *FS) Lock(name string) (c io.Closer, err error) {
	err = fsys.looks(OpLock, name, func() error {
		c, err = fsys.inner.Lock(name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &lock{fsys: fsys, name: name, inner: c}, nil
}

// lock is a held lock.
type lock struct {
	fsys  *FS
	name  string
	inner io.Closer
}

// Close releases the lock; further calls do nothing.
func (l *lock) Close() error {
	l.fsys.fence.Enter(OpClose, l.name)
	err := l.inner.Close()
	l.fsys.fence.Leave(OpClose, l.name)
	return err
}

// Usage is vfs.FS's.
func (fsys *FS) Usage(dir string) (usage vfs.Usage, err error) {
	err = fsys.looks(OpUsage, dir, func() error {
		usage, err = fsys.inner.Usage(dir)
		return err
	})
	return usage, err
}
