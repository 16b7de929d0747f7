package batch

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// castagnoli is never assigned after its making.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is the CRC-32C of what the checksum covers of one whole batch.
func checksum(b []byte) uint32 { return crc32.Checksum(b[attributesAt:], castagnoli) }

// CheckCRC checks the checksum of b, which is one whole batch (as Next gives
// it). The error is of class ErrCorrupt and names both sums.
func CheckCRC(b []byte) error {
	if len(b) < HeaderSize {
		return fmt.Errorf("%w: %d of %d header bytes", ErrPartial, len(b), HeaderSize)
	}
	stored, computed := binary.BigEndian.Uint32(b[crcAt:]), checksum(b)
	if stored != computed {
		return corrupt("stored crc %08x, computed crc %08x, base offset %d", stored, computed, int64(binary.BigEndian.Uint64(b)))
	}
	return nil
}

// SetBaseOffset gives the batch b its place in the log. The checksum does not
// cover it. REQUIRES of all setters: b holds at least a header.
func SetBaseOffset(b []byte, offset int64) { binary.BigEndian.PutUint64(b, uint64(offset)) }

// SetLeaderEpoch stamps the batch b with the epoch of the leader that appends
// it. The checksum does not cover it.
func SetLeaderEpoch(b []byte, epoch int32) {
	binary.BigEndian.PutUint32(b[leaderEpochAt:], uint32(epoch))
}

// SetAppendTime makes nowMs the time of all records of the batch b (the
// timestamp type becomes LogAppendTime) and computes the checksum anew; the
// records, compressed or not, are not touched. b is the whole batch.
func SetAppendTime(b []byte, nowMs int64) { SetMaxTimestamp(b, LogAppendTime, nowMs) }

// SetMaxTimestamp sets the timestamp type and the maximal timestamp (wall ms)
// of the whole batch b, and computes the checksum anew if one of them changed.
// As in Kafka, unknown attribute bits do not survive a change.
func SetMaxTimestamp(b []byte, t TimestampType, maxTimestamp int64) {
	be := binary.BigEndian
	attributes := Attributes(be.Uint16(b[attributesAt:]))
	if attributes.TimestampType() == t && int64(be.Uint64(b[maxTimestampAt:])) == maxTimestamp {
		return
	}
	be.PutUint16(b[attributesAt:], uint16(attributes.withTimestampType(t)&attrKnown))
	be.PutUint64(b[maxTimestampAt:], uint64(maxTimestamp))
	be.PutUint32(b[crcAt:], checksum(b))
}
