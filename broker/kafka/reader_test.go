package kafka

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"
)

func TestReader(t *testing.T) {
	b := []byte{0xff, 0xff, 0xfe, 0x80, 0, 0, 1, 0x80, 0, 0, 0, 0, 0, 0, 2}
	b = append(b, MetadataTopicUUID[:]...)
	b = binary.AppendUvarint(b, math.MaxUint32)
	b = append(b, "rest"...)
	r := NewReader(b)
	if a, b, c, d := r.Int8(), r.Int16(), r.Int32(), r.Int64(); a != -1 || b != -2 || c != math.MinInt32+1 || d != math.MinInt64+2 {
		t.Errorf("got %d %d %d %d", a, b, c, d)
	}
	if id, v := r.UUID(), r.Uvarint(); id != MetadataTopicUUID || v != math.MaxUint32 {
		t.Errorf("got %s %d", id, v)
	}
	if r.Len() != 4 || r.Bad() {
		t.Errorf("%d bytes left, %v", r.Len(), r.Err())
	}
	rest := r.Take(2)
	if _ = append(rest, 'x'); string(r.Take(2)) != "st" {
		t.Error("appending to what was taken changed what follows")
	}
}

// The first failure sticks, and what is read after it is zero.
func TestReaderFails(t *testing.T) {
	for name, read := range map[string]func(r *Reader){
		"short":           func(r *Reader) { r.Int64() },
		"negative length": func(r *Reader) { r.Take(-1) },
		"33 bits":         func(r *Reader) { *r = NewReader(binary.AppendUvarint(nil, math.MaxUint32+1)); r.Uvarint() },
		"endless":         func(r *Reader) { *r = NewReader([]byte{0x80, 0x80}); r.Uvarint() },
	} {
		r := NewReader([]byte{1, 2, 3, 4})
		read(&r)
		first := r.Err()
		if !r.Bad() || !errors.Is(first, ErrShort) || r.Len() != 0 {
			t.Errorf("%s: %v, %d bytes left", name, first, r.Len())
		}
		if r.Int8() != 0 || r.Int32() != 0 || r.Uvarint() != 0 || r.UUID() != ZeroUUID || len(r.Take(0)) != 0 || r.Take(1) != nil {
			t.Errorf("%s: something is read after the failure", name)
		}
		if r.Fail(errors.New("later")); r.Err() != first {
			t.Errorf("%s: the first failure is gone: %v", name, r.Err())
		}
	}
}

// Any reads of any bytes end within them: what was taken is what was there.
func FuzzReader(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 0xff, 0xff}, []byte{0, 1, 2, 3, 4, 5, 6, 200})
	f.Fuzz(func(t *testing.T, b, reads []byte) {
		r := NewReader(b)
		at := 0
		for _, kind := range reads {
			before := r.Len()
			switch size := 0; kind {
			case 0:
				size = 1
				if v := r.Int8(); !r.Bad() && v != int8(b[at]) {
					t.Fatal(v)
				}
				at += size
			case 1:
				r.Int16()
				at += 2
			case 2:
				r.Int32()
				at += 4
			case 3:
				r.Int64()
				at += 8
			case 4:
				r.UUID()
				at += 16
			case 5:
				if v := r.Uvarint(); v > math.MaxUint32 {
					t.Fatal(v)
				}
				at += before - r.Len()
			default:
				n := int(kind) - 10
				if got := r.Take(n); !r.Bad() && string(got) != string(b[at:at+n]) {
					t.Fatalf("%x", got)
				}
				at += n
			}
			if r.Bad() {
				if r.Len() != 0 || !errors.Is(r.Err(), ErrShort) {
					t.Fatalf("%d bytes left, %v", r.Len(), r.Err())
				}
				return
			}
			if r.Len() != len(b)-at {
				t.Fatalf("%d bytes left after %d of %d", r.Len(), at, len(b))
			}
		}
	})
}
