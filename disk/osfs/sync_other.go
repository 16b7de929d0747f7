//go:build !linux

package osfs

import (
	"errors"
	"os"
	"runtime"
	"syscall"
)

// sync relies on the standard library, which uses F_FULLFSYNC on Darwin.
func (f *file) sync() error { return f.f.Sync() }

// syncDir makes the entries of an open directory durable. Hosts of wasip1 may
// not know the call for directories.
func syncDir(dir *os.File) error {
	err := dir.Sync()
	if runtime.GOOS == "wasip1" && (errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EBADF) || errors.Is(err, syscall.ENOTSUP)) {
		return nil
	}
	return err
}
