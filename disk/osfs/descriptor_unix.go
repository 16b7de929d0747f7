//go:build linux || darwin

package osfs

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/moldau/moldau/disk/vfs"
)

// WithFd is vfs.Descriptor's. The descriptor stays in the mode it has.
func (f *file) WithFd(use func(fd uintptr) error) error {
	var used error
	if err := f.raw.Control(func(fd uintptr) { used = use(fd) }); err != nil {
		return f.pathError("descriptor", fs.ErrClosed)
	}
	return used
}

// again calls a system call until no signal interrupts it.
func again(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func isNoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// Usage is vfs.FS's. Free is what users without privileges may take.
func (*FS) Usage(dir string) (vfs.Usage, error) {
	var s unix.Statfs_t
	if err := again(func() error { return unix.Statfs(dir, &s) }); err != nil {
		return vfs.Usage{}, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	block := int64(s.Bsize)
	return vfs.Usage{Total: int64(s.Blocks) * block, Free: int64(s.Bavail) * block}, nil
}
