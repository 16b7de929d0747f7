//go:build linux || darwin

package osfs

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/moldau/moldau/disk/vfs"
)

// FS is the machine's file system. Make it with New. Relative names begin at
// the working directory.
type FS struct{}

// Lock is vfs.FS's. The lock goes when the result is closed or the process ends.
func (*FS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, filePerm)
	if err != nil {
		return nil, mapError(err)
	}
	raw, err := f.SyscallConn()
	if err == nil {
		var locked error
		err = raw.Control(func(fd uintptr) { locked = again(func() error { return lockFd(int(fd)) }) })
		err = errors.Join(err, locked)
	}
	if err == nil {
		return f, nil
	}
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		err = vfs.ErrLocked
	}
	return nil, errors.Join(fmt.Errorf("lock %s: %w", name, err), f.Close())
}
