// Package metarecord is Kafka's metadata records as bytes and as Go structs,
// both ways, and the two containers that hold them: record batches of
// __cluster_metadata and checkpoint (snapshot) files.
//
// A record's value is
//
//	+----------------+---------------+------------------+------+
//	| frame version 1| type (uvarint)| version (uvarint)| body |
//	+----------------+---------------+------------------+------+
//
// with a flexible body: compact strings and arrays, tagged fields at the end.
// schema.txt is the only table of the records; `go generate` makes
// records_gen.go from it. What Moldau adds to Kafka's records travels as
// tagged fields with numbers from 10,000 up, which Kafka's readers keep and
// ignore; tagged fields that this package does not know are kept in Unknown
// and written back in place.
//
// It is NOT the meaning of the records (metaimage) and decides nothing. It
// owns no state: every function is pure. Decoding arbitrary bytes never
// panics and never allocates more than a small multiple of its input.
package metarecord

//go:generate go run gen.go
