package raftmeta

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/net/memnet"
)

// leaderOf is what raft on a voter takes for its leader: a test that sends what
// it likes, in the order in which a network might deliver it.
type leaderOf struct {
	t         *testing.T
	net       *memnet.Network
	disk      *memfs.FS
	follower  *voter
	transport *Transport
}

func newLeaderOf(t *testing.T) *leaderOf {
	t.Helper()
	l := &leaderOf{t: t, net: memnet.New(sysclock.New()), disk: memfs.New()}
	l.follower = startVoter(t, l.net, l.disk, peer(1), leaderServers())
	var err error
	l.transport, err = NewTransport(TransportConfig{
		Network: l.net, ClusterID: "c", Self: peer(2), Resolve: peerAddress, Timeout: 10 * time.Second, Logger: hclog.NewNullLogger(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.transport.Close(); err != nil {
			t.Error(err)
		}
		l.follower.stop(t)
	})
	return l
}

func leaderServers() (servers []raft.Server) {
	for n := int32(1); n <= 2; n++ {
		id := ServerID(peer(n).Node, peer(n).Directory)
		servers = append(servers, raft.Server{ID: id, Address: raft.ServerAddress(id)})
	}
	return servers
}

func (l *leaderOf) header() raft.RPCHeader {
	return raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(leaderServers()[1].ID), Addr: []byte(leaderServers()[1].Address)}
}

// entries sends those from first to last, all of entryTerm, behind one of prevTerm.
func (l *leaderOf) entries(term, prevTerm, entryTerm, first, last, commit uint64) bool {
	l.t.Helper()
	req := &raft.AppendEntriesRequest{
		RPCHeader: l.header(), Term: term, PrevLogEntry: first - 1, PrevLogTerm: prevTerm, LeaderCommitIndex: commit,
	}
	for i := first; i <= last; i++ {
		req.Entries = append(req.Entries, &raft.Log{Index: i, Term: entryTerm, Type: raft.LogNoop})
	}
	var resp raft.AppendEntriesResponse
	if err := l.transport.AppendEntries(leaderServers()[0].ID, leaderServers()[0].Address, req, &resp); err != nil {
		l.t.Fatal(err)
	}
	return resp.Success
}

// snapshot sends one whose last entry is of that index and entryTerm.
func (l *leaderOf) snapshot(term, index, entryTerm uint64) {
	l.t.Helper()
	body := checkpointStream(l.t, 7)
	var resp raft.InstallSnapshotResponse
	err := l.transport.InstallSnapshot(leaderServers()[0].ID, leaderServers()[0].Address, &raft.InstallSnapshotRequest{
		RPCHeader: l.header(), SnapshotVersion: raft.SnapshotVersionMax, Term: term, LastLogIndex: index, LastLogTerm: entryTerm,
		Configuration: raft.EncodeConfiguration(raft.Configuration{Servers: leaderServers()}), ConfigurationIndex: 1, Size: int64(len(body)),
	}, &resp, bytes.NewReader(body))
	if err != nil || !resp.Success {
		l.t.Fatalf("snapshot at %d: %+v, %v", index, resp, err)
	}
}

// checkpointStream is a snapshot of n records as raft sends it.
func checkpointStream(t *testing.T, n int) []byte {
	t.Helper()
	p := newProbe(t)
	p.fsm.ApplyBatch([]*raft.Log{entryLog(t, 1, 2, 2, 0, n)})
	snap, err := p.fsm.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var sink memSink
	if err := snap.Persist(&sink); err != nil {
		t.Fatal(err)
	}
	return sink.Bytes()
}

func (l *leaderOf) wantLog(first, last uint64) {
	l.t.Helper()
	gotFirst, _ := l.follower.store.Log.FirstIndex()
	gotLast, _ := l.follower.store.Log.LastIndex()
	if gotFirst != first || gotLast != last {
		l.t.Fatalf("the log is %d to %d, want %d to %d", gotFirst, gotLast, first, last)
	}
}

// TestSnapshotOfEntriesThatAreHere: a leader that never got a follower's answers
// sends it a snapshot of entries that it has. The follower keeps those behind the
// snapshot, which it has acknowledged, and applies them.
func TestSnapshotOfEntriesThatAreHere(t *testing.T) {
	l := newLeaderOf(t)
	if !l.entries(10, 1, 10, 2, 50, 40) {
		t.Fatal("entries are refused")
	}
	l.snapshot(10, 45, 10)
	l.wantLog(1, 50)
	if !l.entries(10, 10, 10, 51, 50, 50) { // none: only what is committed
		t.Error("the commit index is refused")
	}
	if got := l.follower.raft.AppliedIndex(); got != 50 {
		t.Errorf("applied to %d, want 50", got)
	}
	l.snapshot(10, 60, 10) // this one has more
	l.wantLog(0, 0)
	if got := l.follower.raft.AppliedIndex(); got != 60 {
		t.Errorf("applied to %d, want 60", got)
	}
}

