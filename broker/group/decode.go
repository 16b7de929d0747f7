package group

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
)

var errVersion = errors.New("unknown version")

// reader takes the fields of a record from its bytes.
type reader struct{ kafka.Reader }

func newReader(b []byte) reader { return reader{kafka.NewReader(b)} }

func (r *reader) string() []byte { return r.Take(int(r.Int16())) }

func (r *reader) compactString() []byte { return r.Take(int(r.Uvarint()) - 1) }

// offsetKey is the key of a committed offset; group and topic are parts of
// the record's bytes.
type offsetKey struct {
	group, topic []byte
	partition    int32
}

// decodeOffsetKey reads what follows the version, which is the same in
// versions 0 and 1.
func decodeOffsetKey(b []byte) (offsetKey, error) {
	r := newReader(b)
	k := offsetKey{group: r.string(), topic: r.string(), partition: r.Int32()}
	if r.Bad() {
		return k, fmt.Errorf("key of a committed offset: %w", kafka.ErrShort)
	}
	return k, nil
}

// decodeOffsetValue reads any version of a committed offset.
func decodeOffsetValue(b []byte) (committed, error) {
	r := newReader(b)
	c := committed{leaderEpoch: -1}
	version, expire, metadata := r.Int16(), int64(-1), []byte(nil)
	if version < 0 || version > offsetValueMax {
		return c, fmt.Errorf("committed offset: %w %d", errVersion, version)
	}
	c.offset = r.Int64()
	if version >= 3 {
		c.leaderEpoch = r.Int32()
	}
	if version >= 4 {
		metadata = r.compactString()
	} else {
		metadata = r.string()
	}
	c.commitTime = r.Int64()
	switch {
	case version == 1:
		expire = r.Int64()
	case version >= 4:
		c.topicID = decodeTopicIDTag(&r)
	}
	if r.Bad() {
		return c, fmt.Errorf("committed offset version %d: %w", version, kafka.ErrShort)
	}
	if len(metadata) > 0 || expire >= 0 {
		c.rare = &rare{metadata: string(metadata), expires: expire}
	}
	return c, nil
}

// decodeTopicIDTag reads the tagged fields of a committed offset; others than
// the topic id are skipped.
func decodeTopicIDTag(r *reader) (id kafka.UUID) {
	for n := r.Uvarint(); n > 0 && !r.Bad(); n-- {
		tag := r.Uvarint()
		field := r.Take(int(r.Uvarint()))
		if tag != 0 || r.Bad() {
			continue
		}
		if len(field) != len(id) {
			r.Fail(kafka.ErrShort)
			break
		}
		copy(id[:], field)
	}
	return id
}

// decodeGroupKey reads what follows the version.
func decodeGroupKey(b []byte) ([]byte, error) {
	r := newReader(b)
	id := r.string()
	if r.Bad() {
		return nil, fmt.Errorf("key of a group: %w", kafka.ErrShort)
	}
	return id, nil
}

// decodeGroupValue reads any version of a group.
func decodeGroupValue(b []byte) (*kmsg.GroupMetadataValue, error) {
	if len(b) < 2 {
		return nil, fmt.Errorf("group: %w", kafka.ErrShort)
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
