package vfstest

import (
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/moldau/moldau/disk/vfs"
)

// LeaveOut wraps a file system and leaves out the syncs of one place in the
// program: they return at once and make nothing durable. A test in which power
// is lost must then fail; else the sync carries no promise, or the test is blind.
//
// A place is named by its package and function, as raftmeta.(*LogStore).unlink,
// a blank, and what it calls: Sync, SyncDir, or of vfs.ReplaceFile one of its two,
// ReplaceFile.Sync and ReplaceFile.SyncDir. The policy tests demand such a name
// in a test for every sync that is not rebuildable.
type LeaveOut struct {
	vfs.FS
	place string
	left  *atomic.Int64
}

// NewLeaveOut leaves out the syncs of place; left counts them and may be nil.
func NewLeaveOut(fsys vfs.FS, place string, left *atomic.Int64) LeaveOut {
	if left == nil {
		left = new(atomic.Int64)
	}
	return LeaveOut{FS: fsys, place: place, left: left}
}

// SyncDir implements vfs.FS.
func (l LeaveOut) SyncDir(dir string) error {
	if l.leaves("SyncDir") {
		return nil
	}
	return l.FS.SyncDir(dir)
}

// Create implements vfs.FS.
func (l LeaveOut) Create(name string) (vfs.File, error) { return l.file(l.FS.Create(name)) }

// Open implements vfs.FS.
func (l LeaveOut) Open(name string) (vfs.File, error) { return l.file(l.FS.Open(name)) }

func (l LeaveOut) file(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return leaveOutFile{f, l}, nil
}

type leaveOutFile struct {
	vfs.File
	fs LeaveOut
}

// Sync implements vfs.File.
func (f leaveOutFile) Sync() error {
	if f.fs.leaves("Sync") {
		return nil
	}
	return f.File.Sync()
}

// callersMax is how deep a caller is looked for.
const callersMax = 4

// leaves reports whether the caller's caller is the place.
func (l LeaveOut) leaves(call string) bool {
	pcs := make([]uintptr, callersMax)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	f, more := frames.Next()
	if more && strings.HasSuffix(f.Function, "/vfs.ReplaceFile") {
		f, _ = frames.Next()
		call = "ReplaceFile." + call
	}
	if functionOf(f.Function)+" "+call != l.place {
		return false
	}
	l.left.Add(1)
	return true
}

// functionOf takes the package's path and closures off a symbol, as of
// a/b/raftmeta.(*LogStore).unlink.func1.
func functionOf(symbol string) string {
	name := symbol[strings.LastIndexByte(symbol, '/')+1:]
	if at := strings.Index(name, ".func"); at >= 0 {
		name = name[:at]
	}
	return name
}
