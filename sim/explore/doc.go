// Package explore visits every state that a small world of replicas can come
// to, and checks the replication contract in each.
//
// A world is one partition on three brokers: the machines of broker/replica
// and broker/controller as they serve, a model of a disk that forgets what was
// not synced, and faults with budgets. The search goes breadth-first, so that
// what it finds wrong is told in the fewest steps.
//
// It is NOT a simulation: no runtime, socket, file or schedule is part of it;
// package world has those. What it leaves out, it says (docs/replication.md).
//
// # How states are kept small
//
// A state is a tuple of parts: the controller, each broker, the messages that
// are held back, what has been promised so far. Each part that was ever seen
// has a number, by its whole encoding, so a state is eight numbers, and two
// states are the same when these are: no hashing decides. A part is never
// changed; a step clones it, drives the clone and looks its number up. Since a
// step touches few parts, its outcome is remembered for them, and the machines
// run only for what is new: millions of states are made of thousands of parts.
//
// # Invariants
//
// Equal encodings mean equal futures: whatever decides is in
// replica.AppendState or in the metadata records. A test goes random ways
// with and without the memory of outcomes and compares. Broker epochs are
// renamed to how often a broker registered, since they are only compared for
// equality.
package explore
