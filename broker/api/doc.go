// Package api serves Kafka's protocol on a broker's listeners: one file for
// each API key or family of keys. It decodes requests, asks shards, the image
// and the controllers, and encodes answers.
//
// It is NOT where anything is decided: replicas and coordinators decide on
// their shards, the controller in its quorum. It touches no machine and waits
// for no disk but to read what a fetch was allowed to.
//
// A Handler is shared by all connections; what belongs to one connection (its
// fetch under way) hangs on the connection. Every request loads the image
// once. Produce is answered through a slot, from a shard's goroutine;
// everything else on the connection's own.
//
// # Memory
//
// What a request takes here is many times what it takes on the wire, so it is
// bounded apart: a guard walks bodies before they are decoded, so that no
// count allocates what no bytes stand behind; a gate admits requests of many
// array elements, a bounded number of elements at one time; compressed batches
// are decompressed at as many places as there are processors, large ones at
// one; fetch sessions share a bound in bytes.
//
// # Invariants
//
// A key and version that ApiVersions names is served; a version that is not
// named closes the connection with its name in the log, as Kafka's does; errors
// become codes here and nowhere else. A fetch session is used by one fetch at a
// time, and nobody waits for one.
//
// # Where Kafka answers otherwise
//
// Every golden of the broker's listener was compared with Apache Kafka 4.4.0's
// answer to the same request. Deliberately different are:
//
//   - Produce: what is refused has a message where Kafka gives none, and log
//     start -1 where a record is to blame; a transactional id or batch is
//     refused with INVALID_TXN_STATE; a partition named twice gets both batches
//     and two answers (Kafka keeps the last).
//   - Fetch: a partition named twice outside of sessions is answered twice; a
//     wait ends after five minutes; a session in use by another connection
//     answers INVALID_FETCH_SESSION_EPOCH; sessions are evicted by age alone; a
//     session that would pass the memory of all sessions is not kept.
//   - ListOffsets: partitions are answered in the order asked.
//   - Metadata: a topic that is made is in the same answer, with its leader;
//     topics by id are answered in the order asked.
//   - Until they are served, transactional ids are refused: by FindCoordinator
//     with CLUSTER_AUTHORIZATION_FAILED and a message, by InitProducerId with
//     TRANSACTIONAL_ID_AUTHORIZATION_FAILED; share groups with UNSUPPORTED_VERSION.
//   - CreateTopics: moldau.durability is among the settings; refused topics
//     have null settings, what is only validated no id. ElectLeaders for all
//     lists only partitions that something was tried for.
//   - IncrementalAlterConfigs: an unknown operation is INVALID_REQUEST, not
//     UNKNOWN_SERVER_ERROR. Texts for people are our own.
//   - DescribeQuorum: the voter's directory id is told from the first start on.
//   - Requests of more than 250,000 array elements, or other than Produce of
//     more than 16 MiB, end the connection.
package api
