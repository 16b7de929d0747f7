package dump

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metarecord"
	"github.com/moldau/moldau/broker/raftmeta"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/broker/seglog/logdir"
	"github.com/moldau/moldau/clock/manual"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
)

// dumpOurs dumps the files of a folder whose names begin with moldau.
func dumpOurs(t *testing.T, fsys vfs.FS, dir, prefix string) string {
	t.Helper()
	entries, err := fsys.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, e := range entries {
		if !strings.HasPrefix(e.Name, prefix) {
			continue
		}
		if err := File(&out, fsys, dir+"/"+e.Name, Options{}); err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		if err := File(new(bytes.Buffer), fsys, dir+"/"+e.Name, Options{Format: JSON}); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

func contains(t *testing.T, out string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}

// Raft's log and votes as the store itself writes them.
func TestRaftFiles(t *testing.T) {
	fsys := memfs.New()
	if err := fsys.MkdirAll("data"); err != nil {
		t.Fatal(err)
	}
	store, err := raftmeta.OpenStore(raftmeta.StoreConfig{FS: fsys, Clock: manual.New(), LogDir: "data", OnFailure: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	records, err := metarecord.EncodeBatch(metarecord.Batch{BaseOffset: 7, Epoch: 2, Timestamp: 1700000000000,
		Records: []metarecord.Record{&metarecord.Topic{Name: "orders", TopicID: kafka.UUID{1}}}}, 30)
	if err != nil {
		t.Fatal(err)
	}
	logs := []*raft.Log{
		{Index: 1, Term: 1, Type: raft.LogNoop},
		{Index: 2, Term: 2, Type: raft.LogCommand, AppendedAt: time.Unix(1700000000, 5), Data: append(raftmeta.AppendEntry(nil, 2, 7), records...)},
	}
	if err := store.Log.StoreLogs(logs); err != nil {
		t.Fatal(err)
	}
	if err := store.Stable.SetUint64([]byte("CurrentTerm"), 2); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	out := dumpOurs(t, fsys, "data/"+raftmeta.Folder, "moldau.")
	contains(t, out, "firstIndex: 1", "index: 1 term: 1 synced: ", "type: noop",
		"index: 2 term: 2 synced: ", "appendedAt: 2023-11-14T22:13:20.000000005Z", "type: command format: 1 proposedTerm: 2 baseOffset: 7",
		"baseOffset: 7 lastOffset: 7", "isvalid: true", "payload: {type: TopicRecord, version: 0, data: {name: orders, topicId: AQAAAAAAAAAAAAAAAAAAAA}}",
		"CurrentTerm: 2")
}

// done tells when every replica's append is durable.
type done chan seglog.Done

func (d done) DiskDone(cs []logdir.Completion) {
	for _, c := range cs {
		d <- c.Done
	}
}

// The journal and the marks as the log directory itself writes them.
func TestJournalAndMarks(t *testing.T) {
	const partitions = 9 // more than are synced file by file
	fsys := memfs.New()
	if err := fsys.MkdirAll("data"); err != nil {
		t.Fatal(err)
	}
	clk := manual.New()
	dir, err := logdir.Open(logdir.Config{FS: fsys, Clock: clk, Entropy: manual.NewEntropy(1), Path: "data", Events: event.Discard{},
		OnOffline: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	specs := make([]logdir.Spec, partitions)
	for i := range specs {
		specs[i] = logdir.Spec{Topic: "t", ID: kafka.TopicPartition{Topic: kafka.UUID{1}, Partition: int32(i)}, Options: logdir.Options{Durability: kafka.DurabilitySync, IndexBytes: 4096}}
	}
	parts, err := dir.Create(specs)
	if err != nil {
		t.Fatal(err)
	}
	sink := make(done, 4*partitions)
	for i, p := range parts {
		p.Bind(sink, uint64(i))
	}
	// The first turns may sync the segments, while the journal's first block is made.
	rounds := int64(0)
	var out string
	for !strings.Contains(out, "append partition: ") {
		if rounds == 10000 {
			t.Fatal("nothing was written to the journal")
		}
		appendRound(t, dir, parts, sink, rounds)
		rounds++
		if _, err := fsys.Stat("data/moldau.journal-0001"); err == nil {
			out = dumpOurs(t, fsys, "data", "moldau.journal-0001")
		}
	}
	contains(t, out, "commit position: 0 version: 1 generation: ", "append partition: AQAAAAAAAAAAAAAAAAAAAA-8 segment: 0 position: ",
		fmt.Sprintf("firstOffset: %d lastOffset: %[1]d size: ", rounds-1), fmt.Sprintf("baseOffset: %d lastOffset: %[1]d count: 1", rounds-1), "end position: 4096 version: 1")
	appendRound(t, dir, parts, sink, rounds) // so that the producer has an earlier batch
	rounds++
	if err := dir.Close(true, 1); err != nil {
		t.Fatal(err)
	}
	out = dumpOurs(t, fsys, "data", "moldau.marks")
	contains(t, out, "version: 2 floor: ", fmt.Sprintf("partition: 8 syncedThrough: %d logStart: 0", rounds),
		fmt.Sprintf("resume: {end: %d, segments: [{base: 0, size: ", rounds), "epochs: [{epoch: 3, startOffset: 0}]", "producers: [{producerId: 7, ", "earlier: [{lastSequence: ")
	if strings.Contains(out, "CORRUPT") {
		t.Errorf("sound marks are called corrupt:\n%s", out)
	}
}

// appendRound appends the record at offset to every partition and waits until all are durable.
func appendRound(t *testing.T, dir *logdir.Dir, parts []*logdir.Partition, sink done, offset int64) {
	t.Helper()
	orders := make([]logdir.Order, len(parts))
	for i, p := range parts {
		b := batch.NewBuilder(batch.BuilderOptions{BaseOffset: offset, LeaderEpoch: 3, Producer: &batch.Producer{ID: 7, BaseSequence: int32(offset)}})
		if err := b.Append(batch.NewRecord{Timestamp: 1700000000000, Value: []byte("v")}); err != nil {
			t.Fatal(err)
		}
		bytes, err := b.Build(nil)
		if err != nil {
			t.Fatal(err)
		}
		orders[i] = logdir.Order{P: p, Op: seglog.Op{Kind: seglog.OpAppend, Append: seglog.Append{
			Position: offset * int64(len(bytes)), FirstOffset: offset, LastOffset: offset, LeaderEpoch: 3, Data: buffer.Own(bytes),
		}}}
	}
	dir.Submit(orders)
	for durable := 0; durable < len(parts); {
		switch d := <-sink; {
		case d.Kind == seglog.Failed:
			t.Fatal(d.Err)
		case d.Kind == seglog.Durable && d.UpTo > offset:
			durable++
		}
	}
}

// Damage in our own files is reported, and what stands before it is shown.
func TestDamagedOurs(t *testing.T) {
	for name, b := range map[string][]byte{
		"moldau.raft.00000000000000000001":            []byte("MOLDRAFTxxxxxxxxxxxxxxxxyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"),
		"moldau.journal-0001":                         bytes.Repeat([]byte("x"), 4096),
		"moldau.marks":                                []byte("MOLMxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
		"moldau.stable":                               bytes.Repeat([]byte("x"), 4096),
		"moldau.00000000000000000001-0000000001.meta": []byte("moldau-snapshot 1 00000000\n{}"),
		"moldau.00000000000000000002-0000000001.meta": []byte("else"),
		"moldau.directory":                            []byte("x\n"),
	} {
		if out, err := dumped(t, name, b, Options{}); !errors.Is(err, ErrDamaged) || !strings.Contains(out, "CORRUPT position: ") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
