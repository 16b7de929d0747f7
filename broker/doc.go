// Package broker assembles a node: its log directories, its part in the
// metadata quorum, its shards and its listeners, all on the edges (clock,
// network, file system, entropy) that the caller injects. It is the package
// to embed.
//
//	identity ─ who am I ─┬─ raft store ─ quorum ─ controller listener
//	                     └─ log directories ─ recovery ─┐
//	uplink ─ registers, follows metadata ─ Manager ─────┴─ shards ─ api ─ listeners
//
// A Broker owns everything that it starts: Run returns when all of it has
// ended. The order of a start and of a stop is that of the calls in start.go
// and stop.go.
package broker
