package metarecord

import (
	"encoding/binary"
	"fmt"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/internal/invariant"
)

// A checkpoint file is a snapshot in the form of a log:
//
//	offset 0          1 ...                        last
//	+----------------+----------------------------+----------------+
//	| control batch: | data batches: the records  | control batch: |
//	| SnapshotHeader | of the image               | SnapshotFooter |
//	+----------------+----------------------------+----------------+
//
// All batches carry the epoch of the file's name. The offsets are the file's
// own; what it stands for says the name.

// Control record types of Kafka's metadata log.
const (
	controlSnapshotHeader = 3
	controlSnapshotFooter = 4
	controlKRaftVersion   = 5 // KIP-853; skipped
	controlKRaftVoters    = 6 // KIP-853; skipped
)

// checkpointBatchBytes is the size at which a data batch of a checkpoint ends.
const checkpointBatchBytes = 256 << 10

// CheckpointName is the file name of the checkpoint that contains the records
// below endOffset, the last of which has the epoch.
func CheckpointName(endOffset int64, epoch int32) string {
	return fmt.Sprintf("%020d-%010d.checkpoint", endOffset, epoch)
}

// ParseCheckpointName is the inverse of CheckpointName; ok is false for other names.
func ParseCheckpointName(name string) (endOffset int64, epoch int32, ok bool) {
	const digits = 20 + 1 + 10
	if len(name) != digits+len(".checkpoint") {
		return 0, 0, false
	}
	if n, err := fmt.Sscanf(name, "%020d-%010d.checkpoint", &endOffset, &epoch); n != 2 || err != nil {
		return 0, 0, false
	}
	return endOffset, epoch, endOffset >= 0 && epoch >= 0 && CheckpointName(endOffset, epoch) == name
}

// CheckpointEncoder makes a checkpoint piece by piece: what Add and Finish
// return are the file's bytes in order.
type CheckpointEncoder struct {
	epoch           int32
	timestamp       int64
	metadataVersion int16
	next            int64 // offset of the next batch
	builder         *batch.Builder
	value           []byte
}

// NewCheckpointEncoder begins a checkpoint. timestamp, in wall ms, is that of
// the last record contained; metadataVersion is the image's, 0 for none.
func NewCheckpointEncoder(epoch int32, timestamp int64, metadataVersion int16) *CheckpointEncoder {
	if metadataVersion == 0 {
		metadataVersion = anyLevel
	}
	return &CheckpointEncoder{epoch: epoch, timestamp: timestamp, metadataVersion: metadataVersion}
}

// Add takes one record and appends to dst what is complete, mostly nothing.
func (e *CheckpointEncoder) Add(dst []byte, r Record) ([]byte, error) {
	dst = e.begin(dst)
	var err error
	if e.value, err = EncodeAt(e.value[:0], r, e.metadataVersion); err != nil {
		return dst, err
	}
	rec := batch.NewRecord{Timestamp: e.timestamp, Value: e.value}
	if e.builder.Count() > 0 && e.builder.SizeWith(rec) > checkpointBatchBytes {
		dst = e.flush(dst)
	}
	return dst, e.builder.Append(rec)
}

// Finish appends the rest. The encoder must not be used any more.
func (e *CheckpointEncoder) Finish(dst []byte) []byte {
	dst = e.flush(e.begin(dst))
	footer := binary.BigEndian.AppendUint16(nil, 0)
	return e.control(dst, controlSnapshotFooter, append(footer, 0))
}

func (e *CheckpointEncoder) begin(dst []byte) []byte {
	if e.builder != nil {
		return dst
	}
	header := binary.BigEndian.AppendUint16(nil, 0)
	header = binary.BigEndian.AppendUint64(header, uint64(e.timestamp))
	dst = e.control(dst, controlSnapshotHeader, append(header, 0))
	e.builder = batch.NewBuilder(batch.BuilderOptions{BaseOffset: e.next, LeaderEpoch: e.epoch})
	return dst
}

func (e *CheckpointEncoder) control(dst []byte, typ uint16, value []byte) []byte {
	b := batch.NewBuilder(batch.BuilderOptions{BaseOffset: e.next, LeaderEpoch: e.epoch, Control: true})
	key := binary.BigEndian.AppendUint16([]byte{0, 0}, typ)
	err := b.Append(batch.NewRecord{Timestamp: e.timestamp, Key: key, Value: value})
	invariant.Check(err == nil, "control record: %v", err)
	e.next++
	return append(dst, build(b)...)
}

