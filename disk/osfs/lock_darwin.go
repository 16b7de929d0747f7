package osfs

import "golang.org/x/sys/unix"

// lockFd takes a flock, which Darwin keeps in one list with fcntl's locks.
func lockFd(fd int) error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) }
