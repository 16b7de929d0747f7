// Package raftmeta keeps the metadata log on disk and on the wire for
// hashicorp/raft: its LogStore, StableStore and SnapshotStore over vfs, the
// state machine that applies committed entries to the metadata image, and the
// transport over the controller listener's port. It decides nothing about
// metadata; package quorum runs it.
//
// All files lie in the folder __cluster_metadata-0 of the metadata log
// directory, which Apache Kafka reads too. What is ours is named moldau.*, so
// that Kafka passes it by:
//
//	moldau.stable                          term and vote, two slots
//	moldau.raft.<20-digit first index>     segments of raft's log
//	<20-digit end>-<10-digit epoch>.checkpoint          a snapshot, Kafka's own format
//	moldau.<that name>.meta                raft's index, term and configuration of it
//
// Invariants:
//   - StoreLogs, Set and a snapshot's Close return after the sync: what raft
//     was told is stored survives every crash.
//   - The log has no hole: segments end where the next one begins.
//   - A tail that no acknowledged write follows may be torn and is cut. A bad
//     entry that a later write followed was once synced: that is damage, and
//     the store refuses to open.
//   - A checkpoint of ours exists only after its meta file does.
//   - A snapshot takes the place of the log only where it has something new: raft
//     is not given one of entries that are here, and of snapshots the newest stays.
//   - Record offsets count metadata records only; entries of raft's own
//     (no-ops, configurations) have none.
package raftmeta
