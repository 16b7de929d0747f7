package raftmeta

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/hashicorp/raft"
)

// The format of a segment of raft's log, big endian:
//
//	header  magic 8 "MOLDRAFT" | version u32 | first index u64 | crc32c u32 of the 20 bytes before
//	entry   length u32 of the body | crc32c u32 of the body | body
//	body    index u64 | term u64 | synced u64 | appended at i64 | type u8 | extensions length u32 | extensions | data
//
// synced is the last index that was known to be durable when the entry was
// written: a valid entry whose synced reaches a broken one proves that the
// broken one had been synced, so it is damage and no torn tail.
const (
	segmentMagic     = "MOLDRAFT"
	segmentVersion   = 1
	segmentHeaderLen = 24

	entryPrefixLen    = 8
	entryFixedLen     = 8 + 8 + 8 + 8 + 1 + 4
	entryBodyBytesMax = 16 << 20 // a raft entry with its fixed fields, bytes
)

func crcOf(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

func appendSegmentHeader(dst []byte, first uint64) []byte {
	start := len(dst)
	dst = append(dst, segmentMagic...)
	dst = binary.BigEndian.AppendUint32(dst, segmentVersion)
	dst = binary.BigEndian.AppendUint64(dst, first)
	return binary.BigEndian.AppendUint32(dst, crcOf(dst[start:]))
}

// checkSegmentHeader reports whether b begins with a whole header for first;
// a valid header of another version is an error of its own.
func checkSegmentHeader(b []byte, first uint64) error {
	if len(b) < segmentHeaderLen || string(b[:8]) != segmentMagic {
		return fmt.Errorf("no segment header: %w", ErrDamaged)
	}
	if crcOf(b[:segmentHeaderLen-4]) != binary.BigEndian.Uint32(b[segmentHeaderLen-4:]) {
		return fmt.Errorf("segment header checksum: %w", ErrDamaged)
	}
	if v := binary.BigEndian.Uint32(b[8:]); v != segmentVersion {
		return fmt.Errorf("segment format %d, this program knows %d: %w", v, segmentVersion, ErrNewerFormat)
	}
	if got := binary.BigEndian.Uint64(b[12:]); got != first {
		return fmt.Errorf("segment header names index %d, its file %d: %w", got, first, ErrDamaged)
	}
	return nil
}

func appendEntry(dst []byte, l *raft.Log, synced uint64) []byte {
	bodyLen := entryFixedLen + len(l.Extensions) + len(l.Data)
	dst = binary.BigEndian.AppendUint32(dst, uint32(bodyLen))
	crcAt := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint64(dst, l.Index)
	dst = binary.BigEndian.AppendUint64(dst, l.Term)
	dst = binary.BigEndian.AppendUint64(dst, synced)
	var at int64
	if !l.AppendedAt.IsZero() {
		at = l.AppendedAt.UnixNano()
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(at))
	dst = append(dst, byte(l.Type))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(l.Extensions)))
	dst = append(dst, l.Extensions...)
	dst = append(dst, l.Data...)
	binary.BigEndian.PutUint32(dst[crcAt:], crcOf(dst[crcAt+4:]))
	return dst
}

// entryHead is what a scan needs of an entry.
type entryHead struct {
	index, synced uint64
	kind          raft.LogType
	size          int64 // prefix and body
}

// parseHead reads the entry at the start of b; ok is false unless a whole
// entry with a right checksum is there.
func parseHead(b []byte) (h entryHead, ok bool) {
	if len(b) < entryPrefixLen+entryFixedLen {
		return h, false
	}
	n := int64(binary.BigEndian.Uint32(b))
	if n < entryFixedLen || n > entryBodyBytesMax || n > int64(len(b)-entryPrefixLen) {
		return h, false
	}
	body := b[entryPrefixLen : entryPrefixLen+n]
	if int64(binary.BigEndian.Uint32(body[33:])) > n-entryFixedLen {
		return h, false
	}
	if crcOf(body) != binary.BigEndian.Uint32(b[4:]) {
		return h, false
	}
	h.index = binary.BigEndian.Uint64(body)
	h.synced = binary.BigEndian.Uint64(body[16:])
	h.kind = raft.LogType(body[32])
	h.size = entryPrefixLen + n
	return h, true
}

// decodeEntry fills l from one whole entry. The slices of l belong to b.
func decodeEntry(b []byte, l *raft.Log) error {
	if _, ok := parseHead(b); !ok {
		return fmt.Errorf("raft entry: %w", ErrDamaged)
	}
	body := b[entryPrefixLen : entryPrefixLen+int64(binary.BigEndian.Uint32(b))]
	*l = raft.Log{
		Index: binary.BigEndian.Uint64(body),
		Term:  binary.BigEndian.Uint64(body[8:]),
		Type:  raft.LogType(body[32]),
	}
	if at := int64(binary.BigEndian.Uint64(body[24:])); at != 0 {
		l.AppendedAt = time.Unix(0, at)
	}
	ext := int(binary.BigEndian.Uint32(body[33:]))
	rest := body[entryFixedLen:]
	if ext > 0 {
		l.Extensions = rest[:ext:ext]
	}
	l.Data = rest[ext:]
	return nil
}

// provesSynced reports whether some whole entry in b says that index had been
// synced before that entry was written.
func provesSynced(b []byte, index uint64) bool {
	for p := 0; p+entryPrefixLen+entryFixedLen <= len(b); p++ {
		// The cheap fields first, so that checksums are computed for few places.
		if binary.BigEndian.Uint64(b[p+entryPrefixLen:]) <= index {
			continue
		}
		synced := binary.BigEndian.Uint64(b[p+entryPrefixLen+16:])
		if synced < index || synced >= binary.BigEndian.Uint64(b[p+entryPrefixLen:]) {
			continue
		}
		if _, ok := parseHead(b[p:]); ok {
			return true
		}
	}
	return false
}
