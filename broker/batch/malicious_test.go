package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"github.com/moldau/moldau/broker/kafka"
)

// allocated is how many bytes f takes from the heap.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

const bombBytes = 64 << 20

// bomb is bombBytes of zeros, compressed; once with and once without a size up
// front where the format has one.
func bombs(t testing.TB) map[string]struct {
	codec  Codec
	stream []byte
} {
	t.Helper()
	out := map[string]struct {
		codec  Codec
		stream []byte
	}{}
	c := NewCodecs(Limits{})
	zeros := make([]byte, bombBytes)
	for _, codec := range allCodecs[1:] {
		stream, err := c.AppendCompressed(nil, zeros, Compression{Codec: codec})
		if err != nil {
			t.Fatal(err)
		}
		out[codec.String()] = struct {
			codec  Codec
			stream []byte
		}{codec, stream}
	}
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(zeros); at += 1 << 20 {
		if _, err := w.Write(zeros[at : at+1<<20]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	out["zstd stream"] = struct {
		codec  Codec
		stream []byte
	}{CodecZstd, b.Bytes()}
	out["snappy raw"] = struct {
		codec  Codec
		stream []byte
	}{CodecSnappy, s2.EncodeSnappy(nil, zeros)}
	return out
}

func TestDecompressionBombs(t *testing.T) {
	for name, bomb := range bombs(t) {
		t.Run(name, func(t *testing.T) {
			const limit = 1 << 20
			c := NewCodecs(Limits{MaxDecompressed: limit})
			var err error
			if got := allocated(func() { _, err = c.Decompress(bomb.codec, bomb.stream) }); got > 8*limit {
				t.Errorf("took %d bytes for a limit of %d", got, limit)
			}
			if !errors.Is(err, ErrTooLarge) {
				t.Fatalf("error %v", err)
			}
			if cap(c.buf) > limit {
				t.Fatalf("buffer of %d bytes", cap(c.buf))
			}
			raw := withBody(golden(t, "none"), bomb.codec, 5, bomb.stream)
			SetBaseOffset(raw, 0)
			p := kafkaPolicy()
			p.MaxMessageBytes = len(raw)
			var e *Error
			if _, err := Validate(c, raw, p, 0); !errors.As(err, &e) || e.Code != kafka.ErrMessageTooLarge || !errors.Is(err, ErrTooLarge) {
				t.Fatalf("validate: %v", err)
			}
			// The next good batch is read as if nothing had been.
			if _, body := parse(t, c, golden(t, "zstd")); len(body) == 0 {
				t.Fatal("no body")
			}
		})
	}
}

// At exactly the limit a batch passes, one byte below it does not.
func TestDecompressionLimitIsExact(t *testing.T) {
	body := bytes.Repeat([]byte("moldau "), 30000)
	for _, codec := range allCodecs[1:] {
		for _, level := range []int{0, 1} {
			if codec == CodecSnappy {
				level = 0
			}
			stream, err := NewCodecs(Limits{}).AppendCompressed(nil, body, Compression{Codec: codec, Level: level})
			if err != nil {
				t.Fatal(err)
			}
			got, err := NewCodecs(Limits{MaxDecompressed: len(body)}).Decompress(codec, stream)
			if err != nil || !bytes.Equal(got, body) {
				t.Errorf("%s at the limit: %v", codec, err)
			}
			if _, err = NewCodecs(Limits{MaxDecompressed: len(body) - 1}).Decompress(codec, stream); !errors.Is(err, ErrTooLarge) {
				t.Errorf("%s beyond the limit: %v", codec, err)
			}
		}
	}
}

// Sizes that a header claims without the bytes behind it take no memory.
func TestSizesThatLie(t *testing.T) {
	zstdLie := []byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0 /* single segment, 8-byte size */, 0, 0, 0, 4, 0, 0, 0, 0 /* 64 MiB */, 1, 0, 0}
	lz4Lie := binary.LittleEndian.AppendUint32(nil, lz4Magic)
	lz4Lie = append(lz4Lie, lz4Version|lz4FlagIndependent|lz4FlagContentSize, 7<<4)
	lz4Lie = binary.LittleEndian.AppendUint64(lz4Lie, 1<<40)
	lz4Lie = append(lz4Lie, byte(xxh32(lz4Lie[4:])>>8), 5, 0, 0, 0, 0x10, 'a', 1, 0, 0)
	for name, lie := range map[string]struct {
		codec  Codec
		stream []byte
	}{
		"zstd":         {CodecZstd, zstdLie},
		"snappy":       {CodecSnappy, []byte{0xff, 0xff, 0xff, 0x7f, 0}},
		"snappy block": {CodecSnappy, append(appendXerial(nil, nil), 0, 0, 0, 5, 0xff, 0xff, 0xff, 0x7f, 0)},
		"snappy chunk": {CodecSnappy, append(appendXerial(nil, nil), 0x7f, 0xff, 0xff, 0xff, 0)},
		"lz4":          {CodecLZ4, lz4Lie},
		"zstd window":  {CodecZstd, []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0xff, 1, 0, 0}},
	} {
		c := NewCodecs(Limits{})
		var err error
		if got := allocated(func() { _, err = c.Decompress(lie.codec, lie.stream) }); got > 1<<20 {
			t.Errorf("%s: %d bytes for a lie", name, got)
		}
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// A giant count of records or headers ends at the bytes that are there.
func TestGiantCounts(t *testing.T) {
	raw := golden(t, "none")
	h := readHeader(raw)
	h.Count, h.LastOffsetDelta, h.BaseOffset = 1<<31-1, 1<<31-2, 0
	h.put(raw)
	resum(raw)
	if got := allocated(func() {
		if _, err := Validate(nil, raw, kafkaPolicy(), verdictNow); err == nil {
			t.Error("took it")
		}
	}); got > 16<<10 {
		t.Errorf("%d bytes", got)
	}
	n := 0
	for it := Records(h, raw[HeaderSize:]); ; n++ {
		if _, ok, err := it.Next(); !ok {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			break
		}
	}
	if n != 5 {
		t.Fatalf("%d records", n)
	}
}

// lz4 frames that Kafka's clients do not read are not stored.
func TestLZ4FramesThatKafkaRefuses(t *testing.T) {
	good, err := NewCodecs(Limits{}).appendLZ4(nil, []byte("some bytes some bytes some bytes"), 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(b []byte){
		"dependent blocks": func(b []byte) { b[4] &^= lz4FlagIndependent },
		"dictionary":       func(b []byte) { b[4] |= 1 },
		"version":          func(b []byte) { b[4] ^= 0xc0 },
		"block size":       func(b []byte) { b[5] = 3 << 4 },
		"reserved":         func(b []byte) { b[5] |= 1 },
	} {
		b := append([]byte{}, good...)
		change(b)
		b[6] = byte(xxh32(b[4:6]) >> 8)
		if _, err := NewCodecs(Limits{}).Decompress(CodecLZ4, b); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	bad := append([]byte{}, good...)
	bad[6] ^= 1
	if _, err := NewCodecs(Limits{}).Decompress(CodecLZ4, bad); !errors.Is(err, ErrCorrupt) {
		t.Errorf("header checksum: %v", err)
	}
}
