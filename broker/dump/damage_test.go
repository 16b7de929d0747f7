package dump

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
)

func kafkaFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/kafka/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte{}, b...)
}

func put(t testing.TB, fsys vfs.FS, dir, name string, b []byte) {
	t.Helper()
	if err := fsys.MkdirAll(dir); err != nil {
		t.Fatal(err)
	}
	f, err := fsys.Create(dir + "/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(b, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// dumped is the text of one file with the given bytes, and the error.
func dumped(t testing.TB, name string, b []byte, opt Options) (string, error) {
	t.Helper()
	fsys := memfs.New()
	put(t, fsys, "plain-0", name, b)
	var out bytes.Buffer
	err := File(&out, fsys, "plain-0/"+name, opt)
	return out.String(), err
}

const segmentName = "00000000000000000000.log"

// The third of the five batches lies at 263 and is 152 bytes long.
const third, thirdLen = 263, 152

func TestDamagedSegments(t *testing.T) {
	whole := kafkaFile(t, "plain-0/"+segmentName)
	for name, c := range map[string]struct {
		change  func(b []byte) []byte
		corrupt []string // the CORRUPT lines begin so
		lacks   string   // what can no longer be seen; everything else can
	}{
		"flipped bit in a value":  {func(b []byte) []byte { b[third+100] ^= 1; return b }, []string{"CORRUPT position: 263 offset: 6 error: record batch is corrupt: stored crc"}, ""},
		"length of a batch":       {func(b []byte) []byte { binary.BigEndian.PutUint32(b[third+8:], 1<<30); return b }, []string{"CORRUPT position: 263 error: record batch is not whole: 430 of 1073741836 bytes; 152 bytes skipped"}, "key-snappy"},
		"length below a header":   {func(b []byte) []byte { binary.BigEndian.PutUint32(b[third+8:], 3); return b }, []string{"CORRUPT position: 263 error: record batch is corrupt: length 3"}, "key-snappy"},
		"magic":                   {func(b []byte) []byte { b[third+16] = 1; return b }, []string{"CORRUPT position: 263 error: unsupported message format: magic 1; 152 bytes skipped"}, "key-snappy"},
		"zeros in the middle":     {func(b []byte) []byte { clear(b[third : third+thirdLen]); return b }, []string{"CORRUPT position: 263 error: unsupported message format: magic 0; 152 bytes skipped"}, "key-snappy"},
		"foreign bytes in front":  {func(b []byte) []byte { return append([]byte("not a batch"), b...) }, []string{"CORRUPT position: 0 error: "}, ""},
		"torn at the end":         {func(b []byte) []byte { return b[:len(b)-1] }, []string{"CORRUPT position: 554 error: record batch is not whole: 138 of 139 bytes; 138 bytes skipped"}, "key-zstd"},
		"torn header":             {func(b []byte) []byte { return b[:554+20] }, []string{"CORRUPT position: 554 error: record batch is not whole: 20 of 61 header bytes"}, "key-zstd"},
		"a batch a second time":   {func(b []byte) []byte { return append(b, b[third:third+thirdLen]...) }, []string{"CORRUPT position: 693 offset: 6 error: base offset is below 15"}, ""},
		"preallocated, no damage": {func(b []byte) []byte { return append(b, make([]byte, 3<<20)...) }, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := dumped(t, segmentName, c.change(append([]byte{}, whole...)), Options{})
			if damaged := errors.Is(err, ErrDamaged); damaged != (c.corrupt != nil) || err != nil && !damaged {
				t.Fatalf("error %v\n%s", err, out)
			}
			var got []string
			for _, line := range strings.Split(out, "\n") {
				if strings.HasPrefix(line, "CORRUPT") {
					got = append(got, line)
				}
			}
			if len(got) != len(c.corrupt) && name != "flipped bit in a value" {
				t.Fatalf("damage %q", got)
			}
			for i, want := range c.corrupt {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("line %q, want %q", got[i], want)
				}
			}
			for _, key := range []string{"key-none", "key-gzip", "key-snappy", "key-lz4", "key-zstd"} {
				if strings.Contains(out, key) == (key == c.lacks) && (key != "key-snappy" || name != "flipped bit in a value") {
					t.Errorf("%s seen: %v\n%s", key, key == c.lacks, out)
				}
			}
		})
	}
}

func TestSkipRecords(t *testing.T) {
	out, err := dumped(t, segmentName, kafkaFile(t, "plain-0/"+segmentName), Options{SkipRecords: true})
	if err != nil || strings.Contains(out, "key-none") || strings.Count(out, "baseOffset: ") != 5 {
		t.Fatal(err, out)
	}
}

