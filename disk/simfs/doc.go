// Package simfs is vfs.FS for the nodes of a simulation: a disk in memory that
// loses power, fails, fills up, hangs, rots, and writes to the wrong place.
//
//	Disk (one a node, outlives its processes): faults, streams, ledger of damage
//	  ├─ disk/memfs: contents, and what a power loss would leave of them
//	  └─ FS (one an incarnation: its fence; implements vfs.FS) ─► files
//	Atlas (one a run): which bytes of which file on which node are damaged
//
// A crash of the fence swaps the contents: a kill leaves all that was written,
// a power loss what was synced and a random part of the rest (package memfs
// says what may be left). What the dead incarnation still writes goes to the
// contents that it had, which nobody sees any more.
//
// The ledger has every byte that is not what was last written to it, by file,
// wherever the file is renamed to, until an overwrite of it is synced or the
// file is gone. A checker excuses with it what a lone damaged copy could not
// keep; the injector asks the Atlas first, so that damage which takes a copy
// away leaves the copies that the promise needs.
//
// Not a model of: queues and head movements (delays are drawn for each call),
// metadata of the file system that rots.
//
// Who owns state: a Disk one mutex for faults and ledger, never held while a
// call waits. It is taken before memfs's.
package simfs
