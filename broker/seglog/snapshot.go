package seglog

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// A producer snapshot (.snapshot), as Kafka writes it at a roll and at a clean
// stop; big-endian, the CRC-32C covers all that follows it.
//
//	| version i16 = 1 | crc u32 | count i32 | count × entry |
//	entry: | producer id i64 | epoch i16 | last sequence i32 | last offset i64 |
//	       | offset delta i32 | timestamp i64 | coordinator epoch i32 | first offset of open transaction i64 |
const (
	snapshotVersion  = 1
	snapshotHeadLen  = 10
	snapshotEntryLen = 46
)

// EncodeSnapshot encodes a producer snapshot.
func EncodeSnapshot(entries []ProducerEntry) []byte {
	b := make([]byte, 6, snapshotHeadLen+len(entries)*snapshotEntryLen)
	binary.BigEndian.PutUint16(b, snapshotVersion)
	b = binary.BigEndian.AppendUint32(b, uint32(len(entries)))
	for i := range entries {
		b = appendProducer(b, &entries[i])
	}
	binary.BigEndian.PutUint32(b[2:], crc32.Checksum(b[6:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func appendProducer(b []byte, e *ProducerEntry) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(e.ProducerID))
	b = binary.BigEndian.AppendUint16(b, uint16(e.Epoch))
	b = binary.BigEndian.AppendUint32(b, uint32(e.LastSequence))
	b = binary.BigEndian.AppendUint64(b, uint64(e.LastOffset))
	b = binary.BigEndian.AppendUint32(b, uint32(e.OffsetDelta))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Timestamp))
	b = binary.BigEndian.AppendUint32(b, uint32(e.CoordinatorEpoch))
	return binary.BigEndian.AppendUint64(b, uint64(e.FirstTxnOffset))
}

// DecodeSnapshot decodes a producer snapshot. Anything that is not exactly one
// gives an error.
func DecodeSnapshot(b []byte) ([]ProducerEntry, error) {
	if len(b) < snapshotHeadLen {
		return nil, fmt.Errorf("producer snapshot of %d bytes: shorter than its head", len(b))
	}
	if v := int16(binary.BigEndian.Uint16(b)); v != snapshotVersion {
		return nil, fmt.Errorf("producer snapshot has version %d, known is %d", v, snapshotVersion)
	}
	want, got := binary.BigEndian.Uint32(b[2:]), crc32.Checksum(b[6:], crc32.MakeTable(crc32.Castagnoli))
	if want != got {
		return nil, fmt.Errorf("producer snapshot: checksum %08x, its bytes have %08x", want, got)
	}
	count, rest := int64(int32(binary.BigEndian.Uint32(b[6:]))), b[snapshotHeadLen:]
	if count < 0 || count*snapshotEntryLen != int64(len(rest)) {
		return nil, fmt.Errorf("producer snapshot: %d entries in %d bytes", count, len(rest))
	}
	entries := make([]ProducerEntry, 0, count)
	seen := make(map[int64]struct{}, count)
	for ; len(rest) > 0; rest = rest[snapshotEntryLen:] {
		e := producerAt(rest)
		if _, dup := seen[e.ProducerID]; dup || e.ProducerID < 0 {
			return nil, fmt.Errorf("producer snapshot: entry %d has producer id %d, negative or named before", len(entries), e.ProducerID)
		}
		seen[e.ProducerID] = struct{}{}
		entries = append(entries, e)
	}
	return entries, nil
}

func producerAt(b []byte) ProducerEntry {
	return ProducerEntry{
		ProducerID:       int64(binary.BigEndian.Uint64(b)),
		Epoch:            int16(binary.BigEndian.Uint16(b[8:])),
		LastSequence:     int32(binary.BigEndian.Uint32(b[10:])),
		LastOffset:       int64(binary.BigEndian.Uint64(b[14:])),
		OffsetDelta:      int32(binary.BigEndian.Uint32(b[22:])),
		Timestamp:        int64(binary.BigEndian.Uint64(b[26:])),
		CoordinatorEpoch: int32(binary.BigEndian.Uint32(b[34:])),
		FirstTxnOffset:   int64(binary.BigEndian.Uint64(b[38:])),
	}
}
