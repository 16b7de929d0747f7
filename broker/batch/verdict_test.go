package batch

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/moldau/moldau/broker/kafka"
)

var writeCases = flag.String("write-cases", "", "file to write the cases of TestValidateAsKafka into, for Verdicts.java")

const verdictNow = 1700000000000

// verdictCase is one produced batch and the topic's policy.
type verdictCase struct {
	name   string
	raw    []byte
	policy Policy
	// ours is our answer where it is meant to differ from Kafka's.
	ours string
}

func (c *verdictCase) line() string {
	target := "producer"
	if c.policy.Recompress {
		target = c.policy.Target.Codec.String()
	}
	p := c.policy
	return fmt.Sprint(c.name, " ", p.ProduceVersion, " ", p.Compacted, " ", p.TimestampType, " ", p.BeforeMaxMs, " ", p.AfterMaxMs,
		" ", p.MaxMessageBytes, " ", p.MaxRecordBytes, " ", target, " ", int64(verdictNow), " ", hex.EncodeToString(c.raw))
}

func kafkaPolicy() Policy {
	return Policy{ProduceVersion: 12, MaxMessageBytes: 1048588, BeforeMaxMs: 1<<63 - 1, AfterMaxMs: 3600000}
}

// resum computes the checksum anew after a change.
func resum(b []byte) []byte {
	binary.BigEndian.PutUint32(b[crcAt:], checksum(b))
	return b
}

// withBody is a batch with the header of like and another body.
func withBody(like []byte, codec Codec, count int32, body []byte) []byte {
	out := append(append([]byte{}, like[:HeaderSize]...), body...)
	h := readHeader(out)
	h.Length = int32(len(out) - LogOverhead)
	h.Attributes = h.Attributes&^attrCodecMask | Attributes(codec)
	h.Count, h.LastOffsetDelta = count, count-1
	h.put(out)
	return resum(out)
}

type caseSet struct {
	t     *testing.T
	cases []verdictCase
	c     *Codecs
}

func (s *caseSet) add(name string, raw []byte, change func(*Policy)) *verdictCase {
	c := verdictCase{name: name, raw: raw, policy: kafkaPolicy()}
	if change != nil {
		change(&c.policy)
	}
	s.cases = append(s.cases, c)
	return &s.cases[len(s.cases)-1]
}

func (s *caseSet) batch(opts BuilderOptions, rs ...NewRecord) []byte {
	b := NewBuilder(opts)
	appendAll(s.t, b, rs)
	return build(s.t, b, s.c)
}

func sampleRecords() []NewRecord {
	return []NewRecord{
		{Timestamp: verdictNow - 5, Key: []byte("a"), Value: []byte("first value, first value, first value")},
		{Timestamp: verdictNow + 7, Value: []byte("second"), Headers: []RecordHeader{{Key: []byte("h"), Value: []byte("v")}}},
		{Timestamp: verdictNow + 6, Key: []byte("c")},
	}
}

var allCodecs = []Codec{CodecNone, CodecGzip, CodecSnappy, CodecLZ4, CodecZstd}

func verdictCases(t *testing.T) []verdictCase {
	s := &caseSet{t: t, c: NewCodecs(Limits{})}
	for _, codec := range allCodecs {
		s.perCodec(codec)
	}
	s.shape()
	s.header()
	s.records()
	s.streams()
	return s.cases
}

