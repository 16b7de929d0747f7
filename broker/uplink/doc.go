// Package uplink is the broker role's side of the metadata: it follows the
// metadata log by Kafka's Fetch, registers the broker, sends its heartbeats,
// allocates producer ids and forwards administrative requests, all over
// connections to the controller listener. In one process these are in-process
// connections of the net seam: the same frames, no second path.
//
// Each controller gets heartbeats on a connection of its own; the one that
// answers them is active, and whatever waits for another is sent there.
//
// It owns the connections, the broker epoch and the block of producer ids. It
// is not the metadata image (package metaimage) nor the server.
//
// Invariants:
//   - Images are published forward only.
//   - A producer id is given at most once in the cluster's life: a block is
//     never taken up again after a restart.
//   - No request carries a broker epoch other than that of the registration
//     in force.
package uplink