func (e *CheckpointEncoder) flush(dst []byte) []byte {
	if n := e.builder.Count(); n > 0 {
		dst = append(dst, build(e.builder)...)
		e.next += int64(n)
	}
	e.builder.Reset(batch.BuilderOptions{BaseOffset: e.next, LeaderEpoch: e.epoch})
	return dst
}

func build(b *batch.Builder) []byte {
	bytes, err := b.Build(nil)
	invariant.Check(err == nil, "build an uncompressed batch: %v", err)
	return bytes
}

// CheckpointInfo is what a checkpoint says of itself.
type CheckpointInfo struct {
	Timestamp int64 // wall ms, of the last record contained
	Epoch     int32 // of its batches
}

// DecodeCheckpoint reads a whole checkpoint file and calls visit for each
// record. Any deviation is an error: a missing header or footer, bytes after
// the footer, a gap, a bad checksum, an unknown record. Errors are of class
// ErrCorrupt or ErrTooNew, or visit's.
func DecodeCheckpoint(file []byte, visit func(Record) error) (CheckpointInfo, error) {
	d := checkpointDecoder{codecs: NewCodecs(), visit: visit}
	for len(file) > 0 {
		h, whole, rest, err := nextChecked(file)
		if err != nil {
			return CheckpointInfo{}, fmt.Errorf("checkpoint after offset %d: %w: %w", d.next-1, ErrCorrupt, err)
		}
		if err := d.batch(h, whole); err != nil {
			return CheckpointInfo{}, fmt.Errorf("checkpoint: %w", err)
		}
		file = rest
	}
	if !d.footer {
		return CheckpointInfo{}, fmt.Errorf("checkpoint without footer: %w", ErrCorrupt)
	}
	return d.info, nil
}

type checkpointDecoder struct {
	info           CheckpointInfo
	codecs         *batch.Codecs
	visit          func(Record) error
	next           int64
	header, footer bool
}

func (d *checkpointDecoder) batch(h batch.Header, whole []byte) error {
	if d.footer {
		return fmt.Errorf("batch at offset %d after the footer: %w", h.BaseOffset, ErrCorrupt)
	}
	if h.BaseOffset != d.next {
		return fmt.Errorf("offset %d where %d comes next: %w", h.BaseOffset, d.next, ErrCorrupt)
	}
	if !d.header {
		d.info.Epoch = h.LeaderEpoch
	}
	return eachRecord(h, whole, d.codecs, func(r batch.Record) error {
		if r.Offset != d.next {
			return fmt.Errorf("offset %d where %d comes next: %w", r.Offset, d.next, ErrCorrupt)
		}
		d.next++
		if h.IsControl() {
			return d.control(r)
		}
		if !d.header || d.footer {
			return fmt.Errorf("record at offset %d outside header and footer: %w", r.Offset, ErrCorrupt)
		}
		rec, err := Decode(r.Value)
		if err != nil {
			return fmt.Errorf("offset %d: %w", r.Offset, err)
		}
		return d.visit(rec)
	})
}

func (d *checkpointDecoder) control(r batch.Record) error {
	if len(r.Key) != 4 || len(r.Value) < 2 || d.footer {
		return fmt.Errorf("bad control record at offset %d: %w", r.Offset, ErrCorrupt)
	}
	typ := binary.BigEndian.Uint16(r.Key[2:])
	if isHeader := typ == controlSnapshotHeader; isHeader == d.header {
		return fmt.Errorf("control record %d at offset %d: %w", typ, r.Offset, ErrCorrupt)
	}
	version := binary.BigEndian.Uint16(r.Value)
	switch typ {
	case controlSnapshotHeader:
		if version != 0 {
			return fmt.Errorf("snapshot header version %d: %w", version, ErrTooNew)
		}
		if len(r.Value) < 10 {
			return fmt.Errorf("snapshot header of %d bytes: %w", len(r.Value), ErrCorrupt)
		}
		d.header = true
		d.info.Timestamp = int64(binary.BigEndian.Uint64(r.Value[2:]))
	case controlSnapshotFooter:
		if version != 0 {
			return fmt.Errorf("snapshot footer version %d: %w", version, ErrTooNew)
		}
		d.footer = true
	case controlKRaftVersion, controlKRaftVoters:
	default:
		return fmt.Errorf("control record %d at offset %d: %w", typ, r.Offset, ErrTooNew)
	}
	return nil
}