func (s *caseSet) perCodec(codec Codec) {
	n := codec.String()
	opts := BuilderOptions{Compression: Compression{Codec: codec}}
	plain := func() []byte { return s.batch(opts, sampleRecords()...) }
	s.add(n+"-good", plain(), nil)
	s.add(n+"-version-6", plain(), func(p *Policy) { p.ProduceVersion = 6 })
	s.add(n+"-compacted", plain(), func(p *Policy) { p.Compacted = true })
	s.add(n+"-append-time", plain(), func(p *Policy) { p.TimestampType = LogAppendTime })
	s.add(n+"-too-old", plain(), func(p *Policy) { p.BeforeMaxMs = 4 })
	s.add(n+"-old-enough", plain(), func(p *Policy) { p.BeforeMaxMs = 5 })
	s.add(n+"-too-new", plain(), func(p *Policy) { p.AfterMaxMs = 6 })
	s.add(n+"-new-enough", plain(), func(p *Policy) { p.AfterMaxMs = 7 })
	s.add(n+"-compacted-and-late", plain(), func(p *Policy) { p.AfterMaxMs = 5; p.Compacted = true })
	s.add(n+"-size-limit", plain(), func(p *Policy) { p.MaxMessageBytes = len(plain()) })
	s.add(n+"-size-over", plain(), func(p *Policy) { p.MaxMessageBytes = len(plain()) - 1 })
	s.add(n+"-record-limit", plain(), func(p *Policy) { p.MaxRecordBytes = 44 })
	s.add(n+"-record-over", plain(), func(p *Policy) { p.MaxRecordBytes = 43 })
	for _, target := range allCodecs {
		s.add(n+"-to-"+target.String(), plain(), func(p *Policy) { p.Recompress, p.Target = true, Compression{Codec: target} })
		s.add(n+"-append-time-to-"+target.String(), plain(), func(p *Policy) {
			p.Recompress, p.Target, p.TimestampType = true, Compression{Codec: target}, LogAppendTime
		})
	}
	lie := plain()
	binary.BigEndian.PutUint64(lie[maxTimestampAt:], verdictNow+999)
	s.add(n+"-max-timestamp-lie", resum(lie), nil)
	flagged := s.batch(BuilderOptions{Compression: opts.Compression, TimestampType: LogAppendTime, AppendTime: verdictNow - 9}, sampleRecords()...)
	s.add(n+"-flagged-append-time", append([]byte{}, flagged...), nil)
	s.add(n+"-flagged-append-time-too-old", append([]byte{}, flagged...), func(p *Policy) { p.BeforeMaxMs = 8 })
	s.add(n+"-flagged-append-time-of-append-time", append([]byte{}, flagged...), func(p *Policy) { p.TimestampType = LogAppendTime })
	s.add(n+"-flagged-no-timestamp", s.batch(BuilderOptions{Compression: opts.Compression, TimestampType: LogAppendTime, AppendTime: -1}, sampleRecords()...), nil)
	s.add(n+"-no-timestamp", s.batch(opts, NewRecord{Timestamp: -1, Key: []byte("k")}), func(p *Policy) { p.BeforeMaxMs = 1 })
	s.add(n+"-negative-timestamp", s.batch(opts, NewRecord{Timestamp: -7, Key: []byte("k")}), nil)
	s.add(n+"-distant-past", s.batch(opts, NewRecord{Timestamp: -1 << 63}), nil)
	s.add(n+"-distant-future", s.batch(opts, NewRecord{Timestamp: 1<<63 - 1}), nil)
	s.add(n+"-idempotent", s.batch(BuilderOptions{Compression: opts.Compression, Producer: &Producer{5, 0, 0}}, sampleRecords()...), nil)
	s.add(n+"-transactional", s.batch(BuilderOptions{Compression: opts.Compression, Transactional: true, Producer: &Producer{5, 3, 8}}, sampleRecords()...), nil)
	s.add(n+"-transactional-to-gzip", s.batch(BuilderOptions{Compression: opts.Compression, Transactional: true, Producer: &Producer{5, 3, 8}}, sampleRecords()...),
		func(p *Policy) { p.Recompress, p.Target = true, Compression{Codec: CodecGzip} })
	gaps := NewBuilder(opts)
	for i, r := range sampleRecords() {
		if err := gaps.AppendAt(int32(2*i), r); err != nil {
			s.t.Fatal(err)
		}
	}
	odd := build(s.t, gaps, s.c)
	binary.BigEndian.PutUint32(odd[lastOffsetDeltaAt:], 2)
	s.add(n+"-odd-deltas", resum(odd), nil).ours = "INVALID_RECORD" // Kafka stores it or fails
}

