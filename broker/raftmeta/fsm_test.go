package raftmeta

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metaimage/published"
	"github.com/moldau/moldau/broker/metarecord"
)

// entryLog is a raft log entry with n records at base, proposed under term.
func entryLog(t *testing.T, index, term, logTerm uint64, base int64, n int) *raft.Log {
	t.Helper()
	var records []metarecord.Record
	for i := range n {
		records = append(records, &metarecord.FeatureLevel{Name: fmt.Sprintf("f%d", base+int64(i)), FeatureLevel: int16(term)})
	}
	b, err := metarecord.EncodeBatch(metarecord.Batch{BaseOffset: base, Epoch: int32(term), Timestamp: 1000 + base, Records: records}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return &raft.Log{Index: index, Term: logTerm, Type: raft.LogCommand, Data: append(AppendEntry(nil, term, base), b...)}
}

type fsmProbe struct {
	fsm      *FSM
	holder   *published.Holder
	applied  []Applied
	restored []SnapshotID
	failed   error
}

func newProbe(t *testing.T) *fsmProbe {
	p := &fsmProbe{holder: published.New(metaimage.New("c"))}
	var err error
	p.fsm, err = NewFSM(FSMConfig{
		Holder:     p.holder,
		OnApplied:  func(a []Applied, _ uint64) { p.applied = append(p.applied, a...) },
		OnRestored: func(id SnapshotID) { p.restored = append(p.restored, id) },
		OnFailure:  func(err error) { p.failed = err },
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestFSMDropsForeignProposals: entries of another term than their log
// entry's, and of a base offset that is not next, do not count.
func TestFSMDropsForeignProposals(t *testing.T) {
	p := newProbe(t)
	p.fsm.ApplyBatch([]*raft.Log{
		entryLog(t, 1, 2, 2, 0, 3),
		entryLog(t, 2, 2, 3, 3, 1), // proposed under an older term
		entryLog(t, 3, 3, 3, 4, 1), // a hole
		{Index: 4, Term: 3, Type: raft.LogConfiguration},
		entryLog(t, 5, 3, 3, 3, 2),
		entryLog(t, 6, 3, 3, 3, 2), // the same offsets once more
	})
	var got []string
	for _, a := range p.applied {
		got = append(got, fmt.Sprintf("%d:%d-%d@%d", a.Index, a.BaseOffset, a.NextOffset, a.Epoch))
	}
	if want := "[1:0-3@2 5:3-5@3]"; fmt.Sprint(got) != want {
		t.Fatalf("applied %v, want %s", got, want)
	}
	img := p.holder.Load()
	if img.Offset() != 4 || img.Epoch() != 3 || img.Feature("f3") != 3 {
		t.Fatalf("image at %d of epoch %d", img.Offset(), img.Epoch())
	}
}

// TestFSMSkipsWhatTheImageHas: the broker's own fetches may have brought the
// image further; the entries still count for observers.
func TestFSMSkipsWhatTheImageHas(t *testing.T) {
	p := newProbe(t)
	ahead := newProbe(t)
	logs := []*raft.Log{entryLog(t, 1, 2, 2, 0, 2), entryLog(t, 2, 2, 2, 2, 2), entryLog(t, 3, 2, 2, 4, 2)}
	ahead.fsm.ApplyBatch(logs[:2])
	p.holder.Publish(ahead.holder.Load())
	img := p.holder.Load()
	p.fsm.ApplyBatch(logs[:2])
	if p.holder.Load() != img || len(p.applied) != 2 {
		t.Fatalf("image replaced, or %d entries", len(p.applied))
	}
	p.fsm.ApplyBatch(logs[2:])
	if p.holder.Load().Offset() != 5 {
		t.Fatalf("image at %d", p.holder.Load().Offset())
	}
}

// TestFSMUnknownEntryStops: an entry that this program cannot read ends the
// goroutine that applies, after the node was told.
func TestFSMUnknownEntryStops(t *testing.T) {
	p := newProbe(t)
	ended := make(chan bool, 1)
	go func() {
		defer func() { ended <- true }()
		p.fsm.ApplyBatch([]*raft.Log{entryLog(t, 1, 2, 2, 0, 1), {Index: 2, Term: 2, Type: raft.LogCommand, Data: append([]byte{99}, make([]byte, 30)...)}})
		p.failed = nil
	}()
	<-ended
	if !errors.Is(p.failed, ErrNewerFormat) {
		t.Fatalf("failure %v", p.failed)
	}
}

// memSink is a sink that keeps what it is given.
type memSink struct {
	bytes.Buffer
	cancelled bool
}

func (*memSink) ID() string      { return "x" }
func (*memSink) Close() error    { return nil }
func (s *memSink) Cancel() error { s.cancelled = true; return nil }

func TestFSMSnapshotRestore(t *testing.T) {
	p := newProbe(t)
	if _, err := p.fsm.Snapshot(); !errors.Is(err, raft.ErrNothingNewToSnapshot) {
		t.Fatalf("snapshot of nothing: %v", err)
	}
	p.fsm.ApplyBatch([]*raft.Log{entryLog(t, 1, 2, 2, 0, 7)})
	snap, err := p.fsm.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var sink memSink
	if err := snap.Persist(&sink); err != nil || sink.cancelled {
		t.Fatal(err)
	}
	again := newProbe(t)
	if err := again.fsm.Restore(io.NopCloser(bytes.NewReader(sink.Bytes()))); err != nil {
		t.Fatal(err)
	}
	if again.holder.Load().Offset() != 6 || again.holder.Load().Feature("f6") != 2 || again.restored[0] != (SnapshotID{7, 2}) {
		t.Fatalf("restored to %d, %v", again.holder.Load().Offset(), again.restored)
	}
	again.fsm.ApplyBatch([]*raft.Log{entryLog(t, 1, 2, 2, 0, 7), entryLog(t, 2, 2, 2, 7, 1)})
	if len(again.applied) != 1 || again.holder.Load().Offset() != 7 {
		t.Fatalf("%d entries applied behind the snapshot", len(again.applied))
	}
	for cut := range sink.Len() {
		if err := newProbe(t).fsm.Restore(io.NopCloser(bytes.NewReader(sink.Bytes()[:cut]))); err == nil {
			t.Fatalf("a snapshot of %d bytes was taken, whole it has %d", cut, sink.Len())
		}
	}
}

// TestFSMNoSnapshotInTransaction: half a metadata transaction is no snapshot.
func TestFSMNoSnapshotInTransaction(t *testing.T) {
	p := newProbe(t)
	b, err := metarecord.EncodeBatch(metarecord.Batch{Epoch: 1, Records: []metarecord.Record{&metarecord.BeginTransaction{}}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	p.fsm.ApplyBatch([]*raft.Log{{Index: 1, Term: 1, Type: raft.LogCommand, Data: append(AppendEntry(nil, 1, 0), b...)}})
	if _, err := p.fsm.Snapshot(); !errors.Is(err, ErrInTransaction) {
		t.Fatalf("%v", err)
	}
}
