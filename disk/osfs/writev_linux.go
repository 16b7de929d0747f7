package osfs

import (
	"io"

	"golang.org/x/sys/unix"
)

// writeVecBuffersMax is the number of buffers that one pwritev takes (IOV_MAX).
const writeVecBuffersMax = 1024

// writeVecAt calls pwritev, and again for what it left over.
func (f *file) writeVecAt(bufs [][]byte, off int64) (int64, error) {
	if len(bufs) == 1 {
		return f.writeEach(bufs, off)
	}
	var done int64
	err := f.WithFd(func(fd uintptr) (err error) {
		done, err = pwritevAll(int(fd), bufs, off)
		return err
	})
	if _, isErrno := err.(unix.Errno); isErrno {
		err = f.pathError("pwritev", err)
	}
	return done, err
}

// pwritevAll writes all of bufs at off. It copies the list of a part only
// where a call stopped inside a buffer.
func pwritevAll(fd int, bufs [][]byte, off int64) (done int64, err error) {
	for len(bufs) > 0 {
		if len(bufs[0]) == 0 {
			bufs = bufs[1:]
			continue
		}
		part := front(bufs)
		var n int
		err := again(func() (err error) {
			n, err = unix.Pwritev(fd, part, off+done)
			return err
		})
		if err != nil {
			return done, err
		}
		if n == 0 {
			return done, io.ErrShortWrite
		}
		done += int64(n)
		bufs = after(bufs, n)
	}
	return done, nil
}

// front is what one call writes: as many buffers as it takes within
// writeCallBytesMax, or a part of the first. It does not change bufs.
func front(bufs [][]byte) [][]byte {
	if len(bufs[0]) > writeCallBytesMax {
		return [][]byte{bufs[0][:callBytes(len(bufs[0]))]}
	}
	n, bytes := 0, 0
	for n < min(len(bufs), writeVecBuffersMax) && bytes+len(bufs[n]) <= writeCallBytesMax {
		bytes += len(bufs[n])
		n++
	}
	return bufs[:n]
}

// after returns bufs without their first n bytes. It does not change bufs.
func after(bufs [][]byte, n int) [][]byte {
	for len(bufs) > 0 && n >= len(bufs[0]) {
		n -= len(bufs[0])
		bufs = bufs[1:]
	}
	if n > 0 {
		bufs = append([][]byte{bufs[0][n:]}, bufs[1:]...)
	}
	return bufs
}
