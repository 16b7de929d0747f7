// Package batch is Kafka's record batch, version 2: its header, records,
// compression, checksum, control records, and the validation of what clients
// produce. It is a pure package: values in, values out.
//
//	0        8      12      16    17   21    23     27        35       43     51     53     57     61
//	┌────────┬──────┬───────┬─────┬────┬─────┬──────┬─────────┬────────┬──────┬──────┬──────┬──────┬─────────
//	│ base   │length│leader │magic│crc │attri│last  │ base    │ max    │prod. │prod. │base  │count │ records
//	│ offset │      │epoch  │ (2) │    │butes│delta │timestamp│timest. │id    │epoch │seq.  │      │ …
//	└────────┴──────┴───────┴─────┴────┴─────┴──────┴─────────┴────────┴──────┴──────┴──────┴──────┴─────────
//	                                   └───────────────── covered by the crc (Castagnoli) ─────────────────
//
// length counts the bytes after itself. The base offset and the leader epoch
// lie outside the checksum, so that a leader sets them without touching the rest.
//
// attributes: bits 0-2 codec, 3 timestamp type (0 create, 1 log append),
// 4 transactional, 5 control, 6 delete horizon (the base timestamp holds it).
//
// A record is a length and its fields, in zigzag varints:
//
//	length · attributes(1 byte) · timestampDelta · offsetDelta ·
//	keyLength(-1: null) key · valueLength(-1: null) value ·
//	headerCount { keyLength key · valueLength(-1: null) value }
//
// When the codec is not none, all records of a batch are compressed as one.
//
// What it is not: it knows no files, no partitions and no producer state
// (which sequence comes next), and reads no message set older than magic 2.
//
// Ownership: a function that takes bytes does not keep them, unless it says
// so; what it returns aliases them. A Codecs belongs to one goroutine at a time.
//
// Invariants: no length or count read from bytes is trusted before it is held
// against the bytes that are left; memory for decompression grows with what
// was really decompressed and ends at the given limit.
package batch
