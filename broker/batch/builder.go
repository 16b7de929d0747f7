package batch

import (
	"fmt"
	"math"

	"github.com/moldau/moldau/internal/invariant"
)

// Producer is an idempotent or transactional producer's place in its sequence.
type Producer struct {
	ID           int64
	Epoch        int16
	BaseSequence int32
}

// BuilderOptions are the parts of a batch that do not follow from its records.
// The zero value is a plain uncompressed batch at offset 0, leader epoch 0.
type BuilderOptions struct {
	BaseOffset    int64
	LeaderEpoch   int32
	Compression   Compression
	Producer      *Producer // nil: none
	Transactional bool
	Control       bool
	// TimestampType LogAppendTime gives all records the AppendTime (wall ms).
	TimestampType TimestampType
	AppendTime    int64
}

// NewRecord is a record to be encoded.
type NewRecord struct {
	Timestamp int64 // wall ms; NoTimestamp is allowed
	Key       []byte
	Value     []byte // nil: a tombstone
	Headers   []RecordHeader
}

// Builder encodes one batch after the other. It is not safe for concurrent
// use; its memory is kept from batch to batch. The zero Builder is a plain
// uncompressed batch; Reset sets the options.
type Builder struct {
	opts          BuilderOptions
	buf           []byte // header's room, then records
	count         int32
	lastDelta     int32
	baseTimestamp int64
	maxTimestamp  int64
}

// NewBuilder begins a batch.
func NewBuilder(opts BuilderOptions) *Builder {
	b := new(Builder)
	b.Reset(opts)
	return b
}

// Reset begins a new batch, dropping what was not built.
func (b *Builder) Reset(opts BuilderOptions) {
	*b = Builder{opts: opts, buf: b.buf[:0]}
}

// Count is the number of records appended so far.
func (b *Builder) Count() int32 { return b.count }

// Size is what the batch takes uncompressed, in bytes, with the records so far.
func (b *Builder) Size() int { return max(len(b.buf), HeaderSize) }

// SizeWith is what Size would be after Append(r).
func (b *Builder) SizeWith(r NewRecord) int {
	n := b.bodySize(r, b.nextDelta())
	return b.Size() + varintLen(int64(n)) + n
}

// Append adds a record with the next offset. It copies r's bytes. The error
// says that the batch would pass the format's limit of 2^31-1 bytes.
func (b *Builder) Append(r NewRecord) error { return b.AppendAt(b.nextDelta(), r) }

// AppendAt adds a record at the given offset delta, which is greater than the
// one before: compacted logs have gaps.
func (b *Builder) AppendAt(delta int32, r NewRecord) error {
	if delta < b.nextDelta() {
		return fmt.Errorf("record at offset delta %d after %d", delta, b.lastDelta)
	}
	if b.count == 0 {
		b.begin(r.Timestamp)
	}
	size := b.bodySize(r, delta)
	if size > math.MaxInt32-LogOverhead-varintLenMax-len(b.buf) {
		return fmt.Errorf("record of %d bytes after %d bytes of batch: beyond the format's limit", size, len(b.buf))
	}
	out := appendVarint(b.buf, int64(size))
	out = append(out, 0)
	out = appendVarint(out, r.Timestamp-b.baseTimestamp)
	out = appendVarint(out, int64(delta))
	out = appendNullable(out, r.Key)
	out = appendNullable(out, r.Value)
	out = appendVarint(out, int64(len(r.Headers)))
	for _, h := range r.Headers {
		out = append(appendVarint(out, int64(len(h.Key))), h.Key...)
		out = appendNullable(out, h.Value)
	}
	b.buf = out
	b.maxTimestamp = max(b.maxTimestamp, r.Timestamp)
	b.count++
	b.lastDelta = delta
	return nil
}

func (b *Builder) begin(timestamp int64) {
	if cap(b.buf) < HeaderSize {
		b.buf = make([]byte, HeaderSize, 4*HeaderSize)
	}
	b.buf = b.buf[:HeaderSize]
	b.baseTimestamp, b.maxTimestamp = timestamp, timestamp
}

func (b *Builder) nextDelta() int32 {
	if b.count == 0 {
		return 0
	}
	return b.lastDelta + 1
}

func (b *Builder) bodySize(r NewRecord, delta int32) int {
	base := b.baseTimestamp
	if b.count == 0 {
		base = r.Timestamp
	}
	n := 1 + varintLen(r.Timestamp-base) + varintLen(int64(delta)) + nullableLen(r.Key) + nullableLen(r.Value)
	n += varintLen(int64(len(r.Headers)))
	for _, h := range r.Headers {
		n += varintLen(int64(len(h.Key))) + len(h.Key) + nullableLen(h.Value)
	}
	return n
}

func appendNullable(b, v []byte) []byte {
	if v == nil {
		return appendVarint(b, -1)
	}
	return append(appendVarint(b, int64(len(v))), v...)
}

func nullableLen(v []byte) int {
	if v == nil {
		return 1
	}
	return varintLen(int64(len(v))) + len(v)
}

// Build ends the batch and returns it in memory of its own, which the caller
// owns. codecs may be nil when the batch is not compressed. The Builder wants
// a Reset before its next batch. A batch without a record is an error.
func (b *Builder) Build(codecs *Codecs) ([]byte, error) {
	if b.count == 0 {
		return nil, fmt.Errorf("batch at offset %d has no records", b.opts.BaseOffset)
	}
	if err := b.opts.Compression.Validate(); err != nil {
		return nil, err
	}
	out := make([]byte, HeaderSize, len(b.buf))
	if b.opts.Compression.Codec == CodecNone {
		out = append(out, b.buf[HeaderSize:]...)
	} else {
		invariant.Check(codecs != nil, "compressed batch at offset %d without codecs", b.opts.BaseOffset)
		var err error
		if out, err = codecs.AppendCompressed(out, b.buf[HeaderSize:], b.opts.Compression); err != nil {
			return nil, err
		}
	}
	h := b.header(len(out))
	h.put(out)
	h.CRC = checksum(out)
	h.put(out)
	return out, nil
}

func (b *Builder) header(size int) Header {
	h := Header{
		BaseOffset: b.opts.BaseOffset, Length: int32(size - LogOverhead), LeaderEpoch: b.opts.LeaderEpoch,
		Magic: magicV2, Attributes: Attributes(b.opts.Compression.Codec), LastOffsetDelta: b.lastDelta,
		BaseTimestamp: b.baseTimestamp, MaxTimestamp: b.maxTimestamp,
		ProducerID: NoProducerID, ProducerEpoch: NoProducerEpoch, BaseSequence: NoSequence, Count: b.count,
	}
	if p := b.opts.Producer; p != nil {
		h.ProducerID, h.ProducerEpoch, h.BaseSequence = p.ID, p.Epoch, p.BaseSequence
	}
	if b.opts.Transactional {
		h.Attributes |= attrTransactional
	}
	if b.opts.Control {
		h.Attributes |= attrControl
	}
	if b.opts.TimestampType == LogAppendTime {
		h.Attributes |= attrLogAppendTime
		h.MaxTimestamp = b.opts.AppendTime
	}
	return h
}
