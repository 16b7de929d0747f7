package osfs

import (
	"os"
	"syscall"

	"github.com/moldau/moldau/disk/vfs"
)

// file is an open file. It implements vfs.Descriptor where descriptors exist.
type file struct {
	f   *os.File
	raw syscall.RawConn
}

func open(name string, flag int) (vfs.File, error) {
	f, err := os.OpenFile(name, flag, filePerm)
	if err != nil {
		return nil, mapError(err)
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &file{f: f, raw: raw}, nil
}

// ReadAt is io.ReaderAt's.
func (f *file) ReadAt(p []byte, off int64) (int, error) { return f.f.ReadAt(p, off) }

// writeCallBytesMax bounds what one system call writes. The page cache takes
// new pages in blocks as large as the write allows, and Linux has free blocks of
// 1 MiB and more at hand only where memory lies idle: on a virtual machine the host may
// have to supply it first, page by page, at several times the cost of the copy.
const writeCallBytesMax = 1<<20 - 1

// WriteAt is io.WriterAt's.
func (f *file) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.writeParts(p, off)
	return n, mapError(err)
}

// writeParts writes p in calls of equal size.
func (f *file) writeParts(p []byte, off int64) (done int, err error) {
	size := callBytes(len(p))
	for {
		n, err := f.f.WriteAt(p[done:min(done+size, len(p))], off+int64(done))
		done += n
		if err != nil || done == len(p) {
			return done, err
		}
	}
}

// callBytes is the size of the calls that write n bytes: as few and as equal as can be.
func callBytes(n int) int {
	calls := max(1, (n+writeCallBytesMax-1)/writeCallBytesMax)
	return (n + calls - 1) / calls
}

// WriteVecAt is vfs.File's.
func (f *file) WriteVecAt(bufs [][]byte, off int64) (int64, error) {
	n, err := f.writeVecAt(bufs, off)
	return n, mapError(err)
}

// writeEach writes the buffers one by one.
func (f *file) writeEach(bufs [][]byte, off int64) (done int64, err error) {
	for _, b := range bufs {
		n, err := f.writeParts(b, off+done)
		done += int64(n)
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// Truncate is vfs.File's.
func (f *file) Truncate(size int64) error { return mapError(f.f.Truncate(size)) }

// Sync is vfs.File's.
func (f *file) Sync() error { return mapError(f.sync()) }

// Size is vfs.File's.
func (f *file) Size() (int64, error) {
	info, err := f.f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Name is vfs.File's.
func (f *file) Name() string { return f.f.Name() }

// Close is vfs.File's. A second call fails with fs.ErrClosed.
func (f *file) Close() error { return f.f.Close() }

// pathError describes a failed system call on the file.
func (f *file) pathError(op string, err error) error {
	return &os.PathError{Op: op, Path: f.f.Name(), Err: err}
}
