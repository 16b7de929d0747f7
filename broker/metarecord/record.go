package metarecord

import (
	"encoding/binary"
	"fmt"

	"github.com/moldau/moldau/internal/invariant"
)

// Type is a record's number in Kafka's MetadataRecordType.
type Type int16

// Record is one of the structs of records_gen.go, always as a pointer. A
// record that was handed on must not be changed any more.
type Record interface {
	// Type is the record's number.
	Type() Type

	appendTo(dst []byte, version int16) []byte
	readFrom(r *reader, version int16)
}

// Tag is a tagged field that this package does not know.
type Tag struct {
	Key   uint32
	Value []byte
}

type typeRow struct {
	name string
	// levels[v] is the least metadata.version that allows record version v.
	levels []int16
}

// frameVersion leads every record's value.
const frameVersion = 1

// Known reports whether t is a record type of Kafka 4.4.
func (t Type) Known() bool { return t >= 0 && int(t) < len(types) && types[t].name != "" }

// String is Kafka's name of the record.
func (t Type) String() string {
	if t.Known() {
		return types[t].name
	}
	return fmt.Sprintf("record type %d", int16(t))
}

// MaxVersion is the newest version of the record that is known here; t must be Known.
func (t Type) MaxVersion() int16 { return int16(len(types[t].levels)) - 1 }

// VersionAt is the version in which records of type t are written at a
// finalized metadata.version; ok is false when that level has no such record.
func (t Type) VersionAt(metadataVersion int16) (version int16, ok bool) {
	invariant.Check(t.Known(), "version of %s", t)
	for v := t.MaxVersion(); v >= 0; v-- {
		if types[t].levels[v] <= metadataVersion {
			return v, true
		}
	}
	return 0, false
}

// Encode appends r's value at the given version. A field that is set and that
// the version cannot hold is a programmer's error, as is an unknown version.
func Encode(dst []byte, r Record, version int16) []byte {
	t := r.Type()
	invariant.Check(version >= 0 && version <= t.MaxVersion(), "encode %s: no version %d", t, version)
	dst = append(dst, frameVersion)
	dst = binary.AppendUvarint(dst, uint64(t))
	dst = binary.AppendUvarint(dst, uint64(version))
	return r.appendTo(dst, version)
}

// EncodeAt appends r's value in the version that a finalized metadata.version
// asks for. It fails when that level has no such record.
func EncodeAt(dst []byte, r Record, metadataVersion int16) ([]byte, error) {
	version, ok := r.Type().VersionAt(metadataVersion)
	if !ok {
		return dst, fmt.Errorf("encode %s: metadata.version %d does not allow it", r.Type(), metadataVersion)
	}
	return Encode(dst, r, version), nil
}

// Decode reads a record's value. An unknown type or a version newer than the
// known ones is an error that names it (ErrTooNew by errors.Is). The record
// shares no memory with value.
func Decode(value []byte) (Record, error) {
	r, _, err := DecodeVersion(value)
	return r, err
}

// DecodeVersion is Decode, telling the version that the value was written in.
func DecodeVersion(value []byte) (Record, int16, error) {
	rd := newReader(value)
	frame, typ, version := rd.Uvarint(), rd.Uvarint(), rd.Uvarint()
	if rd.Bad() {
		return nil, 0, fmt.Errorf("metadata record of %d bytes: %w", len(value), rd.failure())
	}
	if frame != frameVersion {
		return nil, 0, fmt.Errorf("metadata record with frame version %d: %w", frame, ErrTooNew)
	}
	if typ > uint64(len(types)) || !Type(typ).Known() {
		return nil, 0, fmt.Errorf("metadata record of unknown type %d: %w", typ, ErrTooNew)
	}
	t := Type(typ)
	if version > uint64(t.MaxVersion()) {
		return nil, 0, fmt.Errorf("%s version %d, newest known is %d: %w", t, version, t.MaxVersion(), ErrTooNew)
	}
	r := newRecord(t)
	r.readFrom(&rd, int16(version))
	if err := rd.failure(); err != nil {
		return nil, 0, fmt.Errorf("%s version %d: %w", t, version, err)
	}
	return r, int16(version), nil
}
