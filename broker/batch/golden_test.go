package batch

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moldau/moldau/broker/kafka"
)

func golden(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "kafka", name+".bin"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// parse takes the one batch in b and its decompressed body.
func parse(t testing.TB, c *Codecs, b []byte) (Header, []byte) {
	t.Helper()
	h, whole, rest, err := Next(b)
	if err != nil || len(rest) != 0 {
		t.Fatalf("next: %v, %d bytes left", err, len(rest))
	}
	if err := CheckCRC(whole); err != nil {
		t.Fatal(err)
	}
	body, err := c.Body(h, whole)
	if err != nil {
		t.Fatal(err)
	}
	return h, body
}

func dumpRecords(t testing.TB, h Header, body []byte) []string {
	t.Helper()
	var out []string
	for it := Records(h, body); ; {
		r, ok, err := it.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return out
		}
		out = append(out, recordText(r))
	}
}

func recordText(r Record) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%d@%d %s=%s", r.Offset, r.Timestamp, quoted(r.Key), quoted(r.Value))
	for it := r.Headers(); ; {
		h, ok := it.Next()
		if !ok {
			return s.String()
		}
		fmt.Fprintf(&s, " %s:%s", quoted(h.Key), quoted(h.Value))
	}
}

func quoted(b []byte) string {
	if b == nil {
		return "null"
	}
	return fmt.Sprintf("%q", b)
}

const smallHeaders = ` "h1":"v1" "h2":null "":"" "ключ":"\x00\xff"`

