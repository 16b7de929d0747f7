package batch

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func drawBytes(t *rapid.T, label string) []byte {
	switch rapid.IntRange(0, 5).Draw(t, label+" kind") {
	case 0:
		return nil
	case 1:
		return []byte{}
	case 2: // compressible, long enough for two-byte lengths and several blocks
		return bytes.Repeat([]byte(label), rapid.IntRange(1, 20000).Draw(t, label+" repeat"))
	}
	return rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, label)
}

func drawRecord(t *rapid.T) NewRecord {
	r := NewRecord{Timestamp: rapid.Int64Range(-1, 1<<62).Draw(t, "timestamp"), Key: drawBytes(t, "key"), Value: drawBytes(t, "value")}
	for range rapid.IntRange(0, 3).Draw(t, "headers") {
		r.Headers = append(r.Headers, RecordHeader{Key: rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "name"), Value: drawBytes(t, "header")})
	}
	return r
}

func drawOptions(t *rapid.T) BuilderOptions {
	o := BuilderOptions{
		BaseOffset:  rapid.Int64Range(0, 1<<62).Draw(t, "base offset"),
		LeaderEpoch: rapid.Int32Range(-1, 1<<30).Draw(t, "leader epoch"),
		Compression: rapid.SampledFrom([]Compression{
			{}, {CodecGzip, 0}, {CodecGzip, 1}, {CodecGzip, -1}, {CodecGzip, 9}, {CodecSnappy, 0}, {CodecLZ4, 0}, {CodecLZ4, 1}, {CodecLZ4, 9}, {CodecLZ4, 17},
			{CodecZstd, 0}, {CodecZstd, -131072}, {CodecZstd, 3}, {CodecZstd, 22},
		}).Draw(t, "compression"),
		Transactional: rapid.Bool().Draw(t, "transactional"),
	}
	if rapid.Bool().Draw(t, "producer") {
		o.Producer = &Producer{rapid.Int64Range(0, 1<<40).Draw(t, "id"), rapid.Int16Range(0, 99).Draw(t, "epoch"), rapid.Int32Min(0).Draw(t, "seq")}
	}
	if rapid.Bool().Draw(t, "append time") {
		o.TimestampType, o.AppendTime = LogAppendTime, 12345
	}
	return o
}

func wantText(o BuilderOptions, i int, delta int32, r NewRecord) string {
	rec := Record{Offset: o.BaseOffset + int64(delta), Timestamp: r.Timestamp, Key: r.Key, Value: r.Value, HeaderCount: len(r.Headers)}
	if o.TimestampType == LogAppendTime {
		rec.Timestamp = o.AppendTime
	}
	for _, h := range r.Headers {
		rec.headers = append(appendVarint(rec.headers, int64(len(h.Key))), h.Key...)
		rec.headers = appendNullable(rec.headers, h.Value)
	}
	return recordText(rec)
}

