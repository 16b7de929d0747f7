package dump

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/moldau/moldau/disk/memfs"
)

// fuzzNames are the kinds of file, chosen by the first byte.
func fuzzNames() []string {
	return []string{
		"plain-0/00000000000000000000.log", "__cluster_metadata-0/00000000000000000000.log", "__consumer_offsets-0/00000000000000000000.log",
		"__transaction_state-0/00000000000000000000.log", "__share_group_state-0/00000000000000000000.log",
		"plain-0/00000000000000000000.index", "plain-0/00000000000000000000.timeindex", "txn-0/00000000000000000000.txnindex",
		"plain-0/00000000000000000015.snapshot", "__cluster_metadata-0/00000000000000000000-0000000000.checkpoint",
		"plain-0/leader-epoch-checkpoint", "plain-0/partition.metadata", "./recovery-point-offset-checkpoint", "./meta.properties",
		"./.kafka_cleanshutdown", "__cluster_metadata-0/quorum-state",
	}
}

// ownNames are Moldau's own kinds, which begin with no file of Kafka's.
func ownNames() []string {
	return []string{"./moldau.raft.00000000000000000001", "./moldau.journal-0001", "./moldau.marks", "./moldau.stable", "./moldau.00000000000000000001-0000000001.meta"}
}

// FuzzFile dumps any bytes as any kind of file: it ends, without a panic, with
// no error but damage, and as JSON every line is valid.
func FuzzFile(f *testing.F) {
	names := fuzzNames()
	for i, name := range names {
		f.Add(byte(i), kafkaFile(f, name))
	}
	for i := range ownNames() {
		f.Add(byte(len(names)+i), []byte("MOLDRAFT MOLM MOLJ MSTB moldau-snapshot 1 0\n{}"))
	}
	names = append(names, ownNames()...)
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		name := names[int(kind)%len(names)]
		dir, base, _ := strings.Cut(name, "/")
		fsys := memfs.New()
		put(t, fsys, dir, base, b)
		var text, lines bytes.Buffer
		if err := File(&text, fsys, name, Options{}); err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatal(err)
		}
		if err := File(&lines, fsys, name, Options{Format: JSON}); err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatal(err)
		}
		for _, line := range bytes.Split(bytes.TrimSpace(lines.Bytes()), []byte("\n")) {
			if !json.Valid(line) {
				t.Fatalf("no JSON: %q", line)
			}
		}
	})
}
