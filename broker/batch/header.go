package batch

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Sizes and positions of the header, in bytes.
const (
	// HeaderSize is the size of a batch without records.
	HeaderSize = 61
	// LogOverhead is what the Length field does not count: itself and the base offset.
	LogOverhead = 12

	lengthAt          = 8
	leaderEpochAt     = 12
	magicAt           = 16
	crcAt             = 17
	attributesAt      = 21
	lastOffsetDeltaAt = 23
	baseTimestampAt   = 27
	maxTimestampAt    = 35
	producerIDAt      = 43
	producerEpochAt   = 51
	baseSequenceAt    = 53
	countAt           = 57

	magicV2   = 2
	lengthMin = HeaderSize - LogOverhead
)

// Absent values.
const (
	NoTimestamp     int64 = -1
	NoProducerID    int64 = -1
	NoProducerEpoch int16 = -1
	NoSequence      int32 = -1
	NoLeaderEpoch   int32 = -1
)

// Header is a batch's header.
type Header struct {
	BaseOffset      int64
	Length          int32 // bytes after the length field
	LeaderEpoch     int32
	Magic           int8
	CRC             uint32
	Attributes      Attributes
	LastOffsetDelta int32
	BaseTimestamp   int64 // ms; the delete horizon where Attributes say so
	MaxTimestamp    int64 // ms
	ProducerID      int64
	ProducerEpoch   int16
	BaseSequence    int32
	Count           int32 // records; less than LastOffsetDelta+1 after compaction
}

// Size is the whole batch in bytes.
func (h *Header) Size() int { return int(h.Length) + LogOverhead }

// LastOffset is the offset of the last record (or of where it was before compaction).
func (h *Header) LastOffset() int64 { return h.BaseOffset + int64(h.LastOffsetDelta) }

// NextOffset is one past LastOffset.
func (h *Header) NextOffset() int64 { return h.LastOffset() + 1 }

// Codec is the compression of the records.
func (h *Header) Codec() Codec { return h.Attributes.Codec() }

// TimestampType says whose time the records carry.
func (h *Header) TimestampType() TimestampType { return h.Attributes.TimestampType() }

// IsTransactional reports whether the batch belongs to a transaction.
func (h *Header) IsTransactional() bool { return h.Attributes&attrTransactional != 0 }

// IsControl reports whether the batch holds a control record.
func (h *Header) IsControl() bool { return h.Attributes&attrControl != 0 }

// DeleteHorizon is when the cleaner may drop the batch's tombstones or marker
// (wall ms), and whether one is set.
func (h *Header) DeleteHorizon() (int64, bool) {
	return h.BaseTimestamp, h.Attributes&attrDeleteHorizon != 0
}

// HasProducer reports whether the batch comes from an idempotent or transactional producer.
func (h *Header) HasProducer() bool { return h.ProducerID > NoProducerID }

// LastSequence is the sequence number of the last record; after 2^31-1 comes 0.
// It is NoSequence without a sequence.
func (h *Header) LastSequence() int32 {
	if h.BaseSequence == NoSequence {
		return NoSequence
	}
	return AddSequence(h.BaseSequence, h.LastOffsetDelta)
}

// AddSequence is the sequence number n records after seq; after 2^31-1 comes 0.
func AddSequence(seq, n int32) int32 {
	if seq > math.MaxInt32-n {
		return n - (math.MaxInt32 - seq) - 1
	}
	return seq + n
}

// String is one line for people.
func (h *Header) String() string {
	return fmt.Sprintf("batch %d..%d epoch %d %s %d bytes", h.BaseOffset, h.LastOffset(), h.LeaderEpoch, h.Codec(), h.Size())
}