// What is built is read back, through every codec, one Codecs for all.
func TestRoundTrip(t *testing.T) {
	c := NewCodecs(Limits{})
	rapid.Check(t, func(t *rapid.T) {
		o := drawOptions(t)
		b := NewBuilder(o)
		var want []string
		delta := int32(-1)
		for i := range rapid.IntRange(1, 20).Draw(t, "records") {
			r := drawRecord(t)
			delta += rapid.Int32Range(1, 3).Draw(t, "gap")
			if err := b.AppendAt(delta, r); err != nil {
				t.Fatal(err)
			}
			want = append(want, wantText(o, i, delta, r))
		}
		size := b.Size()
		out, err := b.Build(c)
		if err != nil {
			t.Fatal(err)
		}
		if o.Compression.Codec == CodecNone && len(out) != size {
			t.Fatalf("size %d, built %d", size, len(out))
		}
		h, whole, rest, err := Next(append(append([]byte{}, out...), 1, 2, 3))
		if err != nil || len(rest) != 3 || CheckCRC(whole) != nil {
			t.Fatal(err, rest)
		}
		if h.LastOffset() != o.BaseOffset+int64(delta) || h.Codec() != o.Compression.Codec || h.TimestampType() != o.TimestampType ||
			h.IsTransactional() != o.Transactional || h.HasProducer() != (o.Producer != nil) || int(h.Count) != len(want) || h.LeaderEpoch != o.LeaderEpoch {
			t.Fatalf("header %+v", h)
		}
		body, err := c.Body(h, whole)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for it := Records(h, body); ; {
			r, ok, err := it.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			got = append(got, recordText(r))
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// A patched batch is whole, and only what was asked for has changed.
func TestPatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		out, err := buildOne(t)
		if err != nil {
			t.Fatal(err)
		}
		before, _ := ParseHeader(out)
		body := string(out[HeaderSize:])
		offset, epoch, now := rapid.Int64Min(0).Draw(t, "offset"), rapid.Int32().Draw(t, "epoch"), rapid.Int64().Draw(t, "now")
		SetBaseOffset(out, offset)
		SetLeaderEpoch(out, epoch)
		if err := CheckCRC(out); err != nil {
			t.Fatal("offset and epoch are outside the checksum:", err)
		}
		SetAppendTime(out, now)
		if err := CheckCRC(out); err != nil {
			t.Fatal(err)
		}
		want := before
		want.BaseOffset, want.LeaderEpoch, want.MaxTimestamp = offset, epoch, now
		want.Attributes |= attrLogAppendTime
		after, _ := ParseHeader(out)
		want.CRC = after.CRC
		if after != want || body != string(out[HeaderSize:]) {
			t.Fatalf("after %+v, want %+v", after, want)
		}
		// Every flipped bit but those of the offset and the epoch is seen.
		i := rapid.IntRange(magicAt, len(out)-1).Draw(t, "byte")
		out[i] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if h, err := ParseHeader(out); err == nil && h.Size() == len(out) && CheckCRC(out) == nil {
			t.Fatalf("flipped bit in byte %d is not seen", i)
		}
	})
}

func buildOne(t *rapid.T) ([]byte, error) {
	o := drawOptions(t)
	o.TimestampType = CreateTime
	b := NewBuilder(o)
	for range rapid.IntRange(1, 3).Draw(t, "records") {
		if err := b.Append(drawRecord(t)); err != nil {
			return nil, err
		}
	}
	return b.Build(NewCodecs(Limits{}))
}

// Every cut of a run of batches is ErrPartial at the batch that was cut.
func TestNextOnCutRuns(t *testing.T) {
	one, two := golden(t, "none"), golden(t, "zstd")
	run := append(append([]byte{}, one...), two...)
	for n := range run {
		b, whole := run[:n], 0
		for {
			_, batch, rest, err := Next(b)
			if err != nil {
				if !errors.Is(err, ErrPartial) {
					t.Fatalf("cut at %d: %v", n, err)
				}
				break
			}
			b = rest
			whole += len(batch)
		}
		if want := map[bool]int{true: len(one), false: 0}[n >= len(one)]; whole != want {
			t.Fatalf("cut at %d: %d bytes of whole batches, want %d", n, whole, want)
		}
	}
}

func TestVarints(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v32, v64 := rapid.Int32().Draw(t, "v32"), rapid.Int64().Draw(t, "v64")
		b := appendVarint(nil, int64(v32))
		if got, next := varint(b, 0); got != v32 || next != len(b) || varintLen(int64(v32)) != len(b) {
			t.Fatalf("%d: %d, %d of %d", v32, got, next, len(b))
		}
		if _, next := varint(b[:len(b)-1], 0); next >= 0 {
			t.Fatal("took a cut varint")
		}
		b = appendVarint(nil, v64)
		if got, next := varlong(b, 0); got != v64 || next != len(b) || varintLen(v64) != len(b) {
			t.Fatalf("%d: %d, %d of %d", v64, got, next, len(b))
		}
		if _, next := varlong(b[:len(b)-1], 0); next >= 0 {
			t.Fatal("took a cut varlong")
		}
	})
}

func TestXXH32(t *testing.T) {
	for text, want := range map[string]uint32{
		"": 0x02cc5d05, "a": 0x550d7456, "abc": 0x32d153ff, "Nobody inspects the spammish repetition": 0xe2293b2f,
	} {
		if got := xxh32([]byte(text)); got != want {
			t.Errorf("%q: %08x, want %08x", text, got, want)
		}
	}
}

func TestSequencesWrap(t *testing.T) {
	h := Header{BaseSequence: 1<<31 - 2, LastOffsetDelta: 3}
	if h.LastSequence() != 1 {
		t.Fatal(h.LastSequence())
	}
	if h = (Header{BaseSequence: NoSequence, LastOffsetDelta: 3}); h.LastSequence() != NoSequence {
		t.Fatal(h.LastSequence())
	}
}

func TestCompressionLevels(t *testing.T) {
	for c, ok := range map[Compression]bool{
		{CodecGzip, 9}: true, {CodecGzip, 10}: false, {CodecGzip, -1}: true, {CodecGzip, -2}: false, {CodecLZ4, 17}: true, {CodecLZ4, 18}: false, {CodecLZ4, -1}: false,
		{CodecZstd, 22}: true, {CodecZstd, 23}: false, {CodecZstd, -131072}: true, {CodecZstd, -131073}: false, {CodecSnappy, 1}: false, {Codec(5), 0}: false,
	} {
		if err := c.Validate(); (err == nil) != ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
