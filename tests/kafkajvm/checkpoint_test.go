package kafkajvm_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moldau/moldau/broker/metarecord"
	"github.com/moldau/moldau/tests/kafkajvm"
	"github.com/moldau/moldau/tests/node"
)

// Apache Kafka's own decoder reads every kind of record that a checkpoint of
// ours has, those with tagged fields of ours among them. The file is a golden
// of package metaimage.
func TestKafkaDecodesEveryRecordOfACheckpoint(t *testing.T) {
	root, err := node.Root()
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(root, "broker", "metaimage", "testdata", "every-table.checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	info, err := metarecord.DecodeCheckpoint(file, func(r metarecord.Record) error {
		want = append(want, constant(r.Type()))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(want) < 12 {
		t.Fatalf("the checkpoint has %d records", len(want))
	}
	jars := kafkajvm.Tools(t)
	path := filepath.Join(t.TempDir(), metarecord.CheckpointName(int64(len(want)), info.Epoch))
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	out := jars.Run(t, "", "org.apache.kafka.tools.DumpLogSegments", "--cluster-metadata-decoder", "--files", path)
	var got []string
	for line := range strings.Lines(out) {
		if _, rest, ok := strings.Cut(line, `payload: {"type":"`); ok {
			name, _, _ := strings.Cut(rest, `"`)
			got = append(got, name)
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("Kafka reads %q, written were %q", got, want)
	}
	for _, part := range []string{"SnapshotHeader", "SnapshotFooter", "isvalid: true"} {
		if !strings.Contains(out, part) {
			t.Errorf("no %s in the dump", part)
		}
	}
	for _, bad := range []string{"skipping", "isvalid: false", "orrupt"} {
		if strings.Contains(out, bad) {
			t.Errorf("the dump says %q", bad)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

// constant is PARTITION_RECORD for PartitionRecord.
func constant(t metarecord.Type) string {
	var b strings.Builder
	for i, c := range t.String() {
		if c >= 'A' && c <= 'Z' && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(c)
	}
	return strings.ToUpper(b.String())
}
