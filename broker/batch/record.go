package batch

// Record is one record of a batch. Its slices alias the batch's body.
type Record struct {
	Offset      int64 // absolute: the batch's base offset and OffsetDelta
	OffsetDelta int32
	Timestamp   int64 // ms; the batch's maximal one under LogAppendTime
	Attributes  int8  // unused by Kafka
	Key         []byte
	Value       []byte // nil: a tombstone
	HeaderCount int
	Size        int // bytes in the body, its length field included

	headers []byte // HeaderCount headers, already checked
}

// RecordHeader is a header of a record. A nil value is Kafka's null.
type RecordHeader struct {
	Key   []byte
	Value []byte
}

// Headers iterates over the record's headers in their order.
func (r *Record) Headers() HeaderIter { return HeaderIter{rest: r.headers, left: r.HeaderCount} }

// HeaderIter iterates over headers that were checked when the record was read.
type HeaderIter struct {
	rest []byte
	left int
}

// Next is the next header; false after the last.
func (it *HeaderIter) Next() (RecordHeader, bool) {
	if it.left == 0 {
		return RecordHeader{}, false
	}
	it.left--
	var h RecordHeader
	at := 0
	h.Key, at = nullable(it.rest, at)
	h.Value, at = nullable(it.rest, at)
	it.rest = it.rest[at:]
	return h, true
}

// nullable reads a length and that many bytes; nil for a negative length.
// next is -1 when b is too short.
func nullable(b []byte, at int) (v []byte, next int) {
	n, end := skipNullable(b, at)
	if end < 0 || n < 0 {
		return nil, end
	}
	return b[end-int(n) : end : end], end
}
