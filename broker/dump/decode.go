package dump

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/moldau/moldau/broker/kafka"
)

// errShort: the bytes end before the record does, or hold an impossible length.
var errShort = errors.New("ends early or holds an impossible length")

// schemaReader reads a record by its schema. After short is set everything reads as zero.
type schemaReader struct {
	b        []byte
	version  int16
	flexible bool
	short    bool
}

// decodeKey reads a coordinator record's key: its kind and fields.
func (s *schema) decodeKey(topic string, key []byte) (*recordSchema, object, error) {
	if len(key) < 2 {
		return nil, nil, fmt.Errorf("key of %d bytes: %w", len(key), errShort)
	}
	number := int16(binary.BigEndian.Uint16(key))
	r := s.topics[topic][number]
	if r == nil {
		return nil, nil, fmt.Errorf("unknown record type %d", number)
	}
	d := schemaReader{b: key[2:]}
	o := d.fields(r.key)
	return r, o, d.done("key of " + r.name)
}

// decodeValue reads the value that belongs to such a key.
func (r *recordSchema) decodeValue(value []byte) (int16, object, error) {
	if len(value) < 2 {
		return 0, nil, fmt.Errorf("value of %d bytes: %w", len(value), errShort)
	}
	version := int16(binary.BigEndian.Uint16(value))
	if version < 0 || version > r.newest {
		return version, nil, fmt.Errorf("value of %s has version %d, known is %d", r.name, version, r.newest)
	}
	d := schemaReader{b: value[2:], version: version, flexible: version >= r.flexible}
	o := d.fields(r.value)
	return version, o, d.done("value of " + r.name)
}

func (d *schemaReader) done(what string) error {
	switch {
	case d.short:
		return fmt.Errorf("%s: %w", what, errShort)
	case len(d.b) > 0:
		return fmt.Errorf("%s: %d bytes are left over", what, len(d.b))
	}
	return nil
}

func (d *schemaReader) fields(fs []*fieldSchema) object {
	var o object
	for _, f := range fs {
		if f.tag < 0 && d.version >= f.since && d.version <= f.until {
			o = append(o, field{f.name, d.value(f)})
		}
	}
	if d.flexible {
		o = d.tagged(fs, o)
	}
	return o
}

// tagged reads the tagged fields at a struct's end; unknown ones are shown raw.
func (d *schemaReader) tagged(fs []*fieldSchema, o object) object {
	for n := d.uvarint(); n > 0 && !d.short; n-- {
		tag := d.uvarint()
		content := schemaReader{b: d.take(d.uvarint()), version: d.version, flexible: true}
		if d.short {
			break
		}
		o = append(o, content.taggedField(fs, tag))
		d.short = d.short || content.short
	}
	return o
}

func (d *schemaReader) taggedField(fs []*fieldSchema, tag int) field {
	for _, f := range fs {
		if f.tag != tag {
			continue
		}
		if f.typ == "{}" && !f.array && f.nullable { // its own way to say null
			if d.uvarint() == 0 {
				return field{f.name, nil}
			}
			return field{f.name, d.fields(f.fields)}
		}
		return field{f.name, d.value(f)}
	}
	return field{fmt.Sprintf("tag%d", tag), d.take(len(d.b))}
}

func (d *schemaReader) value(f *fieldSchema) any {
	if !f.array {
		return d.single(f)
	}
	n, null := d.length(4)
	if null {
		return nil
	}
	const elementLenMin = 1
	if n > len(d.b)/elementLenMin {
		d.short = true
	}
	l := list{}
	element := *f
	element.nullable = false
	for ; n > 0 && !d.short; n-- {
		l = append(l, d.single(&element))
	}
	return l
}

func (d *schemaReader) single(f *fieldSchema) any {
	switch f.typ {
	case "int8":
		return int8(d.uint(1))
	case "int16":
		return int16(d.uint(2))
	case "uint16":
		return uint16(d.uint(2))
	case "int32":
		return int32(d.uint(4))
	case "int64":
		return int64(d.uint(8))
	case "uuid":
		var u kafka.UUID
		copy(u[:], d.take(len(u)))
		return u
	case "string":
		if b := d.bytes(2); b != nil {
			return string(b)
		}
		return nil
	case "bytes":
		if b := d.bytes(4); b != nil {
			return b
		}
		return nil
	}
	if f.nullable && int8(d.uint(1)) < 0 { // a struct
		return nil
	}
	return d.fields(f.fields)
}

func (d *schemaReader) take(n int) []byte {
	if d.short || n < 0 || n > len(d.b) {
		d.short = true
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *schemaReader) uint(size int) (u uint64) {
	for _, c := range d.take(size) {
		u = u<<8 | uint64(c)
	}
	return u
}

// uvarint reads a length, count or tag; none is beyond 31 bits.
func (d *schemaReader) uvarint() int {
	u, n := binary.Uvarint(d.b)
	if n <= 0 || u > 1<<31-1 {
		d.short = true
		return 0
	}
	d.b = d.b[n:]
	return int(u)
}

// length reads a length: of size bytes, or one more than it as uvarint in the flexible encoding.
func (d *schemaReader) length(size int) (n int, null bool) {
	switch {
	case d.flexible:
		n = d.uvarint() - 1
	case size == 2:
		n = int(int16(d.uint(2)))
	default:
		n = int(int32(d.uint(4)))
	}
	return n, n < 0
}

func (d *schemaReader) bytes(size int) []byte {
	n, null := d.length(size)
	if null {
		return nil
	}
	if b := d.take(n); b != nil {
		return b
	}
	return []byte{}
}
