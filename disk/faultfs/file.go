package faultfs

import (
	"fmt"

	"github.com/moldau/moldau/disk/vfs"
)

// file wraps an open file. It has no descriptor on purpose.
type file struct {
	fsys  *FS
	inner vfs.File
}

// ReadAt is io.ReaderAt's.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if err := f.fsys.fault(OpRead, f.inner.Name()); err != nil {
		return 0, err
	}
	return f.inner.ReadAt(p, off)
}

// WriteAt is io.WriterAt's.
func (f *file) WriteAt(p []byte, off int64) (int, error) {
	part, fault := f.fsys.rules.apply(OpWrite, f.inner.Name())
	if fault == nil {
		return f.inner.WriteAt(p, off)
	}
	n, err := f.inner.WriteAt(p[:min(int64(len(p)), part)], off)
	if err == nil {
		err = f.failed(fault)
	}
	return n, err
}

// WriteVecAt is vfs.File's.
func (f *file) WriteVecAt(bufs [][]byte, off int64) (int64, error) {
	part, fault := f.fsys.rules.apply(OpWrite, f.inner.Name())
	if fault == nil {
		return f.inner.WriteVecAt(bufs, off)
	}
	var done int64
	for _, b := range bufs {
		n, err := f.inner.WriteAt(b[:min(int64(len(b)), part-done)], off+done)
		done += int64(n)
		if err != nil {
			return done, err
		}
	}
	return done, f.failed(fault)
}

func (f *file) failed(fault error) error {
	return fmt.Errorf("%s %s: %w", OpWrite, f.inner.Name(), fault)
}

// Truncate is vfs.File's.
func (f *file) Truncate(size int64) error {
	if err := f.fsys.fault(OpTruncate, f.inner.Name()); err != nil {
		return err
	}
	return f.inner.Truncate(size)
}

// Sync is vfs.File's.
func (f *file) Sync() error {
	if err := f.fsys.fault(OpSync, f.inner.Name()); err != nil {
		return err
	}
	return f.inner.Sync() // the caller's promise
}

// Size is vfs.File's.
func (f *file) Size() (int64, error) { return f.inner.Size() }

// Name is vfs.File's.
func (f *file) Name() string { return f.inner.Name() }

// Close is vfs.File's.
func (f *file) Close() error { return f.inner.Close() }
