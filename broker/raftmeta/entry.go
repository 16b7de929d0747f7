package raftmeta

import (
	"encoding/binary"
	"fmt"
)

// The format of a raft entry's data, big endian:
//
//	format u8 | term u64 | base offset i64 | one record batch of __cluster_metadata
//
// The term is there because raft's Apply takes none: an entry that was
// proposed under an older term of the same leader must not count.
const (
	entryFormat    = 1
	entryHeaderLen = 1 + 8 + 8
)

// Entry is the data of one raft entry.
type Entry struct {
	Term       uint64
	BaseOffset int64
	Batch      []byte // a record batch v2
}

// AppendEntry encodes the head of an entry; the batch follows it.
func AppendEntry(dst []byte, term uint64, baseOffset int64) []byte {
	dst = append(dst, entryFormat)
	dst = binary.BigEndian.AppendUint64(dst, term)
	return binary.BigEndian.AppendUint64(dst, uint64(baseOffset))
}

// ParseEntry decodes an entry. Its batch aliases b.
func ParseEntry(b []byte) (e Entry, err error) {
	if len(b) < entryHeaderLen {
		return e, fmt.Errorf("metadata entry of %d bytes: %w", len(b), ErrDamaged)
	}
	if b[0] != entryFormat {
		return e, fmt.Errorf("metadata entry has format %d, this program knows %d: %w", b[0], entryFormat, ErrNewerFormat)
	}
	e.Term = binary.BigEndian.Uint64(b[1:])
	e.BaseOffset = int64(binary.BigEndian.Uint64(b[9:]))
	e.Batch = b[entryHeaderLen:]
	return e, nil
}