// Records that the decoder of the topic cannot read are shown as they are.
func TestDecoderOnForeignRecords(t *testing.T) {
	for _, d := range []Decoder{DecoderMetadata, DecoderOffsets, DecoderTransactions, DecoderShareState} {
		out, err := dumped(t, segmentName, kafkaFile(t, "plain-0/"+segmentName), Options{Decoder: d})
		if !errors.Is(err, ErrDamaged) || strings.Count(out, "payload: value of ") != 5 {
			t.Fatal(d, err, out)
		}
	}
	if out, err := dumped(t, segmentName, kafkaFile(t, "__transaction_state-0/"+segmentName), Options{Decoder: DecoderTransactions}); err != nil || !strings.Contains(out, "transactionalId: tx-1") {
		t.Fatal(err, out)
	}
}

func TestDamagedIndexes(t *testing.T) {
	for name, c := range map[string]struct {
		file   string
		change func(b []byte) []byte
		want   string
	}{
		"cut":              {"00000000000000000000.index", func(b []byte) []byte { return b[:13] }, "CORRUPT position: 8 error: 5 bytes after"},
		"not growing":      {"00000000000000000000.index", func(b []byte) []byte { return append(b[8:], b[:8]...) }, "CORRUPT position: 8 offset: 8 error: entry does not follow offset 14, position 554"},
		"wrong position":   {"00000000000000000000.index", func(b []byte) []byte { b[7]++; return b }, "CORRUPT position: 0 offset: 8 error: segment has no batch at position 264"},
		"wrong offset":     {"00000000000000000000.index", func(b []byte) []byte { b[3]++; return b }, "CORRUPT position: 0 offset: 9 error: the batch at position 263 ends with offset 8"},
		"beyond the end":   {"00000000000000000000.index", func(b []byte) []byte { b[12] = 1; return b }, "CORRUPT position: 8 offset: 14 error: segment has no batch at position 16777770"},
		"time goes back":   {"00000000000000000000.timeindex", func(b []byte) []byte { return append(b[12:], b[:12]...) }, "CORRUPT position: 12 offset: 8 error: entry does not follow"},
		"time cut":         {"00000000000000000000.timeindex", func(b []byte) []byte { return b[:23] }, "CORRUPT position: 12 error: 11 bytes after"},
		"snapshot crc":     {"00000000000000000015.snapshot", func(b []byte) []byte { b[20] ^= 1; return b }, "CORRUPT position: 0 error: "},
		"snapshot cut":     {"00000000000000000015.snapshot", func(b []byte) []byte { return b[:50] }, "CORRUPT position: 0 error: "},
		"epochs: count":    {"leader-epoch-checkpoint", func([]byte) []byte { return []byte("0\n2\n0 0\n") }, "CORRUPT position: 8 error: 1 entries where line 2 says 2"},
		"epochs: version":  {"leader-epoch-checkpoint", func([]byte) []byte { return []byte("1\n1\n0 0\n") }, "CORRUPT position: 0 error: line 1"},
		"epochs: words":    {"leader-epoch-checkpoint", func([]byte) []byte { return []byte("0\n1\n0 zero\n") }, `CORRUPT position: 4 error: line 3: "0 zero\n"`},
		"partition: words": {"partition.metadata", func([]byte) []byte { return []byte("version: 0\nx\n") }, `CORRUPT position: 11 error: line 2: "x\n"`},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := memfs.New()
			put(t, fsys, "plain-0", segmentName, kafkaFile(t, "plain-0/"+segmentName))
			put(t, fsys, "plain-0", c.file, c.change(kafkaFile(t, "plain-0/"+c.file)))
			var out bytes.Buffer
			err := File(&out, fsys, "plain-0/"+c.file, Options{})
			if !errors.Is(err, ErrDamaged) || !strings.Contains(out.String(), c.want) {
				t.Fatalf("error %v\n%s", err, out.String())
			}
		})
	}
}

// Zeros behind the entries of an index that was not trimmed are no entries.
func TestPreallocatedIndexes(t *testing.T) {
	for _, suffix := range []string{"index", "timeindex"} {
		b := kafkaFile(t, "plain-0/00000000000000000000."+suffix)
		b = append(b, make([]byte, 120000)...)
		out, err := dumped(t, "00000000000000000000."+suffix, b, Options{})
		if err != nil || strings.Count(out, "\n") != 4 || !strings.Contains(out, "preallocated zero bytes: 120000") {
			t.Fatal(err, out)
		}
	}
}

func TestTxnIndexVersion(t *testing.T) {
	b := kafkaFile(t, "txn-0/00000000000000000000.txnindex")
	b = append(b, b...)
	b[1] = 9
	out, err := dumped(t, "00000000000000000000.txnindex", b, Options{})
	if !errors.Is(err, ErrDamaged) || !strings.Contains(out, "CORRUPT position: 0") || !strings.Contains(out, "version: 0 producerId: 5") {
		t.Fatal(err, out)
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestWriterFails(t *testing.T) {
	fsys := memfs.New()
	put(t, fsys, "plain-0", segmentName, kafkaFile(t, "plain-0/"+segmentName))
	if err := File(failingWriter{}, fsys, "plain-0/"+segmentName, Options{}); !errors.Is(err, os.ErrClosed) {
		t.Fatal(err)
	}
}
