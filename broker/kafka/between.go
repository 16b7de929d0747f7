package kafka

import (
	"encoding/binary"
)

// What brokers of one cluster tell each other beyond Kafka's protocol.
const (
	// KeyDurableReport is the API key of a DurableReport, version 0. It has no
	// answer and passes everything else on its connection.
	KeyDurableReport int16 = 10_000
	// TagDurable is the tagged field of a partition in a follower's Fetch: its
	// durable end (int64) and the epoch of the batch below it (int32).
	TagDurable = 10_000
	// TagDurableBytes is the size of its value.
	TagDurableBytes = 12
)

// DurableReport tells a leader how far its partitions are durable on a
// follower, between the follower's fetches (the replication contract, L4).
type DurableReport struct {
	Broker      int32
	BrokerEpoch int64
	Positions   []ReportedPosition
}

// ReportedPosition is one partition of a DurableReport.
type ReportedPosition struct {
	ID           TopicPartition
	LeaderEpoch  int32 // under which it follows
	LEO          int64
	LastEpoch    int32 // of its last batch, -1 for an empty log
	Durable      int64
	DurableEpoch int32 // of the batch below Durable, -1 for none
	LogStart     int64
}

// reportedPositionBytes is the size of a ReportedPosition on the wire.
const reportedPositionBytes = 16 + 4 + 4 + 8 + 4 + 8 + 4 + 8

// AppendTo appends the report's body to dst.
func (d *DurableReport) AppendTo(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(d.Broker))
	dst = binary.BigEndian.AppendUint64(dst, uint64(d.BrokerEpoch))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(d.Positions)))
	for i := range d.Positions {
		p := &d.Positions[i]
		dst = append(dst, p.ID.Topic[:]...)
		dst = binary.BigEndian.AppendUint32(dst, uint32(p.ID.Partition))
		dst = binary.BigEndian.AppendUint32(dst, uint32(p.LeaderEpoch))
		dst = binary.BigEndian.AppendUint64(dst, uint64(p.LEO))
		dst = binary.BigEndian.AppendUint32(dst, uint32(p.LastEpoch))
		dst = binary.BigEndian.AppendUint64(dst, uint64(p.Durable))
		dst = binary.BigEndian.AppendUint32(dst, uint32(p.DurableEpoch))
		dst = binary.BigEndian.AppendUint64(dst, uint64(p.LogStart))
	}
	return dst
}

// ReadFrom reads a report's body; the memory of Positions is used again. An
// error is ErrShort: the body ends early, or has bytes left over.
func (d *DurableReport) ReadFrom(body []byte) error {
	r := NewReader(body)
	d.Broker, d.BrokerEpoch = r.Int32(), r.Int64()
	n := int(r.Int32())
	d.Positions = d.Positions[:0]
	if !r.Bad() && (n < 0 || n*reportedPositionBytes != r.Len()) {
		r.Fail(ErrShort)
	}
	for range n {
		if r.Bad() {
			break
		}
		d.Positions = append(d.Positions, ReportedPosition{
			ID:          TopicPartition{Topic: r.UUID(), Partition: r.Int32()},
			LeaderEpoch: r.Int32(), LEO: r.Int64(), LastEpoch: r.Int32(),
			Durable: r.Int64(), DurableEpoch: r.Int32(), LogStart: r.Int64(),
		})
	}
	return r.Err()
}

// AppendDurable appends the value of TagDurable.
func AppendDurable(dst []byte, durable int64, epoch int32) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(durable))
	return binary.BigEndian.AppendUint32(dst, uint32(epoch))
}

// ReadDurable reads the value of TagDurable; -1 and -1 if it is not one.
func ReadDurable(value []byte) (durable int64, epoch int32) {
	if len(value) != TagDurableBytes {
		return -1, -1
	}
	return int64(binary.BigEndian.Uint64(value)), int32(binary.BigEndian.Uint32(value[8:]))
}
