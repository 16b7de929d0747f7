package batch

import (
	"fmt"
	"testing"
)

// benchBatch is some 64 KiB of records with values of the given size, half compressible.
func benchBatch(tb testing.TB, valueSize int, codec Codec) []byte {
	b := NewBuilder(BuilderOptions{Compression: Compression{Codec: codec}, Producer: &Producer{1, 0, 0}})
	x := uint32(1)
	for b.Size() < 64<<10 {
		v := make([]byte, valueSize)
		for i := range v {
			if i%2 == 0 {
				x = x*1664525 + 1013904223
			}
			v[i] = byte('a' + x>>24&15)
		}
		if err := b.Append(NewRecord{Timestamp: verdictNow, Key: []byte("key-0001"), Value: v}); err != nil {
			tb.Fatal(err)
		}
	}
	return build(tb, b, NewCodecs(Limits{}))
}

func BenchmarkValidate(b *testing.B) {
	for _, codec := range allCodecs {
		for _, size := range []int{100, 1024} {
			b.Run(fmt.Sprintf("%s/%dB", codec, size), func(b *testing.B) {
				raw := benchBatch(b, size, codec)
				c := NewCodecs(Limits{})
				info, err := Validate(c, raw, kafkaPolicy(), verdictNow)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(info.BodySize))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := Validate(c, raw, kafkaPolicy(), verdictNow); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(info.Header.Count), "records/op")
			})
		}
	}
}

func BenchmarkCRC(b *testing.B) {
	raw := benchBatch(b, 1024, CodecNone)
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if CheckCRC(raw) != nil {
			b.Fatal()
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, codec := range allCodecs {
		b.Run(codec.String(), func(b *testing.B) {
			c := NewCodecs(Limits{})
			var builder Builder
			value := make([]byte, 1024)
			b.SetBytes(64 << 10)
			b.ReportAllocs()
			for b.Loop() {
				builder.Reset(BuilderOptions{Compression: Compression{Codec: codec}})
				for range 64 {
					if err := builder.Append(NewRecord{Timestamp: verdictNow, Value: value}); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := builder.Build(c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The path of a good batch that stays as it is allocates nothing.
func TestValidateAllocatesNothing(t *testing.T) {
	for _, codec := range allCodecs {
		raw := benchBatch(t, 100, codec)
		c := NewCodecs(Limits{})
		got := testing.AllocsPerRun(100, func() {
			if _, err := Validate(c, raw, kafkaPolicy(), verdictNow); err != nil {
				t.Fatal(err)
			}
		})
		limit := 0.0
		if got > limit {
			t.Errorf("%s: %v allocations", codec, got)
		}
	}
}
