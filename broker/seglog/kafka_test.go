package seglog

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// The index entries for a segment's batches are, byte for byte, those that
// Apache Kafka writes for them.
func TestIndexesAsKafkaWritesThem(t *testing.T) {
	text, err := os.ReadFile("testdata/kafka-segment.txt")
	if err != nil {
		t.Fatal(err)
	}
	files, name := map[string]string{}, ""
	for line := range strings.Lines(string(text)) {
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "."):
			name = line
		case !strings.HasPrefix(line, "#"):
			files[name] += line
		}
	}
	log, err := hex.DecodeString(files[LogSuffix])
	if err != nil || len(log) == 0 {
		t.Fatalf("%d bytes, %v", len(log), err)
	}
	const base = 40
	s := NewScanner(ScanConfig{Next: base, IndexInterval: 150})
	if err := s.Begin(EmptySegment(base, 0)); err != nil {
		t.Fatal(err)
	}
	var index, times []byte
	for at := 0; at < len(log); {
		r, n, err := s.Step(log[at:])
		if err != nil {
			t.Fatal(err)
		}
		if r.HasIndex {
			index = AppendIndexEntry(index, base, r.Index)
		}
		if r.HasTime {
			times = AppendTimeEntry(times, base, r.Time)
		}
		at += n
	}
	segment := s.Segment()
	if last, ok := segment.timeEntry(); ok {
		times = AppendTimeEntry(times, base, last)
	}
	for name, got := range map[string][]byte{IndexSuffix: index, TimeIndexSuffix: times} {
		if want, err := hex.DecodeString(files[name]); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %x, Kafka has %x (%v)", name, got, want, err)
		}
	}
}
