// Package shard runs the machines of partitions: N loops, each one goroutine
// with one bounded inbox, each owning the replicas that were given to it and
// the coordinators that live in internal partitions among them.
//
// A loop takes everything that waits in one turn, steps the machines, and at
// the turn's end hands all orders to the disk workers in one call a
// directory; so a disk's group commit and the coalesced answers of a
// connection fall out of the load by themselves. No record bytes pass through
// a loop (but the batches that coordinators write), and no loop touches a
// disk or a socket: a loop never waits but for its inbox.
//
//	api ─ Produce, Fetch, Query, Call ─▶ inbox ─▶ loop ─▶ machines
//	disk workers ─ answers ───────────▶ inbox      │
//	Manager ─ open, role, config, close ▶ inbox     ├─▶ orders to disk workers
//	                                               └─▶ answers to api
//
// The Manager follows the metadata image: it opens and closes the replicas of
// this broker, gives each to the shard with the least load, and publishes the
// image only when the replicas that it names are there.
//
// It is NOT the protocol (package api) and decides nothing about records or
// groups (packages replica, coord, group).
//
// Invariants: a Handle's machine is touched by its shard's loop alone; answers
// of one request are given exactly once; messages of one sender to one shard
// are handled in the order in which they were put.
package shard
