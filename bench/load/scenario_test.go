package load

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moldau/moldau/broker/batch"
)

// encode makes a batch of n records as a producer would, with the timestamps
// spread over an hour.
func encode(t *testing.T, n, size int) []byte {
	t.Helper()
	b := batch.NewBuilder(batch.BuilderOptions{})
	value := make([]byte, size)
	for i := range n {
		if err := b.Append(batch.NewRecord{Timestamp: 1_700_000_000_000 + int64(i%1000)*3600, Value: value}); err != nil {
			t.Fatal(err)
		}
	}
	data, err := b.Build(batch.NewCodecs(batch.Limits{}))
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(data)
}

// TestBatchesFit: what is sent to one partition in a row is one batch, nearly
// full, and the check of sizes agrees with the format.
func TestBatchesFit(t *testing.T) {
	for _, s := range Scenarios() {
		n := s.recordsPerBatch()
		data := encode(t, n, s.RecordBytes)
		if len(data) > s.BatchBytes || len(data) < s.BatchBytes*80/100 {
			t.Errorf("%s: %d records are a batch of %d bytes, of at most %d", s.Name, n, len(data), s.BatchBytes)
		}
		s.Records = int64(n)
		if err := s.checkSize(Disk{Bytes: int64(len(data)), Batches: 1, Records: int64(n)}); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
}

func TestCheckSize(t *testing.T) {
	s := Scenario{RecordBytes: 100, Records: 10}
	good := Disk{Bytes: 61 + 10*110, Batches: 1, Records: 10}
	if err := s.checkSize(good); err != nil {
		t.Error(err)
	}
	for name, d := range map[string]Disk{
		"a value short":     {Bytes: good.Bytes - 100, Batches: 1, Records: 10},
		"written twice":     {Bytes: 2 * good.Bytes, Batches: 2, Records: 10},
		"a record too many": {Bytes: good.Bytes, Batches: 1, Records: 11},
		"a record too few":  {Bytes: good.Bytes, Batches: 1, Records: 9},
		"nothing":           {},
	} {
		if s.checkSize(d) == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func segment(t *testing.T, data, folder, name string, bytes []byte) {
	t.Helper()
	dir := filepath.Join(data, folder)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), bytes, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestReadDisk: all segments of the topic's partitions, nothing of others.
func TestReadDisk(t *testing.T) {
	data := t.TempDir()
	a, b := encode(t, 3, 100), encode(t, 5, 10)
	segment(t, data, "x-0", "00000000000000000000.log", slices.Concat(a, b))
	segment(t, data, "x-0", "00000000000000000008.log", b)
	segment(t, data, "x-1", "00000000000000000000.log", nil)
	segment(t, data, "x-10", "00000000000000000000.log", a)
	segment(t, data, "x-0", "00000000000000000000.index", []byte("not a log"))
	segment(t, data, "x-0.0123456789abcdef-delete", "00000000000000000000.log", a)
	segment(t, data, "x-more-0", "00000000000000000000.log", a)
	segment(t, data, "y-0", "00000000000000000000.log", a)
	d, err := ReadDisk(data, "x")
	want := Disk{Bytes: int64(2*len(a) + 2*len(b)), Batches: 4, Records: 16}
	if err != nil || d != want {
		t.Errorf("%+v, %v; want %+v", d, err, want)
	}
	if d.MeanBatch() != want.Bytes/4 || (Disk{}).MeanBatch() != 0 {
		t.Errorf("mean batch %d", d.MeanBatch())
	}
	if _, err := ReadDisk(data, "z"); err == nil {
		t.Error("a topic that is not there has logs")
	}
	for name, bytes := range map[string][]byte{"cut in a header": a[:30], "cut in a batch": a[:len(a)-1], "zeros": make([]byte, 200)} {
		segment(t, data, "bad-0", "00000000000000000000.log", bytes)
		if _, err := ReadDisk(data, "bad"); err == nil || !strings.Contains(err.Error(), "bad-0") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestScale(t *testing.T) {
	s := Scenario{Records: 100, Partitions: 6}
	if s.Scale(0.5).Records != 50 || s.Scale(0.001).Records != 6 || s.Records != 100 {
		t.Errorf("%+v", s.Scale(0.5))
	}
}