// ParseHeader reads the header at the front of b, which may hold no more than
// that. It checks the magic, the codec and that lengths and counts are
// possible; not the checksum, and not the records. Errors: ErrPartial when b
// is shorter than a header, ErrMagic, ErrCodec, ErrCorrupt.
func ParseHeader(b []byte) (Header, error) {
	if len(b) > magicAt && int8(b[magicAt]) != magicV2 {
		return Header{}, fmt.Errorf("%w: magic %d", ErrMagic, int8(b[magicAt]))
	}
	if len(b) < HeaderSize {
		return Header{}, fmt.Errorf("%w: %d of %d header bytes", ErrPartial, len(b), HeaderSize)
	}
	h := readHeader(b)
	return h, h.check()
}

func (h *Header) check() error {
	switch {
	case h.Length < lengthMin:
		return corrupt("length %d is below the minimum of %d", h.Length, lengthMin)
	case h.Length > math.MaxInt32-LogOverhead:
		return corrupt("length %d is beyond the maximum", h.Length)
	case h.LastOffsetDelta < 0:
		return corrupt("last offset delta %d", h.LastOffsetDelta)
	case h.Count < 0:
		return corrupt("record count %d", h.Count)
	case !h.Codec().Valid():
		return fmt.Errorf("%w: %d", ErrCodec, int8(h.Codec()))
	}
	return nil
}

// readHeader reads the fields. REQUIRES: len(b) >= HeaderSize.
func readHeader(b []byte) Header {
	_ = b[HeaderSize-1]
	be := binary.BigEndian
	return Header{
		BaseOffset:      int64(be.Uint64(b[0:])),
		Length:          int32(be.Uint32(b[lengthAt:])),
		LeaderEpoch:     int32(be.Uint32(b[leaderEpochAt:])),
		Magic:           int8(b[magicAt]),
		CRC:             be.Uint32(b[crcAt:]),
		Attributes:      Attributes(be.Uint16(b[attributesAt:])),
		LastOffsetDelta: int32(be.Uint32(b[lastOffsetDeltaAt:])),
		BaseTimestamp:   int64(be.Uint64(b[baseTimestampAt:])),
		MaxTimestamp:    int64(be.Uint64(b[maxTimestampAt:])),
		ProducerID:      int64(be.Uint64(b[producerIDAt:])),
		ProducerEpoch:   int16(be.Uint16(b[producerEpochAt:])),
		BaseSequence:    int32(be.Uint32(b[baseSequenceAt:])),
		Count:           int32(be.Uint32(b[countAt:])),
	}
}

// put writes the fields. REQUIRES: len(b) >= HeaderSize.
func (h *Header) put(b []byte) {
	_ = b[HeaderSize-1]
	be := binary.BigEndian
	be.PutUint64(b[0:], uint64(h.BaseOffset))
	be.PutUint32(b[lengthAt:], uint32(h.Length))
	be.PutUint32(b[leaderEpochAt:], uint32(h.LeaderEpoch))
	b[magicAt] = byte(h.Magic)
	be.PutUint32(b[crcAt:], h.CRC)
	be.PutUint16(b[attributesAt:], uint16(h.Attributes))
	be.PutUint32(b[lastOffsetDeltaAt:], uint32(h.LastOffsetDelta))
	be.PutUint64(b[baseTimestampAt:], uint64(h.BaseTimestamp))
	be.PutUint64(b[maxTimestampAt:], uint64(h.MaxTimestamp))
	be.PutUint64(b[producerIDAt:], uint64(h.ProducerID))
	be.PutUint16(b[producerEpochAt:], uint16(h.ProducerEpoch))
	be.PutUint32(b[baseSequenceAt:], uint32(h.BaseSequence))
	be.PutUint32(b[countAt:], uint32(h.Count))
}

// Next takes the first whole batch off b: its header, its bytes, and what
// follows. The error is ErrPartial when b ends within it (an empty b included),
// otherwise as ParseHeader's. The checksum is not looked at.
func Next(b []byte) (h Header, batchBytes, rest []byte, err error) {
	if h, err = ParseHeader(b); err != nil {
		return h, nil, b, err
	}
	size := h.Size()
	if size > len(b) {
		return h, nil, b, fmt.Errorf("%w: %d of %d bytes at offset %d", ErrPartial, len(b), size, h.BaseOffset)
	}
	return h, b[:size:size], b[size:], nil
}
