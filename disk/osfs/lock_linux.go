package osfs

import (
	"io"

	"golang.org/x/sys/unix"
)

// lockFd takes an open-file-description lock on the whole file.
func lockFd(fd int) error {
	whole := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	return unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &whole)
}
