package osfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/moldau/moldau/disk/vfs"
)

// FS is the host's file system. Make it with New.
type FS struct {
	locks lockTable
}

func isNoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// Usage is vfs.FS's; the host does not tell.
func (*FS) Usage(dir string) (vfs.Usage, error) {
	return vfs.Usage{}, fmt.Errorf("usage of %s: %w", dir, errors.ErrUnsupported)
}

// lockTable holds the names locked through one FS.
type lockTable struct {
	mu    sync.Mutex
	names map[string]bool
}

// Lock is vfs.FS's, among the callers of this FS only.
func (fsys *FS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, filePerm)
	if err != nil {
		return nil, mapError(err)
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	t, at := &fsys.locks, filepath.Clean(name)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.names[at] {
		return nil, fmt.Errorf("lock %s: %w", name, vfs.ErrLocked)
	}
	if t.names == nil {
		t.names = map[string]bool{}
	}
	t.names[at] = true
	return &heldLock{table: t, name: at}, nil
}

// heldLock is a lock of the table.
type heldLock struct {
	table *lockTable
	name  string
	once  sync.Once
}

// Close releases the lock.
func (l *heldLock) Close() error {
	l.once.Do(func() {
		l.table.mu.Lock()
		defer l.table.mu.Unlock()
		delete(l.table.names, l.name)
	})
	return nil
}
