package logdir

import (
	"errors"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/vfs"
)

// Partition is one partition's files. Reads may be called from any goroutine.
type Partition struct{}

// ID is the partition's identity.
func (p *Partition) ID() kafka.TopicPartition { return kafka.TopicPartition{} }

// Topic is the name in its folder's name.
func (p *Partition) Topic() string { return "" }

// Dir is the directory that it lies in.
func (p *Partition) Dir() *Dir { return nil }

// Bind says who gets the answers, under which key. It is called before the
// first order and when the replica moves to another shard, with nothing outstanding.
func (p *Partition) Bind(sink Sink, key uint64) {}

// SetOptions replaces the options; it takes effect with the next turn.
func (p *Partition) SetOptions(o Options) {}

// SetHighWatermark keeps hw for the replication-offset-checkpoint, which is
// written lazily. It is a hint after a restart.
func (p *Partition) SetHighWatermark(hw int64) {}

// SetStanding records a verdict worse than intact, or lifts it (Intact), and
// returns when that is durable. It waits on the disk. Recovery records what it
// sees itself; the caller records what follows from the topic's durability
// (seglog.Classify), and lifts the verdict when the replica was taken into ISR
// or elected.
func (p *Partition) SetStanding(s seglog.Standing) error { return errors.ErrUnsupported }

// Extent is a range of whole batches in one file. It keeps the file open,
// also when its segment is deleted meanwhile, until Release.
type Extent struct {
	File vfs.File
	Off  int64
	Len  int64
	// Next is one past the last offset in the range where it is known without
	// reading, else -1.
	Next int64
}

// Valid reports whether the bytes are still those that the plan allowed: no
// truncation of the partition began since. Ask after the bytes were copied or
// sent and before the answer counts as whole; if not, close the connection or
// answer an error.
func (e *Extent) Valid() bool { return false }

// Release lets go of the file. The Extent must not be used afterwards.
func (e *Extent) Release() {}

// Read finds the bytes that plan allows: whole batches of one segment, from
// the one that holds plan.From on, each of which ends at or below plan.UpTo. It
// returns nil without an error when there is nothing to read (From at UpTo, or the
// first batch larger than MaxBytes without AtLeastOne). Errors: ErrOutOfRange,
// ErrCorrupt, ErrOffline, or the file system's.
func (p *Partition) Read(plan seglog.ReadPlan) (*Extent, error) { return nil, errors.ErrUnsupported }

// TimestampOffset is a record found by its timestamp.
type TimestampOffset struct {
	Offset      int64 // -1 when there is none
	Timestamp   int64 // wall ms
	LeaderEpoch int32
}

// OffsetForTimestamp finds the first record at or after the timestamp (wall
// ms) among those below upTo, as ListOffsets asks for it.
func (p *Partition) OffsetForTimestamp(timestamp, upTo int64) (TimestampOffset, error) {
	return TimestampOffset{}, errors.ErrUnsupported
}

// MaxTimestampOffset finds the record with the largest timestamp below upTo
// (ListOffsets -3, KIP-734).
func (p *Partition) MaxTimestampOffset(upTo int64) (TimestampOffset, error) {
	return TimestampOffset{}, errors.ErrUnsupported
}

// AbortedTransactions lists the aborted transactions that overlap [from, upTo).
func (p *Partition) AbortedTransactions(from, upTo int64) ([]seglog.AbortedTxn, error) {
	return nil, errors.ErrUnsupported
}
