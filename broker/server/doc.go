// Package server turns byte streams into requests and answers into byte
// streams. It owns listeners, connections, the memory that requests arrive in,
// and the order of answers; it knows nothing of what a request means.
//
// A connection has one goroutine, its reader. It reads a frame, has the
// Handler serve it, and writes the answer itself, so that all requests of a
// connection are served one after the other, as in Kafka. Only Produce may
// follow Produce before it is answered: such a request takes a Slot in the
// connection's ordered ring, and a writer goroutine, started with the first
// of them, sends what is complete at the ring's head, all of it in one system
// call. Between brokers two things more are so: a follower's Fetch takes a Slot
// whose answer the writer itself waits for, so that the next one can be read
// meanwhile; and a DurableReport, which has no answer, is handled when it is
// read, whatever waits.
//
//	socket ─ reader ─ Handler.Serve ─┬─ answer ───────────────── socket
//	                                 └─ Slot ─ ring ─ writer ──── socket
//
// Memory is charged to a Budget as bytes arrive, never by what a length field
// claims. When the budget is spent, frames that stopped arriving are evicted
// with their connections, so that half-sent requests cannot starve others.
//
// Invariants: answers leave in the order of their requests; a frame's memory
// goes back to the budget exactly once; nothing is read for a client's connection
// while a request that is not a Produce is being served.
package server
