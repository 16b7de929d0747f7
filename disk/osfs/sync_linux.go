package osfs

import (
	"os"

	"golang.org/x/sys/unix"
)

// sync calls fdatasync, which covers contents and length but not times.
func (f *file) sync() error {
	err := f.WithFd(func(fd uintptr) error {
		return again(func() error { return unix.Fdatasync(int(fd)) })
	})
	if _, isErrno := err.(unix.Errno); isErrno {
		return f.pathError("fdatasync", err)
	}
	return err
}

// syncDir makes the entries of an open directory durable.
func syncDir(dir *os.File) error { return dir.Sync() }
