package raftmeta

import "errors"

var (
	// ErrDamaged: something that was synced is not as it was written. The
	// store refuses to open rather than to forget committed metadata.
	ErrDamaged = errors.New("metadata log is damaged")
	// ErrNewerFormat: the files were written by a newer version.
	ErrNewerFormat = errors.New("written by a newer version")
	// ErrFailed: an earlier write or sync of this store failed; a failed sync
	// is never retried, the node must stop.
	ErrFailed = errors.New("metadata store failed before")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("metadata store is closed")
)
