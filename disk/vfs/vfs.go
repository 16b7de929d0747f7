// Package vfs is the seam of storage: what the broker asks of a file system.
//
// Implementations: disk/osfs (the real one), disk/memfs (in memory, with
// crash clones: what was synced survives, of the rest a random part), and the
// simulator's over memfs, with faults. Wrappers that add faults or delays
// stack on top of any of them.
//
// What survives a power loss: the bytes of a file up to its last completed
// Sync; the entries of a directory up to its last completed SyncDir. Of
// everything later any subset may survive, in any order: single pages of a
// file, its new length, a truncation, a new name, a rename, an unlink.
package vfs

import (
	"errors"
	"io"
	"time"
)

// Errors beside io/fs's ErrNotExist and ErrExist, tested with errors.Is.
var (
	// ErrNoSpace: the file system is full (ENOSPC, EDQUOT). What a failed
	// write left behind is unknown: the caller cuts it off.
	ErrNoSpace = errors.New("no space left on device")
	// ErrLocked: another process, or another open of this one, holds the lock.
	ErrLocked = errors.New("locked by another process")
)

// FS is a file system. All methods may be called concurrently. Names are
// slash-separated paths.
type FS interface {
	// Create makes a file, or empties the one that exists, for reading and writing.
	Create(name string) (File, error)
	// Open opens an existing file for reading and writing.
	Open(name string) (File, error)
	// OpenRead opens an existing file for reading only.
	OpenRead(name string) (File, error)
	// Remove unlinks a file or an empty directory. Files that are open stay readable.
	Remove(name string) error
	// RemoveAll removes a tree; a missing one is no error.
	RemoveAll(name string) error
	// Rename replaces newName by oldName in one step.
	Rename(oldName, newName string) error
	// MkdirAll makes a directory and its parents.
	MkdirAll(dir string) error
	// List returns the entries of a directory, sorted by name.
	List(dir string) ([]Info, error)
	// Stat describes one entry.
	Stat(name string) (Info, error)
	// SyncDir makes the entries of a directory durable.
	SyncDir(dir string) error
	// Lock takes an exclusive lock on the file name, made if missing, that
	// excludes other processes (Java's FileLock among them) and other calls in
	// this one. It fails with ErrLocked at once; Close of the result releases it.
	Lock(name string) (io.Closer, error)
	// Usage tells the size of the file system that holds dir.
	Usage(dir string) (Usage, error)
}

// File is an open file. All methods but Close may be called concurrently;
// concurrent writes to overlapping ranges are the caller's error.
type File interface {
	io.ReaderAt
	io.WriterAt
	// WriteVecAt writes the buffers one after the other at off, in as few
	// system calls as possible, and returns the bytes written. It does not
	// change or keep bufs.
	WriteVecAt(bufs [][]byte, off int64) (int64, error)
	// Truncate sets the length; longer reads as zeros.
	Truncate(size int64) error
	// Sync makes contents and length durable (fdatasync). After an error the
	// unsynced bytes may be gone although a later Sync succeeds: never retry.
	Sync() error
	// Size is the current length in bytes.
	Size() (int64, error)
	// Name is the name that the file was opened under.
	Name() string
	// Close releases the handle; it makes nothing durable.
	Close() error
}

// Descriptor is implemented by files that have a descriptor of the operating
// system, which a real transport may hand to sendfile. Wrappers that must see
// every read do not implement it.
type Descriptor interface {
	// WithFd calls f with the descriptor, which stays open until f returns.
	WithFd(f func(fd uintptr) error) error
}

// Info describes a directory entry.
type Info struct {
	Name    string // last element of the path
	Size    int64
	Dir     bool
	ModTime time.Time
}

// Usage of a file system, in bytes.
type Usage struct {
	Total, Free int64
}

// ReadFile reads a whole file of at most maxBytes; a longer one is an error.
func ReadFile(fsys FS, name string, maxBytes int64) (data []byte, err error) {
	f, err := fsys.OpenRead(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > maxBytes {
		return nil, errors.New(name + ": file is larger than its limit")
	}
	data = make([]byte, size)
	n, err := f.ReadAt(data, 0)
	if err == io.EOF && int64(n) == size {
		err = nil
	}
	return data[:n], err
}

// ReplaceFile makes data the durable contents of dir/name in one step: a
// temporary file beside it is written and synced, renamed over the name, and
// the directory synced. After a crash the old or the new contents are there.
func ReplaceFile(fsys FS, dir, name string, data []byte) (err error) {
	path, tmp := dir+"/"+name, dir+"/"+name+".tmp"
	f, err := fsys.Create(tmp)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(data, 0); err == nil {
		err = f.Sync() // promise of the caller's file: contents before name
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, fsys.Remove(tmp))
	}
	if err = fsys.Rename(tmp, path); err != nil {
		return err
	}
	return fsys.SyncDir(dir) // promise of the caller's file: the name itself
}
