package seglog

import (
	"github.com/moldau/moldau/broker/buffer"
)

// What a replica's machine orders its disk worker to do, and what the worker
// answers. The machine decides (offsets, positions, rolls, cuts), the worker
// obeys; all orders of one replica travel one lane, in order.

// OpKind says which of an Op's fields count.
type OpKind uint8

const (
	// OpAppend writes Append.Data at Append.Position of the segment.
	OpAppend OpKind = iota + 1
	// OpTruncate cuts the log to Offset; a batch that holds Offset goes whole.
	// Answered by Truncated once durable (rule F3).
	OpTruncate
	// OpRestartAt removes every segment and begins anew with an empty one at
	// Offset. Answered by Truncated once durable.
	OpRestartAt
	// OpDeleteSegments takes the segments with the base offsets Bases out of the
	// log: renamed to .deleted, removed after file.delete.delay.ms and when no
	// reader holds them. Not answered.
	OpDeleteSegments
	// OpLogStart makes Offset the durable log start. Answered by LogStarted.
	OpLogStart
	// OpSync makes everything written so far durable, whatever the topic's
	// durability. Answered by Durable.
	OpSync
	// OpResume ends the refusal that follows a Failed of class ClassNoSpace:
	// the machine has voided its tail and goes on at Offset, which the worker
	// has cut the files to. Not answered.
	OpResume
)

// Op is one order.
type Op struct {
	Kind   OpKind
	Append Append  // OpAppend
	Offset int64   // OpTruncate, OpRestartAt, OpLogStart, OpResume
	Bases  []int64 // OpDeleteSegments
}

// Append is one or more whole record batches for one segment.
type Append struct {
	Segment      int64 // base offset of the segment, which names its files
	Position     int64 // byte position in the .log file
	FirstOffset  int64 // base offset of the first batch
	LastOffset   int64 // last offset of the last batch
	LeaderEpoch  int32 // of the last batch
	Transactions bool  // some batch is transactional or a control batch

	// Data holds the batches with base offset and leader epoch patched in. It
	// is empty, with LastOffset below FirstOffset, where an append only rolls.
	// The worker owns it from here on and releases it when the bytes are
	// written (and, where the journal carries them, committed there).
	Data buffer.Slice

	// Roll is set on the first append of a new segment; the segment before it
	// is closed: its indexes trimmed, its last time index entry written, it
	// and its directory entry synced in the background.
	Roll *Roll

	// Entries that belong into the segment's indexes once the bytes are written.
	// At most one of each for a batch; most appends have none.
	Index []IndexEntry
	Time  []TimeEntry
}

// Roll is what closing a segment leaves behind.
type Roll struct {
	Closed    int64     // base offset of the segment that ends
	LastTime  TimeEntry // its last time index entry; Offset -1 for none
	Snapshot  []byte    // producer snapshot at the new segment's base offset (Kafka's .snapshot format)
	IndexMax  int       // segment.index.bytes of the new segment
	Timestamp int64     // wall time of the roll in ms
}

// IndexEntry maps an offset to the position of the batch that holds it. As in
// Kafka, the offset is the LAST one of that batch.
type IndexEntry struct {
	Offset   int64
	Position int64
}

// TimeEntry says that Timestamp is the largest one up to and including Offset.
type TimeEntry struct {
	Timestamp int64
	Offset    int64
}

// DoneKind is the kind of a Done.
type DoneKind uint8

const (
	// Written: every byte below UpTo is in its segment file, readable.
	Written DoneKind = iota + 1
	// Durable: every byte below UpTo was covered by a sync that began after its write.
	Durable
	// Truncated: the cut at UpTo is durable; offsets from UpTo on may be used again.
	Truncated
	// LogStarted: the log start UpTo is durable.
	LogStarted
	// Failed: the append at offset UpTo, and every order of this replica after
	// it, was not carried out. Class says why and what follows.
	Failed
)

// FailureClass says what a failed write or sync means.
type FailureClass uint8

const (
	// ClassNoSpace: the files were cut back to UpTo; appends are refused until OpResume.
	ClassNoSpace FailureClass = iota + 1
	// ClassOffline: the log directory is lost to this process (failed sync, I/O error).
	ClassOffline
)

// Done is the worker's answer. Answers of one replica arrive in order.
type Done struct {
	Kind  DoneKind
	UpTo  int64
	Class FailureClass // Failed only
	Err   error        // Failed only
	// Last is, for the Truncated of an OpTruncate, the segment that is the last
	// one now, as it is; UpTo is where it ends.
	Last *Segment
}

// ReadPlan is what a machine allows a fetch to read; the I/O side looks the
// positions up and sends the bytes.
type ReadPlan struct {
	From     int64 // first offset wanted; within [log start, UpTo)
	UpTo     int64 // nothing at or above is read (high watermark, LSO or LEO)
	MaxBytes int   // of batches; the first batch may exceed it when AtLeastOne
	// AtLeastOne lets one batch larger than MaxBytes through, so that a
	// consumer gets on.
	AtLeastOne bool
	// Start and End are positions that the machine already knows for From's
	// batch and for UpTo (recent appends); a Segment below zero means: look it up.
	Start, End Position
}

// Position is a place in a segment's .log file.
type Position struct {
	Segment int64 // base offset, or -1
	Byte    int64
}

// Unknown is the position that has to be looked up.
func Unknown() Position { return Position{Segment: -1} }
