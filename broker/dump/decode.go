package dump

import (
	"encoding/binary"
	"fmt"

	"github.com/moldau/moldau/broker/kafka"
)

// schemaReader reads a record by its schema.
type schemaReader struct {
	kafka.Reader
	version  int16
	flexible bool
}

func newReader(b []byte) schemaReader { return schemaReader{Reader: kafka.NewReader(b)} }

// decodeKey reads a coordinator record's key: its kind and fields.
func (s *schema) decodeKey(topic string, key []byte) (*recordSchema, object, error) {
	if len(key) < 2 {
		return nil, nil, fmt.Errorf("key of %d bytes: %w", len(key), kafka.ErrShort)
	}
	number := int16(binary.BigEndian.Uint16(key))
	r := s.topics[topic][number]
	if r == nil {
		return nil, nil, fmt.Errorf("unknown record type %d", number)
	}
	d := newReader(key[2:])
	o := d.fields(r.key)
	return r, o, d.done("key of " + r.name)
}

// decodeValue reads the value that belongs to such a key.
func (r *recordSchema) decodeValue(value []byte) (int16, object, error) {
	if len(value) < 2 {
		return 0, nil, fmt.Errorf("value of %d bytes: %w", len(value), kafka.ErrShort)
	}
	version := int16(binary.BigEndian.Uint16(value))
	if version < 0 || version > r.newest {
		return version, nil, fmt.Errorf("value of %s has version %d, known is %d", r.name, version, r.newest)
	}
	d := schemaReader{Reader: kafka.NewReader(value[2:]), version: version, flexible: version >= r.flexible}
	o := d.fields(r.value)
	return version, o, d.done("value of " + r.name)
}

func (d *schemaReader) done(what string) error {
	switch {
	case d.Bad():
		return fmt.Errorf("%s: %w", what, kafka.ErrShort)
	case d.Len() > 0:
		return fmt.Errorf("%s: %d bytes are left over", what, d.Len())
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
	for n := d.Uvarint(); n > 0 && !d.Bad(); n-- {
		tag := int(d.Uvarint())
		content := schemaReader{Reader: kafka.NewReader(d.Take(int(d.Uvarint()))), version: d.version, flexible: true}
		if d.Bad() {
			break
		}
		o = append(o, content.taggedField(fs, tag))
		if content.Bad() {
			d.Fail(kafka.ErrShort)
		}
	}
	return o
}

func (d *schemaReader) taggedField(fs []*fieldSchema, tag int) field {
	for _, f := range fs {
		if f.tag != tag {
			continue
		}
		if f.typ == "{}" && !f.array && f.nullable { // its own way to say null
			if d.Uvarint() == 0 {
				return field{f.name, nil}
			}
			return field{f.name, d.fields(f.fields)}
		}
		return field{f.name, d.value(f)}
	}
	return field{fmt.Sprintf("tag%d", tag), d.Take(d.Len())}
}

func (d *schemaReader) value(f *fieldSchema) any {
	if !f.array {
		return d.single(f)
	}
	n, null := 0, false
	if f.shortCount {
		n = int(d.uint(1))
	} else if n, null = d.length(4); null {
		return nil
	}
	const elementLenMin = 1
	if n > d.Len()/elementLenMin {
		d.Fail(kafka.ErrShort)
	}
	l := list{}
	element := *f
	element.nullable = false
	for ; n > 0 && !d.Bad(); n-- {
		l = append(l, d.single(&element))
	}
	return l
}

func (d *schemaReader) single(f *fieldSchema) any {
	switch f.typ {
	case "int8":
		return d.Int8()
	case "int16":
		return d.Int16()
	case "uint16":
		return d.Uint16()
	case "int32":
		return d.Int32()
	case "int64":
		return d.Int64()
	case "uuid":
		return d.UUID()
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
	if f.nullable && d.Int8() < 0 { // a struct
		return nil
	}
	return d.fields(f.fields)
}

// uint reads an unsigned number of size bytes.
func (d *schemaReader) uint(size int) (u uint64) {
	for _, c := range d.Take(size) {
		u = u<<8 | uint64(c)
	}
	return u
}

// length reads a length: of size bytes, or one more than it as uvarint in the flexible encoding.
func (d *schemaReader) length(size int) (n int, null bool) {
	switch {
	case d.flexible:
		n = int(d.Uvarint()) - 1
	case size == 2:
		n = int(d.Int16())
	default:
		n = int(d.Int32())
	}
	return n, n < 0
}

func (d *schemaReader) bytes(size int) []byte {
	n, null := d.length(size)
	if null {
		return nil
	}
	if b := d.Take(n); b != nil {
		return b
	}
	return []byte{}
}
