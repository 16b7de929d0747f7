// Package config holds the one table of every setting: Kafka 4.4's names,
// types, defaults and validation, and what is only ours under the prefix
// "moldau.". Everything else derives from the table: reading Kafka's
// server.properties, the node's typed settings (Broker), a topic's effective
// settings (Topic), the answers of DescribeConfigs, the checks of CreateTopics
// and AlterConfigs, and docs/configuration.md.
//
//	static properties ─ Load ─► Broker ─────────────► node
//	        │
//	        ▼
//	Layers{topic, derived, broker, cluster default, static} ─ Resolve ─► Topic
//	        └──────────────────────────────────────── Describe* ─► answers
//
// What it is NOT: it opens no file, reads no environment, keeps no state. The
// caller hands it readers, strings and the layers of dynamic settings that the
// metadata image holds.
//
// Invariants:
//   - every default in the table passes its own check;
//   - a value that Validate* accepted never fails in Resolve; a value that did
//     not pass it (written by another version) falls through to the next layer;
//   - where a default differs from Kafka's, the entry says why;
//   - nothing that asks for protection which is missing is ever ignored: it
//     refuses the start.
package config
