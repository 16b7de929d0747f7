package seglog

import (
	"bytes"
	"testing"

	"github.com/moldau/moldau/broker/kafka"
)

// FuzzSnapshot: what is accepted is encoded to the same bytes again.
func FuzzSnapshot(f *testing.F) {
	f.Add(EncodeSnapshot(nil))
	f.Add(EncodeSnapshot([]ProducerEntry{{ProducerID: 7, LastOffset: 3, FirstTxnOffset: -1}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if entries, err := DecodeSnapshot(b); err == nil && !bytes.Equal(EncodeSnapshot(entries), b) {
			t.Fatalf("%x is accepted and encoded otherwise", b)
		}
	})
}

// FuzzIndexes: no bytes break a check; what is counted ascends.
func FuzzIndexes(f *testing.F) {
	f.Add(AppendIndexEntry(nil, 5, IndexEntry{7, 3}), int64(5), int64(100))
	f.Add(AppendTimeEntry(nil, 5, TimeEntry{7, 8}), int64(5), int64(100))
	f.Add(AppendTxnEntry(nil, AbortedTxn{1, 2, 3, 4}), int64(5), int64(100))
	f.Fuzz(func(t *testing.T, b []byte, base, bound int64) {
		if n, err := CheckIndex(b, base, bound); err == nil {
			for i := 1; i < n; i++ {
				if IndexEntryAt(b, base, i).Offset <= IndexEntryAt(b, base, i-1).Offset {
					t.Fatalf("entry %d of %x does not ascend", i, b)
				}
			}
		}
		if n, err := CheckTimeIndex(b, base, bound); err == nil {
			for i := 1; i < n; i++ {
				if TimeEntryAt(b, base, i).Timestamp <= TimeEntryAt(b, base, i-1).Timestamp {
					t.Fatalf("time entry %d of %x does not ascend", i, b)
				}
			}
		}
		if txns, err := ParseTxnIndex(b); err == nil {
			var again []byte
			for _, x := range txns {
				again = AppendTxnEntry(again, x)
			}
			if !bytes.Equal(again, b) {
				t.Fatalf("%x is accepted and encoded otherwise", b)
			}
		}
	})
}

// FuzzTextFiles: what a parser accepts, it accepts again after encoding, with
// the same meaning.
func FuzzTextFiles(f *testing.F) {
	f.Add(EncodeOffsets([]OffsetEntry{{"a", 1, 2}}))
	f.Add(EncodeEpochs([]EpochStart{{1, 2}, {3, 4}}))
	f.Add(EncodePartitionMetadata(kafka.UUID{1}))
	f.Add(EncodeCleanShutdown(9))
	f.Add(MetaProperties{ClusterID: "x", NodeID: 1}.Encode(0))
	f.Add([]byte("00000000000000000012.log"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if entries, err := ParseOffsets(b); err == nil {
			if again, err := ParseOffsets(EncodeOffsets(entries)); err != nil || len(again) != len(entries) {
				t.Fatalf("%q: %v", b, err)
			}
		}
		if entries, err := ParseEpochs(b); err == nil {
			if again, err := ParseEpochs(EncodeEpochs(entries)); err != nil || len(again) != len(entries) {
				t.Fatalf("%q: %v", b, err)
			}
		}
		if id, err := ParsePartitionMetadata(b); err == nil {
			if again, err := ParsePartitionMetadata(EncodePartitionMetadata(id)); err != nil || again != id {
				t.Fatalf("%q: %v", b, err)
			}
		}
		if epoch, err := ParseCleanShutdown(b); err == nil && len(b) > 0 {
			if again, err := ParseCleanShutdown(EncodeCleanShutdown(epoch)); err != nil || again != epoch {
				t.Fatalf("%q: %v", b, err)
			}
		}
		_, _ = ParseMetaProperties(b)
		if base, suffix, ok := ParseFileName(string(b)); ok && FileName(base, suffix) != string(b) {
			t.Fatalf("%q is taken for %d %q", b, base, suffix)
		}
		if topic, n, ok := ParseFolderName(string(b)); ok && FolderName(topic, n) != string(b) {
			t.Fatalf("%q is taken for %q %d", b, topic, n)
		}
	})
}

// FuzzScanner: whatever the bytes, the scan ends, and what stays is contiguous.
func FuzzScanner(f *testing.F) {
	f.Add(encodeBatch(Batch{LastOffsetDelta: 2, MaxTimestamp: 5, ProducerID: 3, LeaderEpoch: 1}, 10), int64(0))
	f.Add(encodeMarker(Batch{BaseOffset: 4, ProducerID: 3, LeaderEpoch: 1, Marker: MarkerAbort}), int64(4))
	f.Fuzz(func(t *testing.T, b []byte, next int64) {
		if next < 0 {
			return
		}
		s := NewScanner(ScanConfig{Next: next, IndexInterval: 10, Producers: NewProducerTable(4, nil)})
		if err := s.Begin(EmptySegment(next, 0)); err != nil {
			t.Fatal(err)
		}
		at := 0
		for {
			r, n, err := s.Step(b[at:])
			if err != nil {
				break
			}
			if n <= 0 || r.Batch.BaseOffset != next || s.Next() <= next {
				t.Fatalf("batch at %d of %d bytes after %d", r.Batch.BaseOffset, n, next)
			}
			at, next = at+n, s.Next()
		}
		if s.Segment().Size != int64(at) || s.Next() != next {
			t.Fatalf("segment of %d bytes up to %d, scanned %d up to %d", s.Segment().Size, s.Next(), at, next)
		}
	})
}
