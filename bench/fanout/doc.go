// Package fanout measures what an ack at `sync` costs when many partitions
// are written at once: 1 KiB to each of N partitions in one turn, again and
// again, each turn begun when the last one is durable in all of them.
//
// It drives a log directory itself, as a shard does, in this process, so that
// the file system can be slowed down and the journal turned off: no network,
// no requests. It says nothing of throughput under `os`.
package fanout
