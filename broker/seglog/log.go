package seglog

import "github.com/moldau/moldau/broker/buffer"

// Log is the speculative state of one partition's log: what it will be once
// every order given so far has been carried out. Offsets, positions, rolls and
// index entries are decided here; a failed write is undone by Void.
//
// It is owned by the replica's machine and not safe for concurrent use.
// Invariant: LogStart <= Next; the segments ascend by base and there is at
// least one; the epochs ascend in both fields.
type Log struct {
	cfg Config
}

// NewLog makes the log that recovery found.
func NewLog(cfg Config, st State) *Log { return nil }

// Append assigns offsets to one batch as leader: base offset = Next. It patches
// base offset and leader epoch into data, decides a roll, index entries and
// producer state, and returns the order to the disk worker, who owns data from
// then on. The batch has passed the ProducerTable's Check.
func (l *Log) Append(nowWall int64, b Batch, leaderEpoch int32, data buffer.Slice) Op { return Op{} }

// AppendFollower takes batches as the leader laid them down: offsets given,
// contiguous from Next on, epochs that never fall. It says in an error what
// does not fit, and then has changed nothing; the caller keeps data.
func (l *Log) AppendFollower(nowWall int64, batches []Batch, data buffer.Slice) ([]Op, error) {
	return nil, nil
}

// Void undoes every append from the offset from on, exactly: segments,
// producers, epochs. from must be a boundary of an append not yet Written.
func (l *Log) Void(from int64) {}

// Written says that all below upTo is in the files: it cannot be voided any more.
func (l *Log) Written(upTo int64) {}

// Outstanding is the number of appends that are not yet Written.
func (l *Log) Outstanding() int { return 0 }

// Truncate cuts the log to the offset to and returns the order.
// A cut inside a batch cannot happen: to is a batch boundary.
func (l *Log) Truncate(to int64) Op { return Op{} }

// RestartAt empties the log, which begins anew at offset.
func (l *Log) RestartAt(nowWall, offset int64) Op { return Op{} }

// Roll closes the active segment without an append.
func (l *Log) Roll(nowWall int64) Op { return Op{} }

// Expiry is what retention may delete.
type Expiry struct {
	Bases    []int64 // base offsets of the segments, oldest first
	LogStart int64   // the log start after that
	Roll     bool    // the active segment is expired too: Roll, then ask again
}

// Expired decides retention at the wall time nowWall, below the high watermark hw.
func (l *Log) Expired(nowWall, hw int64) Expiry { return Expiry{} }

// Delete takes the segments out, which Expired has named, and returns the order.
func (l *Log) Delete(bases []int64) Op { return Op{} }

// SetLogStart raises the log start; false when it was not below offset.
func (l *Log) SetLogStart(offset int64) bool { return false }

// SetConfig replaces the configuration.
func (l *Log) SetConfig(cfg Config) {}

// Next is the offset that the next append gets.
func (l *Log) Next() int64 { return 0 }

// LogStart is the first offset that may be read.
func (l *Log) LogStart() int64 { return 0 }

// Size is the sum of the segments' sizes in bytes.
func (l *Log) Size() int64 { return 0 }

// Segments are the segments, oldest first; not to be changed or kept.
func (l *Log) Segments() []Segment { return nil }

// Position finds the place of the batch that begins at offset, or of the end
// of the batch before it, if a recent append or a segment's edge tells it.
func (l *Log) Position(offset int64) (Position, bool) { return Unknown(), false }

// BytesBetween is the number of bytes from offset from up to upTo: exact for
// recent appends, else estimated.
func (l *Log) BytesBetween(from, upTo int64) int64 { return 0 }

// Clone copies the log; data in flight is not part of it.
func (l *Log) Clone() *Log { return nil }

// Producers is the producer table, for Check and reading only.
func (l *Log) Producers() *ProducerTable { return nil }

// EpochEnd answers OffsetForLeaderEpoch for a log that ends at end.
func (l *Log) EpochEnd(epoch int32, end int64) (int32, int64) { return -1, -1 }

// EpochOf is the leader epoch of the batch at offset, -1 if unknown.
func (l *Log) EpochOf(offset int64) int32 { return -1 }

// AssignEpoch begins a leader epoch at Next.
func (l *Log) AssignEpoch(epoch int32) {}
