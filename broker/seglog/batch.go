package seglog

// Batch is what a log has to know of a record batch (format v2).
type Batch struct {
	BaseOffset      int64 // as in the header; AppendFollower takes it, Append assigns its own
	LeaderEpoch     int32 // as in the header; AppendFollower takes it
	LastOffsetDelta int32
	Size            int64 // whole batch in bytes
	MaxTimestamp    int64 // ms, -1 for none
	AppendTime      bool  // timestamp type LogAppendTime

	ProducerID    int64 // -1 for none
	ProducerEpoch int16
	BaseSequence  int32 // -1 for none

	Transactional bool
	Control       bool
	// Marker is what a control batch ends a transaction with. Control batches
	// of other kinds, and data batches, have NoMarker.
	Marker           Marker
	CoordinatorEpoch int32 // of the marker
}

// Marker is the kind of an end-of-transaction marker.
type Marker uint8

const (
	NoMarker Marker = iota
	MarkerAbort
	MarkerCommit
)

// LastOffset is the offset of the batch's last record.
func (b *Batch) LastOffset() int64 { return b.BaseOffset + int64(b.LastOffsetDelta) }

// LastSequence is the sequence number of the batch's last record, which wraps
// to 0 after the greatest int32; -1 without sequence numbers.
func (b *Batch) LastSequence() int32 {
	if b.BaseSequence < 0 {
		return -1
	}
	return addSequence(b.BaseSequence, b.LastOffsetDelta)
}
