package batch

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/moldau/moldau/broker/kafka"
)

const zstdProduceVersionMin = 7

// Validate checks raw, the records of one partition in a Produce request, as
// Kafka's leader does before it appends them: exactly one batch, made by a
// client, whole, with a right checksum, and each record readable, keyed and
// timed as the topic asks. The order of the checks is Kafka's, so that a batch
// with several faults gets the same error.
//
// What it repairs: a maximal timestamp that is not that of the records, and
// the timestamps of LogAppendTime topics, are set in raw, in place. A batch of
// another codec than the topic's is compressed anew (Info.Rewritten). raw is
// changed only when the error is nil.
//
// Stricter than Kafka 4.4, for what no client sends: bytes after the batch,
// offset deltas other than 0, 1, 2 …, a record longer than the bytes of its
// stream, a delete horizon, a negative producer epoch, and a transaction
// without a producer are refused. Where Kafka trips over its own feet
// (UNKNOWN_SERVER_ERROR), a stream that cannot be decompressed gets
// INVALID_RECORD, an unknown codec UNSUPPORTED_COMPRESSION_TYPE.
//
// An error is always of type *Error. Nothing is allocated when raw is good and
// stays as it is, but for growth of the buffer in codecs, which may be nil only
// where nothing is ever compressed.
func Validate(codecs *Codecs, raw []byte, p Policy, nowMs int64) (Info, error) {
	v := validation{codecs: codecs, policy: p, now: nowMs}
	var err *Error
	if v.raw, v.header, err = singleBatch(raw, p.ProduceVersion); err != nil {
		return Info{}, err
	}
	if err = v.checkHeader(); err != nil {
		return Info{}, err
	}
	v.body, err = v.decompress()
	if codecs != nil {
		defer codecs.Trim()
	}
	if err != nil {
		return Info{}, err
	}
	if err = v.scan(); err != nil {
		return Info{}, err
	}
	info, err := v.finish()
	if err != nil {
		return Info{}, err
	}
	return info, nil
}

// validation is the state of one call.
type validation struct {
	codecs *Codecs
	policy Policy
	now    int64
	raw    []byte
	header Header
	body   []byte

	maxTimestamp      int64
	maxTimestampDelta int32
	errors            []RecordError
	code              kafka.ErrorCode // INVALID_TIMESTAMP as soon as one of errors is
}

// singleBatch finds the one batch that raw must be.
func singleBatch(raw []byte, produceVersion int16) ([]byte, Header, *Error) {
	const legacyOverhead = 14
	if len(raw) <= magicAt {
		return nil, Header{}, refuse(kafka.ErrInvalidRecord, "%d bytes hold no record batch", len(raw))
	}
	length := int32(binary.BigEndian.Uint32(raw[lengthAt:]))
	magic := int8(raw[magicAt])
	switch {
	case length < legacyOverhead || magic < 0 || magic > magicV2:
		return nil, Header{}, refuse(kafka.ErrCorruptMessage, "record batch of length %d and magic %d", length, magic)
	case int(length) > len(raw)-LogOverhead:
		return nil, Header{}, refuse(kafka.ErrInvalidRecord, "record batch of %d bytes where %d came", int64(length)+LogOverhead, len(raw))
	case magic != magicV2:
		return nil, Header{}, refuse(kafka.ErrInvalidRecord, "record batch of magic %d: clients write magic 2", magic)
	case length < lengthMin:
		return nil, Header{}, refuse(kafka.ErrCorruptMessage, "record batch of length %d is smaller than its header", length)
	}
	h := readHeader(raw)
	switch {
	case h.Codec() == CodecZstd && produceVersion < zstdProduceVersionMin:
		return nil, h, refuse(kafka.ErrUnsupportedCompressionType, "zstd needs Produce version %d, the request has %d", zstdProduceVersionMin, produceVersion)
	case h.Size() < len(raw):
		return nil, h, refuse(kafka.ErrInvalidRecord, "%d bytes follow the record batch: exactly one is allowed", len(raw)-h.Size())
	case !h.Codec().Valid():
		return nil, h, refuse(kafka.ErrUnsupportedCompressionType, "compression codec %d", int8(h.Codec()))
	}
	return raw, h, nil
}

