// Package attack holds tests that hurt a running node: it is killed under
// load, traced, flooded with hostile connections, given broken disks and
// broken files. The tests of the package drive the real binary as a process;
// those that need a file system with faults run a node within the process.
package attack
