package coord

import "unicode/utf16"

// PartitionFor is the partition of an internal topic with n partitions that
// keeps the state of key (a group id, a transactional id): Java's hash of the
// string without its sign, modulo n. n is above 0.
func PartitionFor(key string, n int32) int32 {
	var h uint32
	for _, r := range key {
		if r < 0x10000 {
			h = 31*h + uint32(r)
			continue
		}
		hi, lo := utf16.EncodeRune(r)
		h = 31*(31*h+uint32(hi)) + uint32(lo)
	}
	return int32(h&0x7fffffff) % n
}
