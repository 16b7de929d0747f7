// Package controller decides what happens to the cluster's metadata: it turns
// requests and the passing of time into metadata records and replies.
//
// It is a pure state machine: no goroutine, lock, clock, file or socket. The
// caller (the quorum's runtime on the active controller) owns the Machine,
// calls it from one goroutine, and does the following:
//
//  1. On winning office, after a barrier, Activate with the committed image;
//     append the records it returns, if any, as one atomic batch.
//  2. For every request, Handle. Append Decision.Records as one atomic batch at
//     the offsets that come next, in the order of the calls; send the reply
//     when they are committed, and at once if there are none and nothing
//     appended before is still uncommitted. (A reply may tell of records that
//     an earlier call returned: it waits for all of them.)
//  3. Tick when the time comes that the last Tick asked for, and after Handle;
//     append each list as one batch.
//  4. On losing office, or when an append fails, Resign, and answer everything
//     that waits with NOT_CONTROLLER.
//
// A list of records that begins with BeginTransaction may be cut into several
// batches anywhere; every other list is one batch, within
// metarecord.BatchBytesMax and BatchRecordsMax.
//
// State: the speculative image (the committed one and all that was returned
// since), and soft state that dies with the office: when each broker was last
// heard, how far it follows, which of its directories stall. Safety rests on
// the records alone; soft state costs time only.
//
// Invariants: leader epochs and partition epochs never fall; every election
// bumps the leader epoch, every change the partition epoch; a leader is in ISR
// or there is none; ISR and ELR are disjoint.
package controller
