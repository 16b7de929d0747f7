// Package kafka holds the elementary types of Kafka's protocol that every room
// shares: identities and error codes. It knows nothing of how they travel.
package kafka

import (
	"encoding/base64"
	"fmt"

	"github.com/moldau/moldau/clock"
)

// UUID is Kafka's 128-bit identity: topic id, directory id, incarnation id,
// and, as text, the cluster id. Its text form is unpadded base64url.
type UUID [16]byte

// The reserved identities of Kafka's org.apache.kafka.common.Uuid.
var (
	ZeroUUID          = UUID{}
	MetadataTopicUUID = UUID{15: 1} // __cluster_metadata; also the "one" UUID
)

// Directory ids below 100 are reserved: 0 unassigned, 1 lost, 2 migrating.
var (
	DirUnassigned = UUID{}
	DirLost       = UUID{15: 1}
)

// String is the 22-character base64url form.
func (u UUID) String() string { return base64.RawURLEncoding.EncodeToString(u[:]) }

// IsZero reports whether u is the zero UUID.
func (u UUID) IsZero() bool { return u == UUID{} }

// ParseUUID reads the 22-character form.
func ParseUUID(s string) (UUID, error) {
	var u UUID
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != len(u) {
		return u, fmt.Errorf("%q is no id: want 22 characters of base64url", s)
	}
	copy(u[:], b)
	return u, nil
}

// NewUUID draws a random (version 4) id, never one of the reserved ones nor
// one whose text begins with a dash, which command lines take for a flag.
func NewUUID(entropy clock.Entropy) UUID {
	for {
		var u UUID
		entropy.Read(u[:])
		u[6] = u[6]&0x0f | 0x40
		u[8] = u[8]&0x3f | 0x80
		if u.String()[0] != '-' {
			return u
		}
	}
}

// TopicPartition names a partition for good: the topic's id, which a topic
// made anew under the same name does not share, and the index.
type TopicPartition struct {
	Topic     UUID
	Partition int32
}

func (tp TopicPartition) String() string { return fmt.Sprintf("%s-%d", tp.Topic, tp.Partition) }

// Well-known names.
const (
	MetadataTopicName = "__cluster_metadata"
	OffsetsTopicName  = "__consumer_offsets"
)

// Durability is what an ack means on one replica; it belongs to the topic
// (config moldau.durability) and is fixed at creation.
type Durability uint8

const (
	// DurabilitySync: acked bytes are on stable storage.
	DurabilitySync Durability = iota
	// DurabilityOS: acked bytes are in the operating system's page cache, as with Apache Kafka.
	DurabilityOS
)

func (d Durability) String() string {
	if d == DurabilityOS {
		return "os"
	}
	return "sync"
}
