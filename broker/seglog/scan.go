package seglog

import (
	"fmt"
)

// Scanner is the judgement of recovery: it is shown the batches of a log in
// order, from the recovery point on, and says at which one the log has to be
// cut. It computes what the indexes, the epochs and the producers are after
// the batches that stay. It reads nothing itself.
type Scanner struct{}

// ScanConfig is where a scan begins.
type ScanConfig struct {
	Next          int64        // offset that the first batch must have
	IndexInterval int64        // index.interval.bytes
	Epochs        []EpochStart // the leader-epoch file, entries above Next included
	Producers     *ProducerTable
	Gaps          bool // offsets may be missing: a compacted log
	PreviousEpoch int32
}

// Scanned is what follows from one batch.
type Scanned struct {
	Index                         IndexEntry // valid if HasIndex: an entry for the segment's .index
	Time                          TimeEntry
	Aborted                       AbortedTxn
	HasIndex, HasTime, HasAborted bool
}

// CutReason says why a log is cut at a batch.
type CutReason uint8

const (
	CutNone CutReason = iota
	CutTorn
	CutChecksum
	CutMagic
	CutGap
	CutEpochFell
	CutEpochContradicts
	CutHeader
)

// CutError is the first thing that failed.
type CutError struct {
	Reason   CutReason
	Segment  int64
	Position int64 // bytes of the segment that stay
	Offset   int64 // the log's end
	Detail   string
}

func (e *CutError) Error() string { return fmt.Sprintf("cut at %d", e.Offset) }

// NewScanner begins a scan.
func NewScanner(cfg ScanConfig) *Scanner { return &Scanner{} }

// Begin goes on with the segment seg, of which seg.Size bytes are known to be good.
func (s *Scanner) Begin(seg Segment) error { return nil }

// Batch judges the next batch. crcOK is the result of checking its checksum,
// magic the header's.
func (s *Scanner) Batch(b *Batch, magic int8, crcOK bool) (Scanned, error) { return Scanned{}, nil }

// Segment is the segment as scanned so far.
func (s *Scanner) Segment() Segment { return Segment{} }

// Next is the offset after the last batch that stays.
func (s *Scanner) Next() int64 { return 0 }

// Epochs are the epochs up to Next.
func (s *Scanner) Epochs() []EpochStart { return nil }
