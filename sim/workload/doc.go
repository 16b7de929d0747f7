// Package workload is the clients of a simulated run: producers, consumers,
// members of groups and administrators that speak Kafka's protocol in raw
// requests, and the recorder that writes what each asked and was told into a
// history for the checkers.
//
//	actors ──> client ──> link (a connection) ──> transport.Network
//	   │          └ metadata: leaders, ids
//	   └────> Recorder ──> history lines and trace lines, one writer
//
// It is NOT a client library: it retries as little as the checkers can bear, and
// on purpose does what libraries avoid (gives up, repeats, forgets sessions,
// dies without a word). Nor does it judge: that is package linearizability's,
// over the history. What no history can say (an answer that cannot be decoded,
// one to a question that nobody asked) it tells the Recorder as a failure.
//
// Who owns state: an actor everything that it made, its connections included,
// and nothing is left of it when Run returns. Actors share the Recorder, and
// the Topics, which know of partitions what any of them has learned.
//
// Invariants: what the package does follows from Env's random stream, its clock
// and the answers alone; every wait has an end by Env's clock; an operation is
// recorded from before its first byte was sent until its answer came or it was
// given up.
package workload
