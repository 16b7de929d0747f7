package seglog

import (
	"encoding/binary"
	"fmt"

	"github.com/moldau/moldau/broker/batch"
)

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

// BatchOf describes a batch that is no control batch by its header; of a
// control batch it leaves the marker out.
func BatchOf(h *batch.Header) Batch {
	return Batch{
		BaseOffset:      h.BaseOffset,
		LeaderEpoch:     h.LeaderEpoch,
		LastOffsetDelta: h.LastOffsetDelta,
		Size:            int64(h.Size()),
		MaxTimestamp:    h.MaxTimestamp,
		AppendTime:      h.TimestampType() == batch.LogAppendTime,
		ProducerID:      h.ProducerID,
		ProducerEpoch:   h.ProducerEpoch,
		BaseSequence:    h.BaseSequence,
		Transactional:   h.IsTransactional(),
		Control:         h.IsControl(),
	}
}

// ReadBatch describes the batch with the header h and the bytes b, the marker
// of a control batch included. Control batches are never compressed.
func ReadBatch(h *batch.Header, b []byte) (Batch, error) {
	d := BatchOf(h)
	if !d.Control {
		return d, nil
	}
	if h.Codec() != batch.CodecNone || len(b) < batch.HeaderSize {
		return d, fmt.Errorf("control batch at offset %d: codec %s, %d bytes", h.BaseOffset, h.Codec(), len(b))
	}
	records := batch.Records(*h, b[batch.HeaderSize:])
	record, ok, err := records.Next()
	if err != nil {
		return d, fmt.Errorf("control batch at offset %d: %w", h.BaseOffset, err)
	}
	if !ok {
		return d, nil // a marker whose transaction was cleaned away
	}
	return d, d.readMarker(record.Key, record.Value)
}

// readMarker takes the marker from a control record: key {version i16, type
// i16}, value {version i16, coordinator epoch i32}.
func (d *Batch) readMarker(key, value []byte) error {
	if len(key) < 4 {
		return fmt.Errorf("control record at offset %d: key of %d bytes", d.BaseOffset, len(key))
	}
	switch binary.BigEndian.Uint16(key[2:]) {
	case 0:
		d.Marker = MarkerAbort
	case 1:
		d.Marker = MarkerCommit
	default:
		return nil
	}
	if len(value) < 6 {
		return fmt.Errorf("end of transaction at offset %d: value of %d bytes", d.BaseOffset, len(value))
	}
	d.CoordinatorEpoch = int32(binary.BigEndian.Uint32(value[2:]))
	return nil
}

// LastOffset is the offset of the batch's last record.
func (b *Batch) LastOffset() int64 { return b.BaseOffset + int64(b.LastOffsetDelta) }

// LastSequence is the sequence number of the batch's last record, which wraps
// to 0 after the greatest int32; -1 without sequence numbers.
func (b *Batch) LastSequence() int32 {
	if b.BaseSequence < 0 {
		return batch.NoSequence
	}
	return batch.AddSequence(b.BaseSequence, b.LastOffsetDelta)
}
