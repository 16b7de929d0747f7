package batch

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func seeds(f *testing.F) {
	names, err := filepath.Glob("testdata/kafka/*.bin")
	if err != nil || len(names) == 0 {
		f.Fatal("no goldens", err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if len(b) < 4096 {
			f.Add(b)
		}
	}
}

// FuzzDecodeBatch reads a run of batches as recovery and consumers do. The
// checksum is not asked, so that the fuzzer gets behind it.
func FuzzDecodeBatch(f *testing.F) {
	seeds(f)
	c := NewCodecs(Limits{MaxDecompressed: 1 << 20})
	f.Fuzz(func(t *testing.T, b []byte) {
		for {
			h, whole, rest, err := Next(b)
			if err != nil {
				return
			}
			if len(whole) != h.Size() || len(whole)+len(rest) != len(b) || h.put2(whole) {
				t.Fatal("batch does not add up")
			}
			_ = CheckCRC(whole)
			body, err := c.Body(h, whole)
			if err == nil {
				decodeRecords(t, h, body)
			} else if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrTooLarge) {
				t.Fatalf("error without a class: %v", err)
			}
			b = rest
		}
	})
}

// put2 reports whether the header written again differs from b's.
func (h *Header) put2(b []byte) bool {
	var again [HeaderSize]byte
	h.put(again[:])
	return string(again[:]) != string(b[:HeaderSize])
}

func decodeRecords(t *testing.T, h Header, body []byte) {
	size := 0
	for it := Records(h, body); ; {
		r, ok, err := it.Next()
		if !ok {
			if err == nil && size != len(body) {
				t.Fatalf("%d of %d bytes", size, len(body))
			}
			return
		}
		size += r.Size
		for hs := r.Headers(); ; {
			if _, ok := hs.Next(); !ok {
				break
			}
		}
		if h.IsControl() {
			if c, err := ParseControl(r.Key, r.Value); err == nil {
				c.Value()
			}
		}
	}
}

// FuzzValidate holds what Validate promises of any bytes: a refused batch is
// unchanged, an accepted one is whole, passes again and changes no more.
func FuzzValidate(f *testing.F) {
	seeds(f)
	c := NewCodecs(Limits{MaxDecompressed: 1 << 20})
	f.Fuzz(func(t *testing.T, b []byte) {
		b = append([]byte{}, b...)
		if len(b) >= HeaderSize {
			SetBaseOffset(b, 0)
			resum(b)
		}
		p := kafkaPolicy()
		if len(b) > 0 {
			switch b[len(b)-1] % 4 {
			case 1:
				p.Compacted = true
			case 2:
				p.TimestampType = LogAppendTime
			case 3:
				p.Recompress, p.Target = true, Compression{Codec: Codec(b[0] % 5)}
			}
		}
		before := string(b)
		info, err := Validate(c, b, p, verdictNow)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Code.Name() == "UNKNOWN_SERVER_ERROR" || before != string(b) {
				t.Fatalf("refused: %v", err)
			}
			return
		}
		stored := b
		if info.Rewritten != nil {
			stored = info.Rewritten
		}
		h, whole, rest, err := Next(stored)
		if err != nil || len(rest) != 0 || CheckCRC(whole) != nil || h != info.Header {
			t.Fatalf("accepted %+v, stored %+v: %v", info, h, err)
		}
		// As in Kafka, a batch that a client flags LogAppendTime is judged by its
		// maximal timestamp, and shows its records' own once the flag is taken off.
		if flagged := len(before) > attributesAt+1 && Attributes(before[attributesAt+1])&attrLogAppendTime != 0; flagged {
			return
		}
		p.TimestampType = CreateTime // an append time passes as a create time of now
		again, err := Validate(c, append([]byte{}, stored...), p, verdictNow)
		if err != nil || again.Rewritten != nil || again.BodySize != info.BodySize {
			t.Fatalf("second time: %+v, %v", again, err)
		}
	})
}
