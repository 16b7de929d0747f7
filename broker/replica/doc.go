// Package replica is the machine of one partition on one broker: its role, its
// log, its durable end and high watermark, who waits for which ack. It follows
// the replication contract.
//
// It is NOT a goroutine and knows no file, socket or clock: the shard loop
// that owns it passes events in, and carries out the Ready that comes back
// (orders to the disk worker, acks, events), in the order of its slices.
//
// Offsets, each at or above the one before it:
//
//	log start ≤ high watermark ≤ D (durable end) ≤ LEO (written) ≤ next (assigned)
//
// Only the high watermark may stand below a new log start for a moment: a
// restart knows it by a hint alone. Under durability `os` the durable end is
// the LEO.
//
// The caller's duties:
//  1. Orders go to the replica's lane in order; every Done comes back in order.
//  2. A Failed is told once, and all orders given before the OpResume that
//     answers it are dropped by the worker.
//  3. A Role comes from a metadata image that contains this incarnation's
//     registration (rule L1).
//  4. The Slice of a Produce belongs to the machine from the call on; it moves
//     to the worker with the order, or is released.
package replica
