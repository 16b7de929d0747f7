package tcp

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/net/transport"
)

// sendfileBytesMax bounds one system call, so that a deadline or a Close is
// seen between two.
const sendfileBytesMax = 4 << 20

// sendFile sends by sendfile, whose offset is its own.
func (c *conn) sendFile(f vfs.Descriptor, off, n int64) (int64, error) {
	s := sending{off: off, left: n}
	err := f.WithFd(func(fd uintptr) error {
		s.file = int(fd)
		if err := c.raw.Write(s.step); err != nil {
			return err
		}
		return s.err
	})
	return n - s.left, err
}

// sending is a SendFile under way.
type sending struct {
	file      int
	off, left int64
	err       error
}

// step sends until everything is sent, an error, or the socket is full, when
// it returns false to be called again.
func (s *sending) step(socket uintptr) bool {
	for s.left > 0 {
		n, err := unix.Sendfile(int(socket), s.file, &s.off, int(min(s.left, sendfileBytesMax)))
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return false
		case err == unix.EINVAL || err == unix.ENOSYS:
			s.err = errors.ErrUnsupported // by this file system
			return true
		case err != nil:
			s.err = err
			return true
		case n == 0:
			s.err = transport.ErrShortFile
			return true
		}
		s.left -= int64(n)
	}
	return true
}
