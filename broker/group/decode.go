package group

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
)

var (
	errShort   = errors.New("record ends early")
	errVersion = errors.New("unknown version")
)

// reader takes the fields of a record from its bytes. After an error it
// yields zeros; bad says so.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.b, r.bad = nil, true
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) int16() int16 {
	if b := r.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) int32() int32 {
	if b := r.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (r *reader) int64() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > 1<<31 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) string() []byte { return r.take(int(r.int16())) }

func (r *reader) compactString() []byte { return r.take(int(r.uvarint()) - 1) }

// offsetKey is the key of a committed offset; group and topic are parts of
// the record's bytes.
type offsetKey struct {
	group, topic []byte
	partition    int32
}

// decodeOffsetKey reads what follows the version, which is the same in
// versions 0 and 1.
func decodeOffsetKey(b []byte) (offsetKey, error) {
	r := reader{b: b}
	k := offsetKey{group: r.string(), topic: r.string(), partition: r.int32()}
	if r.bad {
		return k, fmt.Errorf("key of a committed offset: %w", errShort)
	}
	return k, nil
}

// decodeOffsetValue reads any version of a committed offset.
func decodeOffsetValue(b []byte) (committed, error) {
	r := reader{b: b}
	c := committed{leaderEpoch: -1}
	version, expire, metadata := r.int16(), int64(-1), []byte(nil)
	if version < 0 || version > offsetValueMax {
		return c, fmt.Errorf("committed offset: %w %d", errVersion, version)
	}
	c.offset = r.int64()
	if version >= 3 {
		c.leaderEpoch = r.int32()
	}
	if version >= 4 {
		metadata = r.compactString()
	} else {
		metadata = r.string()
	}
	c.commitTime = r.int64()
	switch {
	case version == 1:
		expire = r.int64()
	case version >= 4:
		c.topicID = decodeTopicIDTag(&r)
	}
	if r.bad {
		return c, fmt.Errorf("committed offset version %d: %w", version, errShort)
	}
	if len(metadata) > 0 || expire >= 0 {
		c.rare = &rare{metadata: string(metadata), expires: expire}
	}
	return c, nil
}

// decodeTopicIDTag reads the tagged fields of a committed offset; others than
// the topic id are skipped.
func decodeTopicIDTag(r *reader) (id kafka.UUID) {
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		tag := r.uvarint()
		field := r.take(int(r.uvarint()))
		if tag != 0 || r.bad {
			continue
		}
		if len(field) != len(id) {
			r.bad = true
			break
		}
		copy(id[:], field)
	}
	return id
}

// decodeGroupKey reads what follows the version.
func decodeGroupKey(b []byte) ([]byte, error) {
	r := reader{b: b}
	id := r.string()
	if r.bad {
		return nil, fmt.Errorf("key of a group: %w", errShort)
	}
	return id, nil
}

// decodeGroupValue reads any version of a group.
func decodeGroupValue(b []byte) (*kmsg.GroupMetadataValue, error) {
	if len(b) < 2 {
		return nil, fmt.Errorf("group: %w", errShort)
	}
	version := int16(binary.BigEndian.Uint16(b))
	if version < 0 || version > groupValueMax {
		return nil, fmt.Errorf("group: %w %d", errVersion, version)
	}
	value := kmsg.NewGroupMetadataValue()
	if err := value.ReadFrom(b); err != nil {
		return nil, fmt.Errorf("group version %d: %w", version, err)
	}
	if len(value.Members) > 0 && value.Protocol == nil {
		return nil, fmt.Errorf("group version %d has %d members, but no protocol", version, len(value.Members))
	}
	return &value, nil
}
