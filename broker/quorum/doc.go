// Package quorum is the controller role of a node: it runs raft and the pure
// controller machine on one loop with one inbox, answers the requests of the
// controller listener, and serves the committed metadata log to observers.
//
// It is not the machine (package controller decides), not the log (package
// raftmeta stores), and not the listener (package server frames requests and
// calls Dispatch).
//
//	Dispatch ─ inbox ─┬─ machine.Handle ─ records ─ raft ─ FSM ─ image published
//	                  │                                     │
//	       answers ◄──┴──────── commit ◄───── inbox ◄───────┘
//
// The loop owns the machine, the proposals that wait for their commit, the
// parked fetches and the observers. Invariants:
//   - A reply that depends on records is given after their commit and after
//     the image that contains them is published.
//   - Proposals are in flight side by side; they commit in the order in which
//     they were decided, or the office is lost with all of them.
//   - Losing office drops the speculative image; what waited is answered
//     NOT_CONTROLLER, and may have been committed all the same.
//   - Observers see committed records only, and ask the active controller, or a
//     voter that knows of none.
//   - Out of office the machine hears heartbeats all the same, so that it knows
//     who was silent when the office comes.
//
// Raft runs as one instance after another on the same stores: a lone voter's has
// short times, and is ended for one with a cluster's times before the second
// server comes. What is applied again is in the image already.
package quorum
