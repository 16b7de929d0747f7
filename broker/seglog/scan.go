package seglog

import (
	"errors"
	"fmt"
	"sort"

	"github.com/moldau/moldau/broker/batch"
)

// Scanner is the judgement of recovery (section 5 of the replication contract):
// it is shown the batches of a log in order, from the recovery point on, and
// says at which one the log has to be cut. It computes what segments, index
// entries, epochs and producers are after the batches that stay. It reads no
// file itself.
//
// Invariant: everything below Next, in the segments begun so far, passed.
type Scanner struct {
	cfg     ScanConfig
	file    EpochCache // the leader-epoch file
	found   EpochCache // of the file what lies below the scan, and the batches' own
	epoch   int32      // of the last batch, -1 before the first
	next    int64
	segment Segment
}

// ScanConfig is where a scan begins.
type ScanConfig struct {
	Next          int64        // offset that the first batch must have
	IndexInterval int64        // index.interval.bytes
	Epochs        []EpochStart // the leader-epoch file, as it is
	// EpochsFrom is where the file begins to speak: below a log start its entries
	// are gone, or moved up to it.
	EpochsFrom int64
	// Producers is the table as it was at Next; the scan goes on with it. nil:
	// producers are not followed.
	Producers *ProducerTable
	// Gaps: offsets may be missing, in a log that was compacted.
	Gaps bool
}

// Scanned is what follows from one batch that stays.
type Scanned struct {
	Batch   Batch
	Index   IndexEntry // for the segment's .index, if HasIndex
	Time    TimeEntry  // for its .timeindex, if HasTime
	Aborted AbortedTxn // for its .txnindex, if HasAborted

	HasIndex, HasTime, HasAborted bool
}

// CutReason says why a log is cut.
type CutReason uint8

const (
	// CutTorn: the bytes end within a batch.
	CutTorn CutReason = iota + 1
	// CutHeader: the header is impossible.
	CutHeader
	// CutMagic: another message format than version 2, or no batch at all.
	CutMagic
	// CutChecksum: the CRC does not fit the bytes.
	CutChecksum
	// CutGap: the offset is not the one that follows.
	CutGap
	// CutEpochFell: the leader epoch is below that of the batch before.
	CutEpochFell
	// CutEpochContradicts: the leader-epoch file names another epoch there.
	CutEpochContradicts
)

func (r CutReason) String() string {
	names := [...]string{"", "torn", "header", "magic", "checksum", "gap", "epoch-fell", "epoch-contradicts"}
	return names[r]
}

// CutError is the first thing that failed, and where the log ends before it.
type CutError struct {
	Reason   CutReason
	Offset   int64 // the log's end
	Segment  int64 // base offset of the segment that the end lies in
	Position int64 // bytes of it that stay
	Detail   string
}

func (e *CutError) Error() string {
	return fmt.Sprintf("log ends at %d (segment %d, byte %d): %s: %s", e.Offset, e.Segment, e.Position, e.Reason, e.Detail)
}

// NewScanner begins a scan. Begin follows.
func NewScanner(cfg ScanConfig) *Scanner {
	file := NewEpochCache(cfg.Epochs)
	s := &Scanner{cfg: cfg, file: file, found: file.TruncateEnd(cfg.Next), next: cfg.Next}
	s.epoch = s.found.Latest().Epoch
	return s
}

// Begin goes on with the next segment: an empty one, or one that ends at Next
// and of which seg.Size bytes are known to be good.
func (s *Scanner) Begin(seg Segment) error {
	gap := seg.Base != s.next && seg.Size == 0 && !(s.cfg.Gaps && seg.Base > s.next)
	if gap || seg.Base > s.next && seg.Size > 0 {
		return s.cut(CutGap, "segment %d follows offset %d", seg.Base, s.next)
	}
	s.segment, s.next = seg, max(s.next, seg.Base)
	return nil
}

// Step judges the first batch of chunk, and says how many bytes it has. The
// error is a *CutError, or batch.ErrPartial when chunk ends within the batch:
// the caller shows more bytes, or, at the file's end, asks Torn.
func (s *Scanner) Step(chunk []byte) (Scanned, int, error) {
	h, b, _, err := batch.Next(chunk)
	switch {
	case errors.Is(err, batch.ErrPartial):
		return Scanned{}, 0, err
	case errors.Is(err, batch.ErrMagic):
		return Scanned{}, 0, s.cut(CutMagic, "%v", err)
	case err != nil:
		return Scanned{}, 0, s.cut(CutHeader, "%v", err)
	}
	if err := batch.CheckCRC(b); err != nil {
		return Scanned{}, 0, s.cut(CutChecksum, "%v", err)
	}
	d, err := ReadBatch(&h, b)
	if err != nil {
		return Scanned{}, 0, s.cut(CutHeader, "%v", err)
	}
	scanned, err := s.Batch(&d)
	return scanned, len(b), err
}

