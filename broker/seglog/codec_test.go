package seglog

import (
	"bytes"
	"encoding/hex"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/moldau/moldau/broker/kafka"
	"pgregory.net/rapid"
)

// The bytes of each format, written out by hand from Kafka's layouts.
func TestFormatsByteForByte(t *testing.T) {
	topic := kafka.UUID{0x10, 0x20, 15: 7}
	snapshot := EncodeSnapshot([]ProducerEntry{{
		ProducerID: 1000, Epoch: 2, LastSequence: 9, LastOffset: 19, OffsetDelta: 4, Timestamp: 5000, CoordinatorEpoch: -1, FirstTxnOffset: -1,
	}})
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"offset index", AppendIndexEntry(nil, 100, IndexEntry{Offset: 105, Position: 4200}), "00000005" + "00001068"},
		{"time index", AppendTimeEntry(nil, 100, TimeEntry{Timestamp: 1 << 40, Offset: 105}), "0000010000000000" + "00000005"},
		{"transaction index", AppendTxnEntry(nil, AbortedTxn{ProducerID: 1, FirstOffset: 2, LastOffset: 3, LastStableOffset: 4}),
			"0000" + "0000000000000001" + "0000000000000002" + "0000000000000003" + "0000000000000004"},
		{"snapshot", snapshot, "0001" + hex.EncodeToString(snapshot[2:6]) + "00000001" +
			"00000000000003e8" + "0002" + "00000009" + "0000000000000013" + "00000004" + "0000000000001388" + "ffffffff" + "ffffffffffffffff"},
		{"empty snapshot", EncodeSnapshot(nil), "0001" + "48674bc7" + "00000000"}, // CRC-32C of four zero bytes
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	meta := MetaProperties{ClusterID: "c1", NodeID: 3, DirectoryID: topic}
	for _, c := range []struct{ name, got, want string }{
		{"offsets", string(EncodeOffsets([]OffsetEntry{{"a", 0, 17}, {"b.c", 12, 3}})), "0\n2\na 0 17\nb.c 12 3\n"},
		{"epochs", string(EncodeEpochs([]EpochStart{{0, 0}, {4, 1200}})), "0\n2\n0 0\n4 1200\n"},
		{"no epochs", string(EncodeEpochs(nil)), "0\n0\n"},
		{"partition metadata", string(EncodePartitionMetadata(topic)), "version: 0\ntopic_id: ECAAAAAAAAAAAAAAAAAABw"},
		{"clean shutdown", string(EncodeCleanShutdown(42)), `{"version":0,"brokerEpoch":42}`},
		{"meta.properties", string(meta.Encode(1_700_000_000_000)),
			"#\n#Tue Nov 14 22:13:20 UTC 2023\ncluster.id=c1\ndirectory.id=ECAAAAAAAAAAAAAAAAAABw\nnode.id=3\nversion=1\n"},
		{"segment", FileName(1234567, LogSuffix), "00000000000001234567.log"},
		{"folder", FolderName("a-b", 7), "a-b-7"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.name, c.got, c.want)
		}
	}
}

