// Package seglog is the pure part of a partition's log in Kafka's on-disk
// format: which segments exist and when they roll, index entries, producer
// state, leader epochs, what retention may delete, and the orders that a
// replica's machine gives to its disk worker.
//
// It opens no file and reads no clock: times come in as values, effects go out
// as Ops. The I/O part is seglog/logdir, which machines never import.
package seglog
