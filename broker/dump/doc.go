// Package dump writes the files of a Kafka log directory as text for people or
// as JSON, one object a line: segments with their batches and records (decoded
// where the topic is one of Kafka's own), the three indexes, producer and
// metadata snapshots, and the small text files beside them; and what is
// Moldau's own there: raft's log and votes, the journal and the marks.
//
// What is damaged is reported with its position, and the dump goes on behind
// it where that is possible. The words of the text are those of Kafka's own
// dump tool, so that eyes and scripts know them.
//
// It only reads, through vfs.FS, and can run beside a live broker, whose
// newest batch may then look torn. It does not repair, and it judges single
// files: what a log as a whole means is recovery's business.
//
// Memory is bounded by the largest batch of the file, whose length is held
// against the bytes left before anything is allocated, and by the
// decompression limit of package batch.
package dump
