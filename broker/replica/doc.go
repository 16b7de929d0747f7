// Package replica is the machine of one partition on one broker: its role, its
// log, its durable end and high watermark, who waits for which ack. It follows
// the replication contract.
//
// It is NOT a goroutine and knows no file, socket or clock: the shard loop
// that owns it passes events in, and carries out the Ready that comes back
// (orders to the disk worker, acks, events), in the order of its slices.
//
// A leader reads to its followers up to LEO, takes in what they say of their
// disks (leader.go), and proposes who belongs to ISR (isr.go). A follower says
// what it wants next (NextAsk), applies what comes (Fetched), and tells the
// leader when more of it is durable (Report). Who calls, and over which
// connections, is not known here.
//
// Offsets, each at or above the one before it:
//
//	log start ≤ high watermark ≤ D (durable end) ≤ LEO (written) ≤ next (assigned)
//
// The high watermark may stand below a new log start: a restart knows it by a
// hint alone, and a log that begins anew takes it up when that is durable. A
// follower's may stand above its own D, for it is the leader's, and it may
// have fetched what others have on disk. While a truncation is under way LEO is
// where the cut will be, and next still where the log ended. Under durability
// `os` the durable end is the LEO.
//
// Who may count on what:
//   - What a follower says counts in one leader epoch, for one incarnation of
//     its broker, where it lies on the leader's log; all else is forgotten.
//   - A change of ISR counts twice until the image shows it: who is to leave
//     still holds the high watermark, who is to join holds it already.
//   - An answer to a fetch counts if the replica would ask for the same now.
//   - A replica that is elected leads when no truncation is under way.
//
// The caller's duties:
//  1. Orders go to the replica's lane in order; every Done comes back in order.
//  2. A Failed is told once, and all orders given before the OpResume that
//     answers it are dropped by the worker.
//  3. A Role comes whole from one metadata image, and that contains this
//     incarnation's registration (rule L1).
//  4. The Slice of a Produce or an Answer belongs to the machine from the call
//     on; it moves to the worker with the order, or is released.
//  5. A Proposal is sent once, and ProposalDone called once for it: Unanswered
//     unless the controller's answer came.
//  6. The batches of an Answer are whole and their checksums right.
package replica
