package batch

// Zigzag varints as Kafka's records have them: 32 bits in at most 5 bytes, 64
// bits in at most 10.

const (
	varintLenMax  = 5
	varlongLenMax = 10
)

// short is the byte at b[at:] and whether it is a varint of its own: most
// lengths and deltas are. It is small enough to be inlined where the calls of
// varint would be the cost of reading a record.
func short(b []byte, at int) (c byte, ok bool) {
	if uint(at) >= uint(len(b)) {
		return 0, false
	}
	return b[at], b[at] < 0x80
}

// unzigzag is the value of a short varint.
func unzigzag(c byte) int32 { return int32(c>>1) ^ -int32(c&1) }

// threeBytes reads the varint in u's lowest bytes and returns how many bits of
// u it takes; 0 when it is longer than three bytes. It is inlined too.
func threeBytes(u uint64) (v int32, bits uint) {
	w := uint32(u & 0x7f)
	bits = 8
	if u&0x80 != 0 {
		w |= uint32(u>>1) & (0x7f << 7)
		bits = 16
		if u&0x8000 != 0 {
			w |= uint32(u>>2) & (0x7f << 14)
			bits = 24
			if u&0x800000 != 0 {
				bits = 0
			}
		}
	}
	return int32(w>>1) ^ -int32(w&1), bits
}

// varint reads a 32-bit varint at b[at:]. next is -1 when b ends within it, or
// when it is longer than 5 bytes. Of the fifth byte, as in Kafka, only the
// bits that fit count.
func varint(b []byte, at int) (v int32, next int) {
	if at+1 < len(b) && b[at+1] < 0x80 && b[at] >= 0x80 {
		u := uint32(b[at]&0x7f) | uint32(b[at+1])<<7
		return int32(u>>1) ^ -int32(u&1), at + 2
	}
	return varintSlow(b, at)
}

func varintSlow(b []byte, at int) (int32, int) {
	var u uint32
	for i := 0; i < varintLenMax && at+i < len(b); i++ {
		c := b[at+i]
		u |= uint32(c&0x7f) << (7 * i)
		if c < 0x80 {
			return int32(u>>1) ^ -int32(u&1), at + i + 1
		}
	}
	return 0, -1
}

// varlong reads a 64-bit varint at b[at:]; next is -1 as for varint.
func varlong(b []byte, at int) (v int64, next int) {
	var u uint64
	for i := 0; i < varlongLenMax && at+i < len(b); i++ {
		c := b[at+i]
		u |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			return int64(u>>1) ^ -int64(u&1), at + i + 1
		}
	}
	return 0, -1
}

// appendVarint appends v, of 32 or 64 bits: the zigzag forms agree.
func appendVarint(b []byte, v int64) []byte {
	u := uint64(v<<1) ^ uint64(v>>63)
	for u >= 0x80 {
		b = append(b, byte(u)|0x80)
		u >>= 7
	}
	return append(b, byte(u))
}

// varintLen is how many bytes appendVarint takes for v.
func varintLen(v int64) int {
	n := 1
	for u := uint64(v<<1) ^ uint64(v>>63); u >= 0x80; u >>= 7 {
		n++
	}
	return n
}