func TestParsersRefuse(t *testing.T) {
	good := EncodeSnapshot([]ProducerEntry{{ProducerID: 1}, {ProducerID: 2}})
	flipped := bytes.Clone(good)
	flipped[20] ^= 1
	for name, b := range map[string][]byte{
		"short": good[:9], "cut": good[:len(good)-1], "flipped": flipped, "version": append([]byte{0, 2}, good[2:]...),
		"twice": EncodeSnapshot([]ProducerEntry{{ProducerID: 1}, {ProducerID: 1}}), "negative": EncodeSnapshot([]ProducerEntry{{ProducerID: -1}}),
	} {
		if _, err := DecodeSnapshot(b); err == nil {
			t.Errorf("snapshot %s: accepted", name)
		}
	}
	for _, text := range []string{
		"", "0", "0\n", "1\n0\n", "0\n-1\n", "0\n1\n", "0\n2\na 0 1\n", "0\n1\na 0 1\nb 0 1\n", "0\n99999999999\na 0 1\n", "0\n1\na 0\n", "0\n1\na b 0 1\n",
		"0\n1\na 0 -1\n", "0\n1\na -1 1\n", "0\n1\n 0 1\n", "0\n2\na 0 1\na 0 2\n", "0\n1\na 0 x\n", "0\n1\n" + strings.Repeat("a", 2000) + " 0 1\n",
	} {
		if _, err := ParseOffsets([]byte(text)); err == nil {
			t.Errorf("offsets %.40q: accepted", text)
		}
	}
	for _, text := range []string{"0\n2\n1 5\n1 6\n", "0\n2\n1 5\n2 5\n", "0\n2\n2 5\n1 6\n", "0\n1\n-1 5\n", "0\n1\n1 -5\n", "0\n1\n1 5 6\n"} {
		if _, err := ParseEpochs([]byte(text)); err == nil {
			t.Errorf("epochs %q: accepted", text)
		}
	}
	for _, text := range []string{"", "version: 1\ntopic_id: ECAAAAAAAAAAAAAAAAAABw", "version: 0\ntopic_id: x", "version: 0", "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA"} {
		if _, err := ParsePartitionMetadata([]byte(text)); err == nil {
			t.Errorf("partition metadata %q: accepted", text)
		}
	}
	for _, text := range []string{"{", "{}", `{"version":1,"brokerEpoch":1}`, `{"version":0}`} {
		if _, err := ParseCleanShutdown([]byte(text)); err == nil {
			t.Errorf("clean shutdown %q: accepted", text)
		}
	}
	for _, text := range []string{"version=1\nnode.id=1\n", "version=0\nbroker.id=1\n", "version=1\ncluster.id=a\nnode.id=-1\n",
		"version=1\ncluster.id=a\nnode.id=1\nnode.id=2\n", "version=1\ncluster.id=a\nnode.id=1\ndirectory.id=zz\n", "version=1\ncluster.id=\\u0041\nnode.id=1\n", "version\n"} {
		if _, err := ParseMetaProperties([]byte(text)); err == nil {
			t.Errorf("meta.properties %q: accepted", text)
		}
	}
	for _, name := range []string{"1.log", "0000000000000000000x.log", "00000000000000000001", "00000000000000000001log", "99999999999999999999.log", "-0000000000000000001.log"} {
		if base, suffix, ok := ParseFileName(name); ok {
			t.Errorf("%q is taken for %d %q", name, base, suffix)
		}
	}
	for _, name := range []string{"a", "-1", "a-", "a-01", "a-+1", "a-x", "a-99999999999"} {
		if topic, n, ok := ParseFolderName(name); ok {
			t.Errorf("%q is taken for %q %d", name, topic, n)
		}
	}
}

func TestMetaPropertiesAsOthersWriteThem(t *testing.T) {
	m, err := ParseMetaProperties([]byte("# a comment\r\n! another\n  node.id : 4\r\ncluster.id=ab\\=c\\:\nversion=1\nunknown=x\n"))
	if want := (MetaProperties{ClusterID: "ab=c:", NodeID: 4}); err != nil || m != want {
		t.Errorf("%+v, %v; want %+v", m, err, want)
	}
}

func producerEntries() *rapid.Generator[[]ProducerEntry] {
	entry := rapid.Custom(func(t *rapid.T) ProducerEntry {
		return ProducerEntry{
			ProducerID: rapid.Int64Min(0).Draw(t, "id"), Epoch: rapid.Int16().Draw(t, "epoch"), LastSequence: rapid.Int32().Draw(t, "seq"),
			LastOffset: rapid.Int64().Draw(t, "offset"), OffsetDelta: rapid.Int32().Draw(t, "delta"), Timestamp: rapid.Int64().Draw(t, "ts"),
			CoordinatorEpoch: rapid.Int32().Draw(t, "coordinator"), FirstTxnOffset: rapid.Int64().Draw(t, "txn"),
		}
	})
	return rapid.SliceOfNDistinct(entry, 0, 20, func(e ProducerEntry) int64 { return e.ProducerID })
}

func TestCodecsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		producers := producerEntries().Draw(t, "producers")
		if got, err := DecodeSnapshot(EncodeSnapshot(producers)); err != nil || len(got) != len(producers) || len(got) > 0 && !reflect.DeepEqual(got, producers) {
			t.Fatalf("snapshot: %v, %v", got, err)
		}
		topics := rapid.SliceOfDistinct(rapid.StringMatching(`[a-zA-Z0-9._-]{1,30}`), rapid.ID[string]).Draw(t, "topics")
		var offsets []OffsetEntry
		for _, topic := range topics {
			offsets = append(offsets, OffsetEntry{topic, rapid.Int32Min(0).Draw(t, "partition"), rapid.Int64Min(0).Draw(t, "offset")})
			if name, n, ok := ParseFolderName(FolderName(topic, offsets[len(offsets)-1].Partition)); !ok || name != topic || n != offsets[len(offsets)-1].Partition {
				t.Fatalf("folder of %q: %q %d %t", topic, name, n, ok)
			}
		}
		if got, err := ParseOffsets(EncodeOffsets(offsets)); err != nil || len(got) != len(offsets) || len(got) > 0 && !reflect.DeepEqual(got, offsets) {
			t.Fatalf("offsets: %v, %v", got, err)
		}
		base := rapid.Int64Range(0, math.MaxInt64/2).Draw(t, "base")
		name, suffix, ok := ParseFileName(FileName(base, TimeIndexSuffix+DeletedSuffix))
		if !ok || name != base || suffix != ".timeindex.deleted" {
			t.Fatalf("file of %d: %d %q %t", base, name, suffix, ok)
		}
	})
}

