package metarecord

import (
	"errors"
	"fmt"
	"math"

	"github.com/moldau/moldau/broker/batch"
)

// Bounds of one batch of metadata records. A change that passes one of them
// is bracketed by transaction records and written as several batches.
const (
	BatchBytesMax   = 512 << 10 // encoded values with their overhead, in bytes
	BatchRecordsMax = 10_000    // records
)

// decompressedBytesMax bounds a batch of another writer, in bytes. Kafka and
// Moldau write metadata uncompressed.
const decompressedBytesMax = 16 << 20

// recordOverheadMax is what a record takes in a batch beside its value.
const recordOverheadMax = 24

// Batch is a record batch of __cluster_metadata: values only, null keys,
// uncompressed.
type Batch struct {
	BaseOffset int64
	Epoch      int32 // the partition leader epoch of the batch: the raft term
	Timestamp  int64 // wall ms, of all records
	Control    bool  // a control batch of the log; Records is empty
	LastOffset int64 // of the last record; set by decoding only
	Records    []Record
}

// anyLevel stands for a metadata.version before one is finalized.
const anyLevel = math.MaxInt16

// EncodeBatch is b as bytes, in memory of its own. Records are written in the
// versions of the finalized metadataVersion, or in their newest versions where
// that is 0: before the bootstrap records, no level is finalized.
func EncodeBatch(b Batch, metadataVersion int16) ([]byte, error) {
	if metadataVersion == 0 {
		metadataVersion = anyLevel
	}
	builder := batch.NewBuilder(batch.BuilderOptions{BaseOffset: b.BaseOffset, LeaderEpoch: b.Epoch})
	var value []byte
	for _, r := range b.Records {
		var err error
		if value, err = EncodeAt(value[:0], r, metadataVersion); err != nil {
			return nil, err
		}
		if err = builder.Append(batch.NewRecord{Timestamp: b.Timestamp, Value: value}); err != nil {
			return nil, fmt.Errorf("metadata batch at offset %d: %w", b.BaseOffset, err)
		}
	}
	bytes, err := builder.Build(nil)
	if err != nil {
		return nil, fmt.Errorf("metadata batch at offset %d: %w", b.BaseOffset, err)
	}
	return bytes, nil
}

// SizeOf bounds from above what r takes in a batch, in bytes.
func SizeOf(r Record) int { return new(Sizer).SizeOf(r) }

// Sizer is SizeOf for many records, with memory that it keeps between them.
type Sizer struct{ buf []byte }

// SizeOf bounds from above what r takes in a batch, in bytes.
func (s *Sizer) SizeOf(r Record) int {
	s.buf = Encode(s.buf[:0], r, r.Type().MaxVersion())
	return len(s.buf) + recordOverheadMax
}

// DecodeBatch takes the first batch off bytes and checks its checksum. The
// error is of class ErrPartial of package batch when bytes end within it.
func DecodeBatch(bytes []byte, codecs *batch.Codecs) (b Batch, rest []byte, err error) {
	h, whole, rest, err := nextChecked(bytes)
	if err != nil {
		return Batch{}, nil, err
	}
	b = Batch{BaseOffset: h.BaseOffset, Epoch: h.LeaderEpoch, Timestamp: h.MaxTimestamp, Control: h.IsControl(), LastOffset: h.LastOffset()}
	if b.Control {
		return b, rest, nil
	}
	err = eachRecord(h, whole, codecs, func(r batch.Record) error {
		if r.Offset != b.BaseOffset+int64(len(b.Records)) {
			return fmt.Errorf("gap before offset %d: %w", r.Offset, ErrCorrupt)
		}
		rec, err := Decode(r.Value)
		if err != nil {
			return fmt.Errorf("metadata offset %d: %w", r.Offset, err)
		}
		b.Records = append(b.Records, rec)
		return nil
	})
	if err != nil {
		return Batch{}, nil, err
	}
	return b, rest, nil
}

// NewCodecs makes what DecodeBatch and DecodeCheckpoint need, one per goroutine.
func NewCodecs() *batch.Codecs {
	return batch.NewCodecs(batch.Limits{MaxDecompressed: decompressedBytesMax})
}

func nextChecked(bytes []byte) (h batch.Header, whole, rest []byte, err error) {
	h, whole, rest, err = batch.Next(bytes)
	if err == nil {
		err = batch.CheckCRC(whole)
	}
	if err != nil && !errors.Is(err, batch.ErrPartial) {
		err = fmt.Errorf("metadata batch: %w: %w", ErrCorrupt, err)
	}
	return h, whole, rest, err
}

func eachRecord(h batch.Header, whole []byte, codecs *batch.Codecs, visit func(batch.Record) error) error {
	body, err := codecs.Body(h, whole)
	if err != nil {
		return fmt.Errorf("metadata batch at offset %d: %w: %w", h.BaseOffset, ErrCorrupt, err)
	}
	it := batch.Records(h, body)
	for {
		r, more, err := it.Next()
		if err != nil {
			return fmt.Errorf("metadata batch at offset %d: %w: %w", h.BaseOffset, ErrCorrupt, err)
		}
		if !more {
			return nil
		}
		if err := visit(r); err != nil {
			return err
		}
	}
}
