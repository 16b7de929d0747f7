// Package memfs is a vfs.FS in memory that knows what a power loss would
// leave: the file system on which crash tests and the simulator run.
//
// Beside its contents every file keeps what its last completed Sync covered
// and the writes and truncations since; every directory the entries of its
// last completed SyncDir and the changes since. CrashClone makes another file
// system out of that: what was synced, and of the rest a random part.
//
//	        current contents            what readers see now
//	file  { base contents               covered by the last Sync
//	        ops: write, truncate, ...   made since, in order
//
//	        current entries
//	dir   { base entries                covered by the last SyncDir
//	        changes: link, unlink, rename
//
// What a crash may leave of the rest, in the terms of package vfs:
//
//   - of a file, each sector of 512 bytes as it stood after any of the ops
//     since the Sync (most often a whole page of 4,096 bytes alike, sometimes
//     torn), and any length that the file had since;
//   - of a directory, any subset of the changes in which no change comes
//     without the earlier ones to the same name. A rename is one change: the
//     file is never lost between its two names. Synced contents of a file
//     whose name was not synced may go with the name.
//
// A Sync that fails by the hook drops what it was to write, as Linux does: the
// contents stay readable, later Syncs succeed, a crash brings the old back.
//
// Not a model of: bytes that rot or land in another file, and slow disks.
// Wrappers do that (disk/faultfs, and disk/simfs by the Damager of a file).
//
// Who owns state: one FS one mutex. A clone shares pages that neither side
// changes any more, so that thousands of clones cost little.
package memfs