// shape holds what is no single batch.
func (s *caseSet) shape() {
	good := s.batch(BuilderOptions{}, sampleRecords()...)
	s.add("two-batches", append(append([]byte{}, good...), good...), nil)
	s.add("trailing-bytes", append(append([]byte{}, good...), 1, 2, 3), nil).ours = "INVALID_RECORD" // Kafka cuts them off
	for _, n := range []int{1, 11, 12, 16, 17, 60, 61, len(good) - 1} {
		s.add(fmt.Sprint("cut-at-", n), append([]byte{}, good[:n]...), nil)
	}
	for _, magic := range []byte{0, 1, 3, 127, 255} {
		b := append([]byte{}, good...)
		b[magicAt] = magic
		s.add(fmt.Sprint("magic-", magic), b, nil)
	}
	for _, length := range []int32{-1, 0, 13, 14, 48, 49, 1 << 30} {
		b := append([]byte{}, good...)
		binary.BigEndian.PutUint32(b[lengthAt:], uint32(length))
		c := s.add(fmt.Sprint("length-", length), b, nil)
		switch length {
		case 14:
			c.ours = "CORRUPT_MESSAGE"
		case 49: // Kafka takes what follows for a second batch, of a bad size
			c.ours = "INVALID_RECORD"
		}
	}
}

// header holds batches whose header is wrong.
func (s *caseSet) header() {
	set := func(name string, change func(h *Header), ours string) {
		b := s.batch(BuilderOptions{Producer: &Producer{5, 1, 3}}, sampleRecords()...)
		h := readHeader(b)
		change(&h)
		h.put(b)
		s.add(name, resum(b), nil).ours = ours
	}
	set("base-offset", func(h *Header) { h.BaseOffset = 1 }, "")
	set("control", func(h *Header) { h.Attributes |= attrControl }, "")
	set("no-sequence", func(h *Header) { h.BaseSequence = -1 }, "")
	set("negative-epoch", func(h *Header) { h.ProducerEpoch = -1 }, "INVALID_RECORD")
	set("sequence-end", func(h *Header) { h.BaseSequence = 1<<31 - 1 }, "")
	set("count-0", func(h *Header) { h.Count = 0 }, "")
	set("count-0-delta--1", func(h *Header) { h.Count, h.LastOffsetDelta = 0, -1 }, "")
	set("count-negative", func(h *Header) { h.Count, h.LastOffsetDelta = -2, -3 }, "")
	set("count-less", func(h *Header) { h.Count = 2 }, "")
	set("count-more", func(h *Header) { h.Count = 4 }, "")
	set("both-less", func(h *Header) { h.Count, h.LastOffsetDelta = 2, 1 }, "")
	set("both-more", func(h *Header) { h.Count, h.LastOffsetDelta = 4, 3 }, "")
	set("giant-count", func(h *Header) { h.Count, h.LastOffsetDelta = 1<<31-1, 1<<31-2 }, "")
	set("codec-5", func(h *Header) { h.Attributes |= 5 }, "UNSUPPORTED_COMPRESSION_TYPE")
	set("delete-horizon", func(h *Header) { h.Attributes |= attrDeleteHorizon }, "INVALID_RECORD")
	set("unknown-bits", func(h *Header) { h.Attributes |= 0x4f00 << 1 >> 1 & 0x4f00 }, "")
	set("transaction-without-producer", func(h *Header) {
		h.Attributes |= attrTransactional
		h.ProducerID, h.ProducerEpoch, h.BaseSequence = -1, -1, -1
	}, "INVALID_RECORD")
	set("leader-epoch", func(h *Header) { h.LeaderEpoch = 77 }, "")
	bad := s.batch(BuilderOptions{}, sampleRecords()...)
	bad[len(bad)-1] ^= 1
	s.add("bad-crc", bad, nil)
}