// Torn is the cut at Next because the file ends there within a batch.
func (s *Scanner) Torn(left int64) *CutError {
	return s.cut(CutTorn, "%d bytes are less than a batch", left)
}

// Batch judges the next batch by its description; its bytes have passed
// header, magic and checksum. The error is a *CutError.
func (s *Scanner) Batch(b *Batch) (Scanned, error) {
	if cut := s.judge(b); cut != nil {
		return Scanned{}, cut
	}
	r := Scanned{Batch: *b}
	r.Index, r.HasIndex, r.Time, r.HasTime = s.segment.place(b, s.cfg.IndexInterval)
	if s.cfg.Producers != nil {
		r.Aborted, r.HasAborted = s.cfg.Producers.Append(b)
	}
	if b.LeaderEpoch >= 0 {
		s.found = s.found.Assign(b.LeaderEpoch, b.BaseOffset)
	}
	s.epoch, s.next = b.LeaderEpoch, b.LastOffset()+1
	return r, nil
}

// judge is nil when the batch continues the log.
func (s *Scanner) judge(b *Batch) *CutError {
	switch {
	case b.BaseOffset < 0 || b.LastOffsetDelta < 0 || b.LastOffset() < b.BaseOffset || b.LastOffset()+1 < 0:
		return s.cut(CutHeader, "offset %d with delta %d", b.BaseOffset, b.LastOffsetDelta)
	case b.BaseOffset != s.next && !(s.cfg.Gaps && b.BaseOffset > s.next):
		return s.cut(CutGap, "batch at offset %d, want %d", b.BaseOffset, s.next)
	case b.LastOffset()-s.segment.Base > 1<<31-1:
		return s.cut(CutGap, "offset %d does not fit segment %d", b.LastOffset(), s.segment.Base)
	case b.LeaderEpoch < s.epoch:
		return s.cut(CutEpochFell, "batch at offset %d has leader epoch %d after %d", b.BaseOffset, b.LeaderEpoch, s.epoch)
	case !s.agrees(b):
		return s.cut(CutEpochContradicts, "batch at offsets %d to %d has leader epoch %d, against the leader-epoch file",
			b.BaseOffset, b.LastOffset(), b.LeaderEpoch)
	}
	return nil
}

// agrees reports whether the batch contradicts no entry of the leader-epoch
// file: between two entries it has the first one's epoch, before the first one
// a lower epoch, after the last one at least its epoch.
func (s *Scanner) agrees(b *Batch) bool {
	if b.BaseOffset < s.cfg.EpochsFrom {
		return true
	}
	entries := s.file.Entries()
	i := sort.Search(len(entries), func(i int) bool { return entries[i].Offset > b.BaseOffset })
	if i < len(entries) && b.LastOffset() >= entries[i].Offset {
		return false // it reaches into the next epoch
	}
	switch {
	case len(entries) == 0:
		return true
	case i == 0:
		return b.LeaderEpoch < entries[0].Epoch
	case i == len(entries):
		return b.LeaderEpoch >= entries[i-1].Epoch
	}
	return b.LeaderEpoch == entries[i-1].Epoch
}

func (s *Scanner) cut(reason CutReason, format string, args ...any) *CutError {
	return &CutError{
		Reason: reason, Offset: s.next, Segment: s.segment.Base, Position: s.segment.Size, Detail: fmt.Sprintf(format, args...),
	}
}

// Segment is the current segment as scanned so far.
func (s *Scanner) Segment() Segment { return s.segment }

// Next is the offset after the last batch that stays.
func (s *Scanner) Next() int64 { return s.next }

// LastEpoch is the leader epoch of the last batch that stays, -1 without one.
func (s *Scanner) LastEpoch() int32 { return s.epoch }

// Epochs are the leader epochs of what lies below Next. Entries of the file at
// or above it are gone: their batches are, or never were.
func (s *Scanner) Epochs() []EpochStart { return s.found.Entries() }
