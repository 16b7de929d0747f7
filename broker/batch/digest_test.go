package batch

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

var writeBatches = flag.String("write-batches", "", "folder to write the batches of TestKafkaReadsOurs into, for Digests.java")

// largeBatches are batches of several blocks in each codec and some levels:
// text, noise that does not compress, and both in turn.
func largeBatches(t *testing.T) map[string][]NewRecord {
	t.Helper()
	out := map[string][]NewRecord{}
	x := uint32(7)
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			x = x*1664525 + 1013904223
			b[i] = byte(x >> 24)
		}
		return b
	}
	for i := range 300 {
		text := NewRecord{Timestamp: verdictNow, Key: fmt.Append(nil, "key-", i), Value: []byte(strings.Repeat(fmt.Sprint("value ", i, " "), 90))}
		hash := NewRecord{Timestamp: verdictNow + int64(i), Value: noise(1000)}
		out["text"] = append(out["text"], text)
		out["noise"] = append(out["noise"], hash)
		out["both"] = append(out["both"], text, hash)
	}
	out["one"] = []NewRecord{{Timestamp: verdictNow, Value: noise(700000)}}
	return out
}

// TestKafkaReadsOurs holds what our encoders write to what Kafka's decoders
// read out of it.
func TestKafkaReadsOurs(t *testing.T) {
	want := map[string]string{}
	if *writeBatches == "" {
		text, err := os.ReadFile("testdata/kafka/digests.txt")
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
			name, sums, _ := strings.Cut(line, " ")
			want[name] = sums
		}
	}
	c := NewCodecs(Limits{})
	for kind, records := range largeBatches(t) {
		for _, with := range []Compression{
			{CodecNone, 0}, {CodecGzip, 1}, {CodecGzip, 0}, {CodecSnappy, 0}, {CodecLZ4, 0}, {CodecLZ4, 1}, {CodecLZ4, 12}, {CodecZstd, -5}, {CodecZstd, 0}, {CodecZstd, 7}, {CodecZstd, 19},
		} {
			name := fmt.Sprintf("%s-%s-%d", kind, with.Codec, with.Level)
			b := NewBuilder(BuilderOptions{Compression: with})
			appendAll(t, b, records)
			out := build(t, b, c)
			if *writeBatches != "" {
				if err := os.WriteFile(filepath.Join(*writeBatches, name), out, 0o644); err != nil {
					t.Fatal(err)
				}
				continue
			}
			bytesSum, recordsSum, _ := strings.Cut(want[name], " ")
			sum := sha256.New()
			for _, r := range records {
				sum.Write(r.Key)
				sum.Write(r.Value)
			}
			if got := hex.EncodeToString(sum.Sum(nil)); got != recordsSum {
				t.Errorf("%s: Kafka read other records", name)
			}
			// Encoders differ between architectures.
			if got := sha256.Sum256(out); hex.EncodeToString(got[:]) != bytesSum && runtime.GOARCH == "amd64" {
				t.Errorf("%s: Kafka has read other bytes than we write now: let it read these", name)
			}
		}
	}
}
