package osfs

import (
	"errors"
	"io/fs"
	"os"

	"github.com/moldau/moldau/disk/vfs"
)

const (
	filePerm = 0o644
	dirPerm  = 0o755
)

// New returns the machine's file system.
func New() *FS { return &FS{} }

// Create is vfs.FS's.
func (*FS) Create(name string) (vfs.File, error) {
	return open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
}

// Open is vfs.FS's.
func (*FS) Open(name string) (vfs.File, error) { return open(name, os.O_RDWR) }

// OpenRead is vfs.FS's.
func (*FS) OpenRead(name string) (vfs.File, error) { return open(name, os.O_RDONLY) }

// Remove is vfs.FS's.
func (*FS) Remove(name string) error { return os.Remove(name) }

// RemoveAll is vfs.FS's.
func (*FS) RemoveAll(name string) error { return os.RemoveAll(name) }

// Rename is vfs.FS's.
func (*FS) Rename(oldName, newName string) error { return mapError(os.Rename(oldName, newName)) }

// MkdirAll is vfs.FS's.
func (*FS) MkdirAll(dir string) error { return mapError(os.MkdirAll(dir, dirPerm)) }

// List is vfs.FS's. An entry that goes away meanwhile is left out.
func (*FS) List(dir string) ([]vfs.Info, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	infos := make([]vfs.Info, 0, len(entries))
	for _, entry := range entries {
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		infos = append(infos, toInfo(info))
	}
	return infos, nil
}

// Stat is vfs.FS's. It follows symbolic links.
func (*FS) Stat(name string) (vfs.Info, error) {
	info, err := os.Stat(name)
	if err != nil {
		return vfs.Info{}, err
	}
	return toInfo(info), nil
}

func toInfo(info fs.FileInfo) vfs.Info {
	out := vfs.Info{Name: info.Name(), Dir: info.IsDir(), ModTime: info.ModTime()}
	if !out.Dir {
		out.Size = info.Size()
	}
	return out
}

// SyncDir is vfs.FS's.
func (*FS) SyncDir(dir string) (err error) {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return mapError(syncDir(f)) // the caller's promise
}

// mapError gives a full disk the name of the seam, and keeps the original.
func mapError(err error) error {
	if err != nil && isNoSpace(err) {
		return &noSpaceError{err}
	}
	return err
}

// noSpaceError is vfs.ErrNoSpace with its cause.
type noSpaceError struct{ cause error }

func (e *noSpaceError) Error() string   { return e.cause.Error() }
func (e *noSpaceError) Unwrap() []error { return []error{vfs.ErrNoSpace, e.cause} }
