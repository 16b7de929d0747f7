package memfs

import (
	"io"
	"io/fs"
	"sync/atomic"

	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/internal/yield"
)

// file is an open file.
type file struct {
	fsys   *FS
	node   *node
	name   string
	write  bool
	closed atomic.Bool
}

// usable fails once the file is closed, or if it is to be written and was
// opened for reading.
func (f *file) usable(op string, write bool) error {
	if f.closed.Load() {
		return pathError(op, f.name, fs.ErrClosed)
	}
	if write && !f.write {
		return pathError(op, f.name, fs.ErrPermission)
	}
	return nil
}

// ReadAt is io.ReaderAt's.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	yield.Point()
	if err := f.usable("read", false); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, pathError("read", f.name, fs.ErrInvalid)
	}
	f.fsys.mu.RLock()
	n := f.node.cur.readAt(p, off)
	f.fsys.mu.RUnlock()
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt is io.WriterAt's.
func (f *file) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.WriteVecAt([][]byte{p}, off)
	return int(n), err
}

// WriteVecAt is vfs.File's.
func (f *file) WriteVecAt(bufs [][]byte, off int64) (int64, error) {
	var length int64
	for _, b := range bufs {
		length += int64(len(b))
	}
	if err := f.usable("write", true); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, pathError("write", f.name, fs.ErrInvalid)
	}
	if err := f.fsys.call(Call{Op: OpWrite, Name: f.name, Off: off, Len: length}); err != nil {
		return 0, pathError("write", f.name, err)
	}
	if length == 0 {
		return 0, nil
	}
	f.fsys.mu.Lock()
	defer f.fsys.mu.Unlock()
	before := f.node.cur.size
	var done int64
	for _, b := range bufs {
		n := f.put(b, off+done)
		done += n
		if n < int64(len(b)) {
			break
		}
	}
	f.node.modTime = f.fsys.now()
	if done > 0 {
		f.node.cur.size = max(before, off+done)
		f.node.logWrite(off, bufs, done, before)
	}
	if done < length {
		return done, pathError("write", f.name, vfs.ErrNoSpace)
	}
	return done, nil
}

// put copies b into the current contents, as far as the space goes.
func (f *file) put(b []byte, off int64) (done int64) {
	im := &f.node.cur
	for done < int64(len(b)) {
		at := off + done
		in := at % pageBytes
		if im.page(at/pageBytes).data == nil {
			if f.fsys.used+pageBytes > f.fsys.capacity {
				return done
			}
			f.fsys.used += pageBytes
		}
		done += int64(copy(im.writable(at/pageBytes, f.node.gen).data[in:], b[done:]))
	}
	return done
}

// Truncate is vfs.File's.
func (f *file) Truncate(size int64) error {
	if err := f.usable("truncate", true); err != nil {
		return err
	}
	if size < 0 {
		return pathError("truncate", f.name, fs.ErrInvalid)
	}
	if err := f.fsys.call(Call{Op: OpTruncate, Name: f.name, Len: size}); err != nil {
		return pathError("truncate", f.name, err)
	}
	f.fsys.mu.Lock()
	defer f.fsys.mu.Unlock()
	f.fsys.used -= f.node.cur.taken * pageBytes
	f.node.truncate(size)
	f.fsys.used += f.node.cur.taken * pageBytes
	f.node.modTime = f.fsys.now()
	return nil
}

// Sync is vfs.File's.
func (f *file) Sync() error {
	if err := f.usable("sync", false); err != nil {
		return err
	}
	err := f.fsys.call(Call{Op: OpSync, Name: f.name})
	f.fsys.mu.Lock()
	defer f.fsys.mu.Unlock()
	if err != nil {
		f.node.forgetOps()
		return pathError("sync", f.name, err)
	}
	f.node.sync()
	return nil
}

// Size is vfs.File's.
func (f *file) Size() (int64, error) {
	yield.Point()
	if err := f.usable("size", false); err != nil {
		return 0, err
	}
	f.fsys.mu.RLock()
	defer f.fsys.mu.RUnlock()
	return f.node.cur.size, nil
}

// Name is vfs.File's.
func (f *file) Name() string { return f.name }

// Close is vfs.File's. A second call fails with fs.ErrClosed.
func (f *file) Close() error {
	if f.closed.Swap(true) {
		return pathError("close", f.name, fs.ErrClosed)
	}
	f.fsys.mu.Lock()
	defer f.fsys.mu.Unlock()
	f.node.handles--
	f.fsys.free(f.node)
	return nil
}