// An index found by search is the one that a scan finds, preallocated or not.
func TestIndexSearchAgreesWithScan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.Int64Range(0, 1<<40).Draw(t, "base")
		var offsets, times []byte
		var entries []IndexEntry
		var stamps []TimeEntry
		e, ts := IndexEntry{Offset: base, Position: 0}, int64(-5)
		for range rapid.IntRange(0, 40).Draw(t, "entries") {
			e.Offset += rapid.Int64Range(1, 9).Draw(t, "offsets")
			e.Position += rapid.Int64Range(1, 99).Draw(t, "bytes")
			ts += rapid.Int64Range(1, 9).Draw(t, "time")
			entries, stamps = append(entries, e), append(stamps, TimeEntry{ts, e.Offset})
			offsets, times = AppendIndexEntry(offsets, base, e), AppendTimeEntry(times, base, TimeEntry{ts, e.Offset})
		}
		zeros := rapid.IntRange(0, 3).Draw(t, "preallocated")
		offsets, times = append(offsets, make([]byte, 8*zeros)...), append(times, make([]byte, 12*zeros)...)
		n, err := CheckIndex(offsets, base, e.Position+1)
		if err != nil || n != len(entries) {
			t.Fatalf("%d entries, %v, want %d", n, err, len(entries))
		}
		m, err := CheckTimeIndex(times, base, e.Offset+1)
		if err != nil || m != len(stamps) {
			t.Fatalf("%d time entries, %v, want %d", m, err, len(stamps))
		}
		offset, stamp := base+rapid.Int64Range(-5, 400).Draw(t, "sought"), rapid.Int64Range(-10, 400).Draw(t, "time")
		var want IndexEntry
		var wantTime TimeEntry
		found, foundTime := false, false
		for i := range entries {
			if entries[i].Offset <= offset {
				want, found = entries[i], true
			}
			if stamps[i].Timestamp <= stamp {
				wantTime, foundTime = stamps[i], true
			}
		}
		if got, ok := SearchIndex(n, func(i int) IndexEntry { return IndexEntryAt(offsets, base, i) }, offset); ok != found || got != want {
			t.Fatalf("offset %d: %v %t, want %v %t", offset, got, ok, want, found)
		}
		if got, ok := SearchTime(m, func(i int) TimeEntry { return TimeEntryAt(times, base, i) }, stamp); ok != foundTime || got != wantTime {
			t.Fatalf("time %d: %v %t, want %v %t", stamp, got, ok, wantTime, foundTime)
		}
	})
}

func TestIndexChecks(t *testing.T) {
	entry := func(offset, position int64) []byte {
		return AppendIndexEntry(nil, 0, IndexEntry{Offset: offset, Position: position})
	}
	for name, b := range map[string][]byte{
		"odd length": make([]byte, 9), "offsets fall": append(entry(5, 10), entry(4, 20)...), "same position": append(entry(5, 10), entry(6, 10)...),
		"beyond the segment": entry(5, 100), "zeros inside": append(append(entry(5, 10), make([]byte, 8)...), entry(6, 20)...),
	} {
		if n, err := CheckIndex(b, 0, 100); err == nil {
			t.Errorf("%s: %d entries accepted", name, n)
		}
	}
	stamp := func(ts, offset int64) []byte {
		return AppendTimeEntry(nil, 0, TimeEntry{Timestamp: ts, Offset: offset})
	}
	for name, b := range map[string][]byte{
		"odd length": make([]byte, 13), "same time": append(stamp(5, 1), stamp(5, 2)...), "offsets fall": append(stamp(5, 3), stamp(6, 2)...), "beyond the end": stamp(5, 100),
	} {
		if n, err := CheckTimeIndex(b, 0, 100); err == nil {
			t.Errorf("time %s: %d entries accepted", name, n)
		}
	}
	if _, err := ParseTxnIndex(make([]byte, 33)); err == nil {
		t.Error("a transaction index of 33 bytes is accepted")
	}
	two := AppendTxnEntry(AppendTxnEntry(nil, AbortedTxn{1, 2, 9, 4}), AbortedTxn{1, 5, 9, 4})
	if _, err := ParseTxnIndex(two); err == nil {
		t.Error("two markers at one offset are accepted")
	}
	if got, err := ParseTxnIndex(two[:TxnEntryLen]); err != nil || len(got) != 1 || got[0] != (AbortedTxn{1, 2, 9, 4}) {
		t.Errorf("%v, %v", got, err)
	}
}