// records holds bodies that are wrong, plain and in every codec.
func (s *caseSet) records() {
	like := s.batch(BuilderOptions{}, sampleRecords()...)
	rec := func(parts ...[]byte) []byte {
		var body []byte
		for _, p := range parts {
			body = append(body, p...)
		}
		return append(appendVarint(nil, int64(len(body))), body...)
	}
	v := func(n int64) []byte { return appendVarint(nil, n) }
	good := rec([]byte{0}, v(0), v(0), v(-1), v(-1), v(0))
	bodies := []struct {
		name string
		body []byte
		ours string
	}{
		{"empty-body", nil, ""},
		{"minimal", good, ""},
		{"attributes-set", rec([]byte{0x7f}, v(0), v(0), v(-1), v(-1), v(0)), ""},
		{"left-over", append(append([]byte{}, good...), 0), ""},
		{"cut-record", good[:len(good)-1], ""},
		{"length-0", []byte{0}, ""},
		{"length-negative", append(v(-1), good[1:]...), ""},
		{"length-giant", append(v(1<<31-1), good[1:]...), ""},
		{"length-long-varint", append([]byte{0x8c, 0x80, 0x80, 0x80, 0x80, 0x00}, good[1:]...), "INVALID_RECORD"},
		{"length-padded-varint", append([]byte{0x8c, 0x80, 0x80, 0x80, 0x00}, good[1:]...), ""},
		{"key-too-long", rec([]byte{0}, v(0), v(0), v(9), v(-1), v(0)), ""},
		{"key-giant", rec([]byte{0}, v(0), v(0), v(1<<31-1), v(-1), v(0)), ""},
		{"key-minus-2", rec([]byte{0}, v(0), v(0), v(-2), v(-1), v(0)), ""},
		{"value-too-long", rec([]byte{0}, v(0), v(0), v(-1), v(9), v(0)), ""},
		{"value-minus-2", rec([]byte{0}, v(0), v(0), v(-1), v(-2), v(0)), ""},
		{"headers-negative", rec([]byte{0}, v(0), v(0), v(-1), v(-1), v(-1)), ""},
		{"headers-giant", rec([]byte{0}, v(0), v(0), v(-1), v(-1), v(1<<31-1)), ""},
		{"headers-missing", rec([]byte{0}, v(0), v(0), v(-1), v(-1), v(1)), ""},
		{"header-null-key", rec([]byte{0}, v(0), v(0), v(-1), v(-1), v(1), v(-1), v(-1)), ""},
		{"header-null-value", rec([]byte{0}, v(0), v(0), v(-1), v(-1), v(1), v(0), v(-1)), ""},
		{"header-bad-utf8", rec([]byte{0}, v(0), v(0), v(-1), v(-1), v(1), v(1), []byte{0xff}, v(-1)), ""},
		{"record-left-over", rec([]byte{0}, v(0), v(0), v(-1), v(-1), v(0), []byte{0}), ""},
		{"timestamp-delta-wraps", rec([]byte{0}, v(1<<63-1), v(0), v(-1), v(-1), v(0)), ""},
		{"timestamp-delta-11-bytes", rec([]byte{0}, []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0}, v(0), v(-1), v(-1), v(0)), ""},
		{"offset-delta-negative", rec([]byte{0}, v(0), v(-3), v(-1), v(-1), v(0)), "INVALID_RECORD"},
		{"offset-delta-6-bytes", rec([]byte{0}, v(0), []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0}, v(-1), v(-1), v(0)), ""},
	}
	for _, codec := range allCodecs {
		for _, b := range bodies {
			compressed, err := s.c.AppendCompressed(nil, b.body, Compression{Codec: codec})
			if err != nil {
				s.t.Fatal(err)
			}
			c := s.add(codec.String()+"-"+b.name, withBody(like, codec, 1, compressed), nil)
			switch {
			case codec == CodecNone || b.name == "offset-delta-negative":
				c.ours = b.ours
			case b.name == "length-giant":
				c.ours = "INVALID_RECORD" // Kafka skips over it and stores what no consumer can read
			}
		}
	}
}

// streams holds compressed streams that are wrong.
func (s *caseSet) streams() {
	plain := s.batch(BuilderOptions{}, sampleRecords()...)
	body := plain[HeaderSize:]
	for _, codec := range allCodecs[1:] {
		stream, err := s.c.AppendCompressed(nil, body, Compression{Codec: codec})
		if err != nil {
			s.t.Fatal(err)
		}
		s.add(codec.String()+"-stream-cut", withBody(plain, codec, 3, stream[:len(stream)/2]), nil).ours = "INVALID_RECORD"
		s.add(codec.String()+"-stream-empty", withBody(plain, codec, 3, nil), nil).ours = "INVALID_RECORD"
		s.add(codec.String()+"-stream-not", withBody(plain, codec, 3, body), nil).ours = "INVALID_RECORD"
	}
	raw := encodeRawSnappy(body)
	s.add("snappy-raw", withBody(plain, CodecSnappy, 3, raw), nil)
	s.add("snappy-raw-to-none", withBody(plain, CodecSnappy, 3, raw), func(p *Policy) { p.Recompress = true })
}

