// Package fetcher is the runtime of replicas that follow: for each broker that
// leads some of them, one connection over which their records are fetched and
// their durable ends reported.
//
//	shard ─ Moved: where replicas stand ─▶ peer ─ Fetch, DurableReport ─▶ leader
//	shard ◀─ FollowAnswers ─── link's reader: checks offsets, CRC ◀─ answers ─┘
//
// A peer is a pair of goroutines. One owns the table of its replicas, decides
// when to send, and writes; the other reads, checks and hands on what came. The
// session is incremental and costs by what moved: an idle replica costs nothing
// but its place in the table.
//
// When a leader has answered with records, the next fetch waits until they are
// written (not synced), so that one request asks for all of them; a disk that
// is slow holds the others up for stragglerWait only. A request that is parked
// at the leader gives way to the next one.
//
// It is NOT where anything is decided: what to ask, and whether an answer still
// applies, is the machine's (package replica, rules F1 to F5). An answer always
// carries the Ask that it answers.
//
// Who owns state: a peer its table, a link's reader what was asked by it, in the
// order of the requests. Shards are told by messages, and tell by Moved, which
// never waits.
package fetcher
