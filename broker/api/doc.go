// Package api serves Kafka's protocol on a broker's listeners: one file for
// each API key or family of keys. It decodes requests, asks shards, the image
// and the controllers, and encodes answers.
//
// It is NOT where anything is decided: replicas and coordinators decide on
// their shards, the controller in its quorum. It touches no machine and waits
// for no disk but to read what a fetch was allowed to.
//
// A Handler is shared by all connections; what belongs to one connection
// (fetch state, codecs in use) hangs on the connection. Every request loads
// the image once. Produce is answered through a slot, from a shard's
// goroutine; everything else on the connection's own.
//
// Invariants: a key and version that ApiVersions names is served; a version
// that is not named closes the connection with its name in the log, as
// Kafka's does; errors become codes here and nowhere else.
package api