// TestValidateAsKafka compares our answers with those of Kafka's own classes.
func TestValidateAsKafka(t *testing.T) {
	cases := verdictCases(t)
	if *writeCases != "" {
		var lines strings.Builder
		for i := range cases {
			lines.WriteString(cases[i].line() + "\n")
		}
		if err := os.WriteFile(*writeCases, []byte(lines.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Skip("cases written")
	}
	text, err := os.ReadFile("testdata/kafka/verdicts.txt")
	if err != nil {
		t.Fatal(err)
	}
	kafkas := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(kafkas) != len(cases) {
		t.Fatalf("%d cases, %d verdicts: write the verdicts anew", len(cases), len(kafkas))
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.compare(t, strings.Fields(kafkas[i])) })
	}
}

func (c *verdictCase) compare(t *testing.T, kafkas []string) {
	if kafkas[0] != c.name {
		t.Fatalf("verdict is of %s: write the verdicts anew", kafkas[0])
	}
	codecs := NewCodecs(Limits{})
	before := append([]byte{}, c.raw...)
	info, err := Validate(codecs, c.raw, c.policy, verdictNow)
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			t.Fatalf("error of type %T", err)
		}
		if string(before) != string(c.raw) {
			t.Error("a refused batch was changed")
		}
		want := kafkas[1]
		if c.ours != "" {
			want = c.ours
		}
		if e.Code.Name() != want {
			t.Fatalf("we say %v, Kafka %v", err, kafkas)
		}
		if got := indexes(e.Records); c.ours == "" && got != kafkas[2] {
			t.Fatalf("we blame records %s, Kafka %v", got, kafkas)
		}
		return
	}
	if kafkas[1] != kafka.ErrNone.Name() {
		t.Fatalf("we take it, Kafka says %v", kafkas)
	}
	want, herr := hex.DecodeString(kafkas[3])
	if herr != nil {
		t.Fatal(herr)
	}
	c.compareBytes(t, info, want)
}

func (c *verdictCase) compareBytes(t *testing.T, info Info, want []byte) {
	got := c.raw
	if info.Rewritten != nil {
		got = info.Rewritten
	}
	codecs := NewCodecs(Limits{})
	h, body := parse(t, codecs, got)
	records := dumpRecords(t, h, body)
	if h != info.Header || info.BodySize == 0 || (info.Rewritten == nil && info.BodySize != len(body)) {
		t.Fatalf("info %+v of batch %+v", info, h)
	}
	wh, wbody := parse(t, codecs, want)
	wantRecords := dumpRecords(t, wh, wbody)
	if info.Rewritten == nil && string(got) != string(want) {
		t.Fatalf("changed in place:\nwe    %x\nKafka %x", got, want)
	}
	// What may differ in a rewritten batch: the stream's bytes, and the base
	// timestamp of records whose own time is overwritten.
	h.Length, h.CRC, wh.Length, wh.CRC = 0, 0, 0, 0
	if h.TimestampType() == LogAppendTime {
		h.BaseTimestamp, wh.BaseTimestamp = 0, 0
	}
	if h != wh || strings.Join(records, "\n") != strings.Join(wantRecords, "\n") {
		t.Fatalf("we    %+v\n%s\nKafka %+v\n%s", h, strings.Join(records, "\n"), wh, strings.Join(wantRecords, "\n"))
	}
}

func indexes(errs []RecordError) string {
	if errs == nil {
		return "-"
	}
	var s []string
	for _, e := range errs {
		s = append(s, fmt.Sprint(e.Index))
	}
	return strings.Join(s, ",")
}
