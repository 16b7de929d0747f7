package group

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/coord"
	"github.com/moldau/moldau/broker/kafka"
)

// Versions of the record keys of __consumer_offsets, which are the records'
// types.
const (
	keyOffsetV0 = 0 // legacy, read only
	keyOffset   = 1
	keyGroup    = 2
)

// Versions of the values that are written. Kafka 4.4 writes the same, at every
// metadata.version that it supports.
const (
	offsetValueRetention = 1 // the commit carries its own retention (OffsetCommit 2 to 4)
	offsetValue          = 4
	groupValue           = 3
)

// Newest versions that are understood.
const (
	offsetValueMax = 4
	groupValueMax  = 4
)

// appendOffsetKey appends the key of a committed offset:
//
//	version int16 = 1, group string, topic string, partition int32
//
// where a string is an int16 length and the bytes.
func appendOffsetKey(b []byte, group, topic string, partition int32) []byte {
	b = binary.BigEndian.AppendUint16(b, keyOffset)
	b = appendString(b, group)
	b = appendString(b, topic)
	return binary.BigEndian.AppendUint32(b, uint32(partition))
}

// appendOffsetValue appends a committed offset. Version 4:
//
//	version int16 = 4, offset int64, leader epoch int32, metadata (uvarint
//	length + 1, bytes), commit time int64, tags: none or topic id (tag 0)
//
// and version 1, for a commit with its own retention:
//
//	version int16 = 1, offset int64, metadata string, commit time int64, expire time int64
func appendOffsetValue(b []byte, c committed) []byte {
	if c.expires() >= 0 {
		b = binary.BigEndian.AppendUint16(b, offsetValueRetention)
		b = binary.BigEndian.AppendUint64(b, uint64(c.offset))
		b = appendString(b, c.metadata())
		b = binary.BigEndian.AppendUint64(b, uint64(c.commitTime))
		return binary.BigEndian.AppendUint64(b, uint64(c.expires()))
	}
	b = binary.BigEndian.AppendUint16(b, offsetValue)
	b = binary.BigEndian.AppendUint64(b, uint64(c.offset))
	b = binary.BigEndian.AppendUint32(b, uint32(c.leaderEpoch))
	b = binary.AppendUvarint(b, uint64(len(c.metadata()))+1)
	b = append(b, c.metadata()...)
	b = binary.BigEndian.AppendUint64(b, uint64(c.commitTime))
	if c.topicID.IsZero() {
		return append(b, 0)
	}
	b = append(b, 1, 0, byte(len(c.topicID)))
	return append(b, c.topicID[:]...)
}

func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

// offsetTombstone is the record that removes a committed offset.
func offsetTombstone(group, topic string, partition int32) coord.Record {
	return coord.Record{Key: appendOffsetKey(make([]byte, 0, 10+len(group)+len(topic)), group, topic, partition)}
}

func groupKey(id string) []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, 4+len(id)), keyGroup)
	return appendString(b, id)
}

// groupTombstone is the record that removes a group.
func groupTombstone(id string) coord.Record { return coord.Record{Key: groupKey(id)} }

// groupRecord is the record of the group as it is: its generation, members
// and their assignments.
func groupRecord(g *group) coord.Record {
	value := kmsg.GroupMetadataValue{
		Version:      groupValue,
		ProtocolType: g.protocolType, Protocol: g.protocol,
		Generation:            g.generation,
		CurrentStateTimestamp: g.stateSince,
		Members:               make([]kmsg.GroupMetadataValueMember, len(g.members)),
	}
	if g.leader != "" {
		value.Leader = &g.leader
	}
	for i, mb := range g.members {
		value.Members[i] = kmsg.GroupMetadataValueMember{
			MemberID: mb.id, InstanceID: mb.instanceID,
			ClientID: mb.clientID, ClientHost: mb.clientHost,
			RebalanceTimeoutMillis: mb.rebalanceTimeout, SessionTimeoutMillis: mb.sessionTimeout,
			Subscription: mb.metadata(*g.protocol), Assignment: mb.assignment,
		}
	}
	return coord.Record{Key: groupKey(g.id), Value: value.AppendTo(nil)}
}

// emptyGroupRecord is the record of a group that was just made.
func emptyGroupRecord(g *group) coord.Record {
	value := kmsg.GroupMetadataValue{Version: groupValue, CurrentStateTimestamp: g.stateSince}
	return coord.Record{Key: groupKey(g.id), Value: value.AppendTo(nil)}
}

// stringMax is the longest text of the int16-length form.
const stringMax = 1<<15 - 1

// topicIDOf is the id under which an offset of that topic is written.
func (m *Machine) topicIDOf(name string) kafka.UUID {
	id, _ := m.topics.ID(name)
	return id
}
