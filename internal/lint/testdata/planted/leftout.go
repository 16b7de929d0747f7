// in: broker/leftout

// Package leftout has syncs that no test leaves out.
package leftout

import "github.com/moldau/moldau/disk/vfs"

type log struct{ file vfs.File }

func (l *log) tested() error {
	return l.file.Sync() // promise: a test leaves it out
}

func (l *log) forgotten() error {
	return l.file.Sync() // promise: nobody looks whether it holds. want "leftout.(*log).forgotten Sync"
}

func (l *log) rebuilt() error {
	return l.file.Sync() // rebuildable: an index
}

// folder makes the names durable: a promise.
func folder(fsys vfs.FS) error {
	return fsys.SyncDir("d") // want "leftout.folder SyncDir"
}

// half makes a file durable, of whose two syncs a test leaves out one.
func half(fsys vfs.FS) error {
	return vfs.ReplaceFile(fsys, "d", "f", nil) // want "leftout.half ReplaceFile.SyncDir"
}

func passed(f vfs.File, promise int) error {
	return f.Sync() // want "leftout range promiseCount"
}