func TestKafkaSmallBatches(t *testing.T) {
	for _, name := range []string{"none", "gzip", "snappy", "lz4", "lz4hc", "zstd"} {
		t.Run(name, func(t *testing.T) {
			h, body := parse(t, NewCodecs(Limits{}), golden(t, name))
			codec, err := ParseCodec(strings.TrimSuffix(name, "hc"))
			if err != nil {
				t.Fatal(err)
			}
			want := Header{
				BaseOffset: 1000, Length: h.Length, LeaderEpoch: 9, Magic: 2, CRC: h.CRC, Attributes: Attributes(codec),
				LastOffsetDelta: 4, BaseTimestamp: 1700000000000, MaxTimestamp: 1700000000500,
				ProducerID: 0x1234, ProducerEpoch: 7, BaseSequence: 42, Count: 5,
			}
			if h != want {
				t.Fatalf("header\n%+v, want\n%+v", h, want)
			}
			if h.LastOffset() != 1004 || h.NextOffset() != 1005 || h.LastSequence() != 46 || !h.HasProducer() || h.IsControl() || h.IsTransactional() {
				t.Fatalf("derived: %v %v %v", h.LastOffset(), h.NextOffset(), h.LastSequence())
			}
			got := strings.Join(dumpRecords(t, h, body), "\n")
			if want := `1000@1700000000000 "key"="value"
1001@1700000000500 null="no key"
1002@1699999999000 "key"=null
1003@1700000000001 ""=""` + smallHeaders + `
1004@1700000000400 null=null` + smallHeaders; got != want {
				t.Fatalf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// largeValue is what Goldens.java puts into record i of its large batches.
func largeValue(i int) []byte {
	v := make([]byte, 1000)
	x := int32(i) + 1
	for j := range v {
		if j%8 == 0 {
			x = x*1103515245 + 12345
		}
		v[j] = byte('a' + uint32(x)>>16&7)
	}
	return v
}

func TestKafkaLargeBatches(t *testing.T) {
	c := NewCodecs(Limits{})
	for _, name := range []string{"gzip", "snappy", "lz4", "lz4hc", "zstd"} {
		h, body := parse(t, c, golden(t, "large-"+name))
		n := 0
		for it := Records(h, body); ; n++ {
			r, ok, err := it.Next()
			if err != nil {
				t.Fatal(name, err)
			}
			if !ok {
				break
			}
			if r.Offset != int64(5+n) || string(r.Key) != fmt.Sprint("k", n) || !bytes.Equal(r.Value, largeValue(n)) {
				t.Fatalf("%s: record %d differs", name, n)
			}
		}
		if n != 100 {
			t.Fatalf("%s: %d records", name, n)
		}
	}
}

func TestKafkaTimestampsFlagsAndGaps(t *testing.T) {
	h, body := parse(t, nil, golden(t, "append-time"))
	if h.TimestampType() != LogAppendTime {
		t.Fatal("timestamp type")
	}
	for _, r := range dumpRecords(t, h, body) {
		if !strings.Contains(r, fmt.Sprintf("@%d ", h.MaxTimestamp)) {
			t.Fatal("record without the append time:", r)
		}
	}
	if h, _ := parse(t, nil, golden(t, "txn")); !h.IsTransactional() || h.ProducerID != 77 {
		t.Fatalf("%+v", h)
	}
	h, body = parse(t, nil, golden(t, "gaps"))
	got := strings.Join(dumpRecords(t, h, body), "\n")
	if got != "101@5 \"a\"=\"b\"\n107@4 \"c\"=null" || h.BaseOffset != 100 || h.LastOffset() != 107 || h.Count != 2 {
		t.Fatalf("%+v\n%s", h, got)
	}
}

// Our builder writes the same bytes as Kafka's wherever the codec leaves no choice.
func TestBuilderWritesKafkasBytes(t *testing.T) {
	ms := func(d int64) int64 { return 1700000000000 + d }
	hs := []RecordHeader{{Key: []byte("h1"), Value: []byte("v1")}, {Key: []byte("h2")}, {Key: []byte{}, Value: []byte{}}, {Key: []byte("ключ"), Value: []byte{0, 255}}}
	small := []NewRecord{
		{Timestamp: ms(0), Key: []byte("key"), Value: []byte("value")},
		{Timestamp: ms(500), Value: []byte("no key")},
		{Timestamp: ms(-1000), Key: []byte("key")},
		{Timestamp: ms(1), Key: []byte{}, Value: []byte{}, Headers: hs},
		{Timestamp: ms(400), Headers: hs},
	}
	b := NewBuilder(BuilderOptions{BaseOffset: 1000, LeaderEpoch: 9, Producer: &Producer{0x1234, 7, 42}})
	appendAll(t, b, small)
	size := b.Size()
	sameBytes(t, "none", build(t, b, nil))
	if want := len(golden(t, "none")); size != want {
		t.Fatalf("size %d, want %d", size, want)
	}
	b.Reset(BuilderOptions{Transactional: true, LeaderEpoch: -1, Producer: &Producer{77, 2, 0}})
	appendAll(t, b, small)
	sameBytes(t, "txn", build(t, b, nil))

	b.Reset(BuilderOptions{BaseOffset: 100, LeaderEpoch: -1})
	if err := b.AppendAt(1, NewRecord{Timestamp: 5, Key: []byte("a"), Value: []byte("b")}); err != nil {
		t.Fatal(err)
	}
	if err := b.AppendAt(7, NewRecord{Timestamp: 4, Key: []byte("c")}); err != nil {
		t.Fatal(err)
	}
	if b.AppendAt(7, NewRecord{}) == nil {
		t.Fatal("took an offset twice")
	}
	sameBytes(t, "gaps", build(t, b, nil))
}

func appendAll(t testing.TB, b *Builder, rs []NewRecord) {
	t.Helper()
	for _, r := range rs {
		with := b.SizeWith(r)
		if err := b.Append(r); err != nil {
			t.Fatal(err)
		}
		if b.Size() != with {
			t.Fatalf("size %d after append, %d announced", b.Size(), with)
		}
	}
}

func build(t testing.TB, b *Builder, c *Codecs) []byte {
	t.Helper()
	out, err := b.Build(c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func sameBytes(t testing.TB, name string, got []byte) {
	t.Helper()
	if want := golden(t, name); !bytes.Equal(got, want) {
		t.Fatalf("%s:\ngot  %x\nwant %x", name, got, want)
	}
}

func TestControlBatches(t *testing.T) {
	const now = 1700000000000
	dir := kafka.UUID{7: 1, 15: 2}
	for name, g := range map[string]struct {
		opts BuilderOptions
		c    Control
	}{
		"commit":          {BuilderOptions{BaseOffset: 10, LeaderEpoch: 4, Producer: &Producer{77, 2, -1}}, Control{Type: ControlCommit, EndTxn: &EndTxnMarker{CoordinatorEpoch: 13}}},
		"abort":           {BuilderOptions{BaseOffset: 11, LeaderEpoch: 4, Producer: &Producer{77, 2, -1}}, Control{Type: ControlAbort, EndTxn: &EndTxnMarker{CoordinatorEpoch: 14}}},
		"leader-change":   {BuilderOptions{LeaderEpoch: 5}, Control{Type: ControlLeaderChange, LeaderChange: &LeaderChange{LeaderID: 1, Voters: []LeaderVoter{{ID: 1}, {ID: 2}}, GrantingVoters: []LeaderVoter{{ID: 2}}}}},
		"snapshot-header": {BuilderOptions{LeaderEpoch: 5}, Control{Type: ControlSnapshotHeader, SnapshotHeader: &SnapshotHeader{LastContainedLogTimestamp: now - 1}}},
		"snapshot-footer": {BuilderOptions{BaseOffset: 9, LeaderEpoch: 5}, Control{Type: ControlSnapshotFooter, SnapshotFooter: &SnapshotFooter{}}},
		"kraft-version":   {BuilderOptions{BaseOffset: 1, LeaderEpoch: 5}, Control{Type: ControlKRaftVersion, KRaftVersion: &KRaftVersion{KRaftVersion: 1}}},
		"kraft-voters": {BuilderOptions{BaseOffset: 2, LeaderEpoch: 5}, Control{Type: ControlKRaftVoters, KRaftVoters: &KRaftVoters{Voters: []KRaftVoter{
			{ID: 1, DirectoryID: dir, Endpoints: []KRaftEndpoint{{"CONTROLLER", "localhost", 65000}}, MaxVersion: 1}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := EncodeControl(g.opts, now, g.c)
			if err != nil {
				t.Fatal(err)
			}
			sameBytes(t, name, out)
			h, body := parse(t, nil, golden(t, name))
			it := Records(h, body)
			r, ok, err := it.Next()
			if !ok || err != nil || !h.IsControl() {
				t.Fatal(ok, err)
			}
			c, err := ParseControl(r.Key, r.Value)
			if err != nil {
				t.Fatal(err)
			}
			if c.Type != g.c.Type || !bytes.Equal(c.Value(), g.c.Value()) {
				t.Fatalf("parsed %+v", c)
			}
			for n := range r.Value { // every cut is an error, none a panic
				if _, err := ParseControl(r.Key, r.Value[:n]); err == nil {
					t.Fatalf("took %d of %d bytes", n, len(r.Value))
				}
			}
		})
	}
}
