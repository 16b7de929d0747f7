package batch

import (
	"github.com/moldau/moldau/broker/kafka"
)

// finish patches or rewrites the batch that passed all checks.
func (v *validation) finish() (Info, *Error) {
	info := Info{MaxTimestampDelta: v.maxTimestampDelta, BodySize: len(v.body)}
	stored := v.maxTimestamp
	if v.policy.TimestampType == LogAppendTime {
		stored, info.MaxTimestampDelta = v.now, 0
	}
	target := Compression{Codec: v.header.Codec()}
	if v.policy.Recompress {
		target = v.policy.Target
	}
	if target.Codec == v.header.Codec() {
		if limit := v.policy.MaxSegmentBytes; limit > 0 && len(v.raw) > limit {
			return Info{}, tooLargeForSegment(len(v.raw), limit)
		}
		SetMaxTimestamp(v.raw, v.policy.TimestampType, stored)
		info.Header = readHeader(v.raw)
		return info, nil
	}
	out, err := v.rewrite(target, stored)
	if err != nil {
		return Info{}, err
	}
	info.Rewritten, info.Header = out, readHeader(out)
	return info, nil
}

func tooLargeForSegment(size, limit int) *Error {
	return refuse(kafka.ErrRecordListTooLarge, "record batch of %d bytes exceeds segment.bytes of %d", size, limit)
}

// rewrite compresses the records anew with the target codec; as timestamps are
// relative to the header's, the records themselves stay as they are.
func (v *validation) rewrite(target Compression, maxTimestamp int64) ([]byte, *Error) {
	if target.Codec == CodecNone && HeaderSize+len(v.body) > v.policy.MaxMessageBytes {
		return nil, tooLarge(HeaderSize+len(v.body), v.policy.MaxMessageBytes)
	}
	room := min(len(v.body), v.policy.MaxMessageBytes) // what becomes larger is refused
	out := append(make([]byte, 0, HeaderSize+room), v.raw[:HeaderSize]...)
	out, err := v.codecs.AppendCompressed(out, v.body, target)
	if err != nil {
		return nil, refuseCause(kafka.ErrUnknownServerError, err)
	}
	switch {
	case len(out) > v.policy.MaxMessageBytes:
		return nil, tooLarge(len(out), v.policy.MaxMessageBytes)
	case v.policy.MaxSegmentBytes > 0 && len(out) > v.policy.MaxSegmentBytes:
		return nil, tooLargeForSegment(len(out), v.policy.MaxSegmentBytes)
	}
	h := v.header
	h.Length = int32(len(out) - LogOverhead)
	h.Attributes = (h.Attributes&attrKnown&^attrCodecMask | Attributes(target.Codec)).withTimestampType(v.policy.TimestampType)
	h.MaxTimestamp = maxTimestamp
	h.put(out)
	h.CRC = checksum(out)
	h.put(out)
	return out, nil
}