// checkHeader checks what the header alone tells, and the checksum.
func (v *validation) checkHeader() *Error {
	h, p := &v.header, &v.policy
	switch {
	case h.BaseOffset != 0:
		return refuse(kafka.ErrInvalidRecord, "base offset of the record batch is %d, must be 0", h.BaseOffset)
	case len(v.raw) > p.MaxMessageBytes:
		return tooLarge(len(v.raw), p.MaxMessageBytes)
	}
	if err := CheckCRC(v.raw); err != nil {
		return refuseCause(kafka.ErrCorruptMessage, err)
	}
	switch {
	case h.LastOffsetDelta < 0:
		return refuse(kafka.ErrInvalidRecord, "last offset delta of the record batch is %d", h.LastOffsetDelta)
	case h.Count <= 0:
		return refuse(kafka.ErrInvalidRecord, "record batch with %d records", h.Count)
	case h.Count-1 != h.LastOffsetDelta:
		return refuse(kafka.ErrInvalidRecord, "record batch with %d records and last offset delta %d", h.Count, h.LastOffsetDelta)
	case h.IsControl():
		return refuse(kafka.ErrInvalidRecord, "clients are not allowed to write control records")
	case h.HasProducer() && h.BaseSequence < 0:
		return refuse(kafka.ErrInvalidRecord, "sequence number %d of producer %d", h.BaseSequence, h.ProducerID)
	case h.HasProducer() && h.ProducerEpoch < 0:
		return refuse(kafka.ErrInvalidRecord, "epoch %d of producer %d", h.ProducerEpoch, h.ProducerID)
	case h.IsTransactional() && !h.HasProducer():
		return refuse(kafka.ErrInvalidRecord, "transactional record batch without a producer id")
	case h.Attributes&attrDeleteHorizon != 0:
		return refuse(kafka.ErrInvalidRecord, "clients are not allowed to set a delete horizon")
	}
	return nil
}

func tooLarge(size, limit int) *Error {
	return refuse(kafka.ErrMessageTooLarge, "record batch of %d bytes exceeds max.message.bytes of %d", size, limit)
}

func (v *validation) decompress() ([]byte, *Error) {
	if v.header.Codec() == CodecNone {
		return v.raw[HeaderSize:], nil
	}
	body, err := v.codecs.Body(v.header, v.raw)
	switch {
	case err == nil:
		return body, nil
	case errors.Is(err, ErrTooLarge):
		return nil, refuseCause(kafka.ErrMessageTooLarge, err)
	}
	return nil, refuseCause(kafka.ErrInvalidRecord, err)
}

// scan checks every record.
func (v *validation) scan() *Error {
	v.maxTimestamp = NoTimestamp
	appendTime := v.header.TimestampType() == LogAppendTime
	at := 0
	var f frame
	for i := range v.header.Count {
		if err := f.read(v.body, at); err != nil {
			return refuseCause(kafka.ErrInvalidRecord, err)
		}
		if v.policy.MaxRecordBytes > 0 && f.end-f.start > v.policy.MaxRecordBytes && v.header.Codec() != CodecNone {
			return refuse(kafka.ErrInvalidRecord, "record %d of %d bytes exceeds max.decompressed.message.bytes of %d", i, f.end-f.start, v.policy.MaxRecordBytes)
		}
		at = f.end
		timestamp := v.header.BaseTimestamp + f.timestampDelta
		if appendTime {
			timestamp = v.header.MaxTimestamp
		}
		if f.offsetDelta != i {
			return refuse(kafka.ErrInvalidRecord, "record %d has offset delta %d", i, f.offsetDelta)
		}
		if timestamp > v.maxTimestamp {
			v.maxTimestamp, v.maxTimestampDelta = timestamp, i
		}
		if f.keyNull && v.policy.Compacted {
			v.blame(i, kafka.ErrInvalidRecord, "a compacted topic accepts no record without a key")
		} else if !v.timely(timestamp, appendTime) {
			v.blameTimestamp(i, timestamp)
		}
	}
	if at != len(v.body) {
		return refuse(kafka.ErrInvalidRecord, "%d bytes follow the last of %d records", len(v.body)-at, v.header.Count)
	}
	return v.blamed()
}

// timely reports whether a record's timestamp is within the topic's bounds.
// The differences wrap as Kafka's do.
func (v *validation) timely(timestamp int64, appendTime bool) bool {
	if v.policy.TimestampType == CreateTime && timestamp != NoTimestamp {
		age := v.now - timestamp
		return age <= v.policy.BeforeMaxMs && -age <= v.policy.AfterMaxMs
	}
	return !appendTime
}

func (v *validation) blameTimestamp(i int32, timestamp int64) {
	message := "producers may not set the timestamp type to LogAppendTime"
	if v.policy.TimestampType == CreateTime && timestamp != NoTimestamp {
		message = fmt.Sprintf("timestamp %d is out of range: it should be within [%d, %d]",
			timestamp, v.now-v.policy.BeforeMaxMs, v.now+v.policy.AfterMaxMs)
	}
	v.blame(i, kafka.ErrInvalidTimestamp, message)
}

func (v *validation) blame(i int32, code kafka.ErrorCode, message string) {
	if v.errors == nil || code == kafka.ErrInvalidTimestamp {
		v.code = code
	}
	if len(v.errors) < recordErrorsMax {
		v.errors = append(v.errors, RecordError{Index: i, Message: message})
	}
}

func (v *validation) blamed() *Error {
	if v.errors == nil {
		return nil
	}
	message := "one or more records have been rejected"
	if v.code == kafka.ErrInvalidTimestamp {
		message = "one or more records have been rejected due to invalid timestamp"
	}
	first := v.errors[0]
	return &Error{Code: v.code, Records: v.errors, Message: fmt.Sprintf("%s: record %d: %s", message, first.Index, first.Message)}
}
