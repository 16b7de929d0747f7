// Package logdir is the I/O part of the log: one log directory with its
// partitions' files, its disk worker and its recovery. Machines never import
// it; a shard submits their orders here and gets the answers through a Sink.
//
// What it is not: it decides nothing about offsets, rolls, retention or
// leadership (seglog and replica do), and it never waits for the network.
//
//	shards ── Submit(orders of a turn) ──► append lane ──► pwritev, indexes ──► Written
//	                                          │ dirty partitions
//	                                          ▼
//	                                       committer ── few files: fdatasync in sync lanes
//	                                          │         many: one journal commit
//	                                          ▼
//	                                       Durable, Truncated, LogStarted
//	                                          │ closed segments, full journal blocks, marks
//	                                          ▼
//	                                       background lane
//
// Who owns what: the append lane owns a partition's tail (segments, positions,
// index entries, producers); the committer owns the journal and the durable
// end D; readers see the segments through an immutable list that the lane
// publishes. A partition's orders are carried out in the order of Submit.
// Small appends to many partitions go to the committer first and are written
// while it commits; it answers when both are done.
//
// Files of ours are plain files named moldau.*: at the root the journal blocks
// (moldau.journal-N) and the marks (moldau.marks), in a partition's folder the
// recorded verdict (moldau.standing) and bytes kept aside (moldau.damaged-*).
// Everything else is Kafka's, byte for byte. After a clean stop the directory
// is a Kafka directory.
//
// A recovery that has many segments to sync makes the journal vouch for them and
// leaves the syncs, and the old blocks, to the background lane (kept.go).
//
// Invariants: an answer Durable or Truncated follows the syncs that carry it,
// each of which is named by a syncPromise; a failed sync is never retried, the
// directory goes offline; D never passes Written; the durable mark S never
// passes D.
package logdir