// TestEntriesThatASnapshotHas: of a request that begins before a follower's log,
// the follower takes the rest, also where its log has entries of another leader.
func TestEntriesThatASnapshotHas(t *testing.T) {
	l := newLeaderOf(t)
	l.snapshot(10, 60, 10)
	if !l.entries(10, 10, 10, 55, 62, 60) {
		t.Error("entries on both sides of the end of a snapshot are refused")
	}
	l.wantLog(61, 62)
	l.snapshot(10, 58, 10) // which came late
	l.wantLog(61, 62)
	if !l.entries(10, 10, 10, 59, 65, 60) {
		t.Error("entries from before the log are refused")
	}
	l.wantLog(61, 65)
	if !l.entries(11, 10, 11, 61, 63, 60) {
		t.Error("another leader's entries behind the snapshot are refused")
	}
	l.wantLog(61, 63)
}

// TestSnapshotInPlaceOfAnotherLeadersEntries: raft starts anew, as it would believe
// to have the entries still that the snapshot took the place of.
func TestSnapshotInPlaceOfAnotherLeadersEntries(t *testing.T) {
	l := newLeaderOf(t)
	if !l.entries(10, 1, 10, 2, 50, 1) {
		t.Fatal("entries are refused")
	}
	l.snapshot(11, 45, 11)
	l.wantLog(0, 0)
	if !l.follower.parted.Load() {
		t.Fatal("nobody was told to start raft anew")
	}
	l.follower.stop(t)
	l.follower = startVoter(t, l.net, l.disk, peer(1), nil)
	var ok bool
	for range 2 { // the first finds the connection gone
		if ok = l.tryEntry(11, 46); ok {
			break
		}
	}
	if !ok {
		t.Error("the entry behind the snapshot is refused")
	}
	l.wantLog(46, 46)
}

// tryEntry sends one entry, and reports whether it was taken.
func (l *leaderOf) tryEntry(term, index uint64) bool {
	var resp raft.AppendEntriesResponse
	err := l.transport.AppendEntries(leaderServers()[0].ID, leaderServers()[0].Address, &raft.AppendEntriesRequest{
		RPCHeader: l.header(), Term: term, PrevLogEntry: index - 1, PrevLogTerm: term,
		Entries: []*raft.Log{{Index: index, Term: term, Type: raft.LogNoop}},
	}, &resp)
	return err == nil && resp.Success
}

// TestCommitIndexOfWhatWasCompared: a follower whose log goes on behind what the
// leader has sent of it takes no more than that for committed.
func TestCommitIndexOfWhatWasCompared(t *testing.T) {
	l := newLeaderOf(t)
	if !l.entries(10, 1, 10, 2, 50, 1) || !l.entries(11, 10, 10, 11, 20, 40) {
		t.Fatal("entries are refused")
	}
	if got := l.follower.raft.AppliedIndex(); got != 20 {
		t.Errorf("applied to %d, want 20", got)
	}
}

// TestSnapshotsAtOnce: raft's own snapshot and one that comes from the leader do
// not share a file, and the older does not take the place of the newer.
func TestSnapshotsAtOnce(t *testing.T) {
	st := testStore(t, memfs.New())
	defer st.Close()
	begin := func(index uint64, records int) raft.SnapshotSink {
		sink, err := st.Snapshots.Create(raft.SnapshotVersionMax, index, 1, raft.Configuration{Servers: leaderServers()}, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sink.Write(checkpointStream(t, records)); err != nil {
			t.Fatal(err)
		}
		return sink
	}
	newer, older := begin(9, 7), begin(5, 3)
	if err := newer.Close(); err != nil {
		t.Fatal(err)
	}
	if err := older.Close(); !errors.Is(err, errOlderSnapshot) {
		t.Fatalf("the older snapshot: %v", err)
	}
	metas, err := st.Snapshots.List()
	if err != nil || len(metas) != 1 || metas[0].Index != 9 {
		t.Fatalf("the newest: %+v, %v", metas, err)
	}
	_, r, err := st.Snapshots.Open(metas[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	p := newProbe(t)
	if err := p.fsm.Restore(r); err != nil || p.holder.Load().Feature("f6") != 2 {
		t.Errorf("the newest is not what was written: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
