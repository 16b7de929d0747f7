// Package osfs is vfs.FS over the machine's own file system.
//
// Sync is fdatasync on Linux and F_FULLFSYNC on Darwin: the only calls after
// which the bytes outlive the loss of power. Lock is an open-file-description
// lock on Linux, which excludes other processes, Java's FileChannel.lock and
// other locks of this process alike, where flock would not exclude Java and
// plain fcntl would not exclude ourselves. Under wasip1 nothing of the kind
// exists: Lock excludes callers of the same FS only, and Usage is unknown.
//
// A full disk and an exhausted quota are vfs.ErrNoSpace. Other errors are the
// operating system's, in which errors.Is finds io/fs's.
//
// Who owns state: an FS has none (but the locks under wasip1). A File owns its
// descriptor, which Close waits for while WithFd lends it.
package osfs
