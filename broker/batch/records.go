package batch

// RecordIter walks the records of one decompressed batch body, without
// allocating. It is a value: a copy goes on from the same place.
type RecordIter struct {
	body          []byte
	at            int
	left          int32
	baseOffset    int64
	baseTimestamp int64
	appendTime    bool
	maxTimestamp  int64
}

// Records iterates over body, the decompressed records of the batch with
// header h (see Codecs.Body).
func Records(h Header, body []byte) RecordIter {
	return RecordIter{
		body: body, left: h.Count, baseOffset: h.BaseOffset, baseTimestamp: h.BaseTimestamp,
		appendTime: h.TimestampType() == LogAppendTime, maxTimestamp: h.MaxTimestamp,
	}
}

// Next is the next record; false after the last. An error, of class
// ErrCorrupt, ends the iteration: also when bytes are left after the last record.
func (it *RecordIter) Next() (Record, bool, error) {
	if it.left <= 0 {
		if it.at != len(it.body) {
			at := it.at
			it.at = len(it.body)
			return Record{}, false, corrupt("%d bytes are left after the last record", len(it.body)-at)
		}
		return Record{}, false, nil
	}
	var f frame
	if err := f.read(it.body, it.at); err != nil {
		it.left, it.at = 0, len(it.body)
		return Record{}, false, err
	}
	r := Record{
		Offset:      it.baseOffset + int64(f.offsetDelta),
		OffsetDelta: f.offsetDelta,
		Timestamp:   it.baseTimestamp + f.timestampDelta,
		Attributes:  int8(it.body[f.start]),
		HeaderCount: int(f.headerCount),
		Size:        f.end - it.at,
		headers:     it.body[f.headersAt:f.end:f.end],
	}
	if it.appendTime {
		r.Timestamp = it.maxTimestamp
	}
	r.Key, _ = nullable(it.body[:f.end], f.keyAt)
	r.Value, _ = nullable(it.body[:f.end], f.valueAt)
	it.at = f.end
	it.left--
	return r, true, nil
}

// frame is where the parts of one record lie in its body.
type frame struct {
	start, end     int // of the record after its length field
	timestampDelta int64
	offsetDelta    int32
	keyAt, valueAt int // of their length fields
	keyNull        bool
	headerCount    int32
	headersAt      int
}

// read finds and checks the record at b[at:].
func (f *frame) read(b []byte, at int) error {
	size, start := varint(b, at)
	switch {
	case start < 0:
		return corrupt("record length at byte %d", at)
	case size < 0:
		return corrupt("record of %d bytes at byte %d", size, at)
	case int(size) > len(b)-start:
		return corrupt("record of %d bytes at byte %d where %d are left", size, at, len(b)-start)
	}
	f.start, f.end = start, start+int(size)
	if !f.parts(b[:f.end], start) {
		return corrupt("structure of the record at byte %d", at)
	}
	return nil
}

// parts reads the fields of the record that b ends with.
func (f *frame) parts(b []byte, at int) bool {
	if at >= len(b) { // the attributes byte
		return false
	}
	if f.timestampDelta, at = varlong(b, at+1); at < 0 {
		return false
	}
	if f.offsetDelta, at = varint(b, at); at < 0 {
		return false
	}
	f.keyAt = at
	n, at := varint(b, at)
	if at < 0 || int(n) > len(b)-at {
		return false
	}
	f.keyNull = n < 0
	f.valueAt = at + int(max(n, 0))
	if n, at = varint(b, f.valueAt); at < 0 || int(n) > len(b)-at {
		return false
	}
	if f.headerCount, at = varint(b, at+int(max(n, 0))); at < 0 {
		return false
	}
	f.headersAt = at
	// A header takes two bytes at least.
	if f.headerCount < 0 || int(f.headerCount) > (len(b)-at)/2 {
		return false
	}
	for range f.headerCount {
		if at = skipHeader(b, at); at < 0 {
			return false
		}
	}
	return at == len(b)
}

// skipHeader is where the header at b[at:] ends, or -1.
func skipHeader(b []byte, at int) int {
	n, at := varint(b, at)
	if at < 0 || n < 0 || int(n) > len(b)-at {
		return -1
	}
	n, at = varint(b, at+int(n))
	if at < 0 || int(n) > len(b)-at {
		return -1
	}
	return at + int(max(n, 0))
}
