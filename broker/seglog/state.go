package seglog

import "github.com/moldau/moldau/broker/kafka"

// State is what recovery hands to a replica's machine: the log as it lies in
// its files once everything that had to be cut is cut.
type State struct {
	LogStart  int64
	End       int64 // one past the last offset
	Segments  []Segment
	Epochs    []EpochStart    // ascending in both
	Producers []ProducerEntry // one per producer id
	// HighWatermark is the checkpointed one, at most End: a hint, never a place to cut.
	HighWatermark int64
	Evidence      Evidence
}

// Segment is what the pure part knows of a segment. Segments of a log are
// ascending by Base; the last one is active. A log has at least one.
type Segment struct {
	Base int64 // first offset that may lie in it; names its files
	Size int64 // bytes of .log
	// Largest timestamp and the last offset of the batch that has it; -1 when
	// the segment is empty.
	MaxTimestamp       int64
	MaxTimestampOffset int64
	// FirstTimestamp is the largest timestamp of the first batch, -1 when empty:
	// the roll by age counts from it.
	FirstTimestamp int64
	Created        int64 // wall ms
	// SinceIndex counts bytes appended since the last index entry; IndexEntries
	// and TimeEntries are the entries written so far.
	SinceIndex   int64
	IndexEntries int
	TimeEntries  int
	// IndexedTimestamp is the timestamp of the last time index entry, -1
	// without one: the next entry is due when MaxTimestamp has grown above it.
	IndexedTimestamp int64
}

// EpochStart is a line of the leader-epoch file: Epoch begins at Offset.
type EpochStart struct {
	Epoch  int32
	Offset int64
}

// ProducerEntry is one producer's state as Kafka's producer snapshot has it,
// and the batches before the last, which it has not: a client that has several
// under way when the node dies sends all of them again.
type ProducerEntry struct {
	ProducerID       int64
	Epoch            int16
	LastSequence     int32
	LastOffset       int64
	OffsetDelta      int32
	Timestamp        int64
	CoordinatorEpoch int32
	FirstTxnOffset   int64 // -1: no transaction is open
	// Earlier are the batches of this epoch before the last, oldest first, at
	// most ProducerEarlierMax.
	Earlier []ProducerBatch
}

// ProducerEarlierMax is how many batches before the last a producer is
// remembered by.
const ProducerEarlierMax = producerBatchesMax - 1

// ProducerBatch is a batch that may come again.
type ProducerBatch struct {
	LastSequence int32
	OffsetDelta  int32 // offsets, and sequence numbers, before the last
	LastOffset   int64
	Timestamp    int64 // the largest, ms
}

// Evidence is what recovery saw, from which Classify derives the replica's
// standing once the topic's durability is known.
type Evidence struct {
	// Clean: the process stopped cleanly and nothing had to be looked at.
	Clean bool
	// SyncedThrough is S, the newest synced-through mark; 0 without one.
	SyncedThrough int64
	// Cut: bytes at the end failed their checks and were cut off.
	Cut bool
	// CommitTouched: a failed or unreplayed journal commit names this replica.
	CommitTouched bool
	// Hole: a gap inside, a missing segment, or a lost directory.
	Hole bool
	// Recorded is a verdict worse than intact that an earlier recovery made
	// durable and nothing has lifted since.
	Recorded  Standing
	LastEpoch int32 // of the last batch, -1 when empty
	End       int64
}

// Standing is a replica's standing after recovery (the contract's section 5).
type Standing uint8

const (
	Intact Standing = iota
	Doubtful
	Damaged
)

func (s Standing) String() string {
	switch s {
	case Doubtful:
		return "doubtful"
	case Damaged:
		return "damaged"
	}
	return "intact"
}

// Classify derives the standing. An unclean stop makes every replica of an
// `os` topic damaged: nothing proves that its tail is whole.
func Classify(d kafka.Durability, e Evidence) Standing {
	standing := Intact
	switch {
	case e.Hole || e.End < e.SyncedThrough:
		standing = Damaged
	case d == kafka.DurabilityOS && !e.Clean:
		standing = Damaged
	case e.Cut || e.CommitTouched:
		standing = Doubtful
	}
	return max(standing, e.Recorded)
}
