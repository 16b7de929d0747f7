// in: broker/raftmeta

package raftmeta

import "github.com/moldau/moldau/disk/vfs"

func says(fsys vfs.FS, f vfs.File) {
	_ = f.Sync() // the vote outlives the process
	// rebuildable
	_ = fsys.SyncDir("d")
	_ = f.Truncate(0)
}

func silent(fsys vfs.FS, f vfs.File) {
	_ = f.Truncate(0)
	_ = f.Sync()

	// want-above "which promise"
	_ = f.Truncate(0)
	_ = fsys.SyncDir("d")

	// want-above "which promise"
	_ = f.Truncate(0)
	_ = vfs.ReplaceFile(fsys, "d", "f", nil)

	// want-above "which promise"
}

// documented makes f durable: the promise of its caller.
func documented(f vfs.File) {
	_ = f.Truncate(0)
	_ = f.Sync()
}
