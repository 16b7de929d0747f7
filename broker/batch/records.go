package batch

import "encoding/binary"

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
	if f.readCommon(b, at) {
		return nil
	}
	return f.readAny(b, at)
}

// commonHeadMax is how many bytes readCommon looks at before a record's key.
const commonHeadMax = 3 + 1 + 3 + 8

// readCommon is readAny for a record without headers whose numbers have at most
// three bytes each, as nearly all have: it reads them from registers. When it returns
// false it says nothing about the record.
func (f *frame) readCommon(b []byte, at int) bool {
	if len(b)-at < commonHeadMax {
		return false
	}
	u := binary.LittleEndian.Uint64(b[at:])
	size, bits := threeBytes(u)
	start := at + int(bits/8)
	u >>= bits + 8 // and the attributes
	delta, deltaBits := threeBytes(u)
	offsetAt := start + 1 + int(deltaBits/8)
	u = binary.LittleEndian.Uint64(b[offsetAt:])
	offset, offsetBits := threeBytes(u)
	u >>= offsetBits
	key, keyBits := threeBytes(u)
	if bits == 0 || deltaBits == 0 || offsetBits == 0 || keyBits == 0 {
		return false
	}
	f.keyAt = offsetAt + int(offsetBits/8)
	f.valueAt = f.keyAt + int(keyBits/8) + max(0, int(key))
	if f.valueAt > len(b)-4 {
		return false
	}
	value, valueBits := threeBytes(uint64(binary.LittleEndian.Uint32(b[f.valueAt:])))
	headersAt := f.valueAt + int(valueBits/8) + max(0, int(value))
	end := start + int(size)
	if valueBits == 0 || headersAt >= len(b) || b[headersAt] != 0 || end != headersAt+1 {
		return false
	}
	f.start, f.end, f.headersAt, f.headerCount = start, end, end, 0
	f.timestampDelta, f.offsetDelta, f.keyNull = int64(delta), offset, key < 0
	return true
}

// readAny is read for every record.
func (f *frame) readAny(b []byte, at int) error {
	size, start := int32(0), at+1
	if c, ok := short(b, at); ok {
		size = unzigzag(c)
	} else {
		size, start = varint(b, at)
	}
	if start < 0 || size < 0 || int(size) > len(b)-start || !f.parts(b[:start+int(size)], start) {
		return badRecord(b, at)
	}
	f.start, f.end = start, start+int(size)
	return nil
}

// badRecord says what is wrong with the record at b[at:].
func badRecord(b []byte, at int) error {
	size, start := varint(b, at)
	switch {
	case start < 0:
		return corrupt("record length at byte %d", at)
	case size < 0:
		return corrupt("record of %d bytes at byte %d", size, at)
	case int(size) > len(b)-start:
		return corrupt("record of %d bytes at byte %d where %d are left", size, at, len(b)-start)
	}
	return corrupt("structure of the record at byte %d", at)
}

// parts reads the fields of the record that b ends with.
func (f *frame) parts(b []byte, at int) bool {
	if at >= len(b) { // the attributes byte
		return false
	}
	at++
	if c, ok := short(b, at); ok {
		f.timestampDelta, at = int64(unzigzag(c)), at+1
	} else if f.timestampDelta, at = varlong(b, at); at < 0 {
		return false
	}
	if c, ok := short(b, at); ok {
		f.offsetDelta, at = unzigzag(c), at+1
	} else if f.offsetDelta, at = varint(b, at); at < 0 {
		return false
	}
	f.keyAt = at
	n, at := skipNullable(b, at)
	if at < 0 {
		return false
	}
	f.keyNull = n < 0
	f.valueAt = at
	if _, at = skipNullable(b, at); at < 0 {
		return false
	}
	if c, ok := short(b, at); ok {
		f.headerCount, at = unzigzag(c), at+1
	} else if f.headerCount, at = varint(b, at); at < 0 {
		return false
	}
	f.headersAt = at
	if f.headerCount == 0 {
		return at == len(b)
	}
	return skipHeaders(b, at, f.headerCount) == len(b)
}

// skipNullable is the length at b[at:], and where that many bytes end; -1 when
// b is too short.
func skipNullable(b []byte, at int) (n int32, end int) {
	if c, ok := short(b, at); ok {
		n, at = unzigzag(c), at+1
	} else if n, at = varint(b, at); at < 0 {
		return 0, -1
	}
	switch {
	case n < 0:
		return n, at
	case int(n) > len(b)-at:
		return 0, -1
	}
	return n, at + int(n)
}

// skipHeaders is where count headers at b[at:] end, or -1.
func skipHeaders(b []byte, at int, count int32) int {
	const headerLenMin = 2
	if count < 0 || int(count) > (len(b)-at)/headerLenMin {
		return -1
	}
	for range count {
		n, end := skipNullable(b, at)
		if end < 0 || n < 0 {
			return -1
		}
		if _, at = skipNullable(b, end); at < 0 {
			return -1
		}
	}
	return at
}
