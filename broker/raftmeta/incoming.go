package raftmeta

import (
	"errors"
	"io"

	"github.com/hashicorp/raft"
)

var (
	// errHeld: the node has every entry that the snapshot replaces.
	errHeld = errors.New("it is not needed: the entries that it replaces are here")
	// errParted: raft's view of its log is out of date until it starts anew.
	errParted = errors.New("raft starts anew after a snapshot")
)

// incoming stands between the network and raft's main goroutine, one request at
// a time, for what raft expects of its peers and an unreliable network does not
// give: a snapshot or entries that the node has long since, because the leader
// never got the answer that said so.
type incoming struct {
	from     <-chan raft.RPC
	to       chan raft.RPC
	stop     <-chan struct{}
	done     chan struct{}
	store    *Store // nil: every request goes to raft as it is
	onParted func() // nil: nobody starts raft anew
	parted   bool   // it was called
}

func (in *incoming) run() {
	defer close(in.done)
	for {
		select {
		case rpc := <-in.from:
			in.pass(rpc)
		case <-in.stop:
			return
		}
	}
}

func (in *incoming) pass(rpc raft.RPC) {
	if in.parted {
		rpc.Respond(nil, errParted)
		return
	}
	if in.store != nil {
		switch req := rpc.Command.(type) {
		case *raft.AppendEntriesRequest:
			rpc.Command = in.store.trimEntries(req)
		case *raft.InstallSnapshotRequest:
			in.install(rpc, req)
			return
		}
	}
	in.give(rpc)
}

// give hands a request to raft, and reports whether raft took it.
func (in *incoming) give(rpc raft.RPC) bool {
	select {
	case in.to <- rpc:
		return true
	case <-in.stop:
		return false
	}
}

// install lets raft install a snapshot that has something new. Raft would put any
// other in place of the log and forget acknowledged entries behind it, which it
// believes to have; a leader is told of those that they are here.
func (in *incoming) install(rpc raft.RPC, req *raft.InstallSnapshotRequest) {
	answers := make(chan raft.RPCResponse, 1)
	stream := &snapshotStream{Reader: rpc.Reader, store: in.store, index: req.LastLogIndex, term: req.LastLogTerm}
	if !in.give(raft.RPC{Command: rpc.Command, Reader: stream, RespChan: answers}) {
		return
	}
	var a raft.RPCResponse
	select {
	case a = <-answers:
	case <-in.stop:
		return
	}
	_, _ = io.Copy(io.Discard, rpc.Reader) // the next request begins behind it
	resp, ok := a.Response.(*raft.InstallSnapshotResponse)
	if ok && errors.Is(a.Error, errHeld) {
		resp.Success, a.Error = true, nil
	}
	if ok && resp.Success && stream.parts && in.onParted != nil {
		in.parted = true
		in.onParted()
	}
	rpc.Respond(a.Response, a.Error)
}

// snapshotStream is a snapshot on its way to raft's main goroutine, which reads it
// once it knows that the leader's term is the newest. Nothing but that goroutine
// changes the end of the log, so its first read decides whether it is needed.
type snapshotStream struct {
	io.Reader
	store       *Store
	index, term uint64 // of the last entry that it replaces
	begun       bool
	parts       bool // the log has another entry there
}

func (s *snapshotStream) Read(p []byte) (int, error) {
	if !s.begun {
		s.begun = true
		var held bool
		if held, s.parts = s.store.holds(s.index, s.term); held {
			return 0, errHeld
		}
	}
	return s.Reader.Read(p)
}

// holds reports whether the node has the committed entry of that index and term,
// and with it all before. If not, parts reports that another is in its place.
func (st *Store) holds(index, term uint64) (held, parts bool) {
	first, _ := st.Log.FirstIndex()
	last, _ := st.Log.LastIndex()
	switch {
	case first == 0:
		return index < st.Snapshots.LatestIndex(), false
	case index < first: // entries are dropped from the front once a snapshot has them
		return true, false
	case index > last:
		return false, false
	}
	var l raft.Log
	if err := st.Log.GetLog(index, &l); err != nil {
		return false, false
	}
	return l.Term == term, l.Term != term
}

// trimEntries leaves out of a request what a snapshot of this node has: those
// entries are committed, thus the leader's, but raft could not compare them. The
// commit index becomes that of an entry which the request speaks for: entries
// beyond, of an earlier leader, may differ from the leader's.
func (st *Store) trimEntries(req *raft.AppendEntriesRequest) *raft.AppendEntriesRequest {
	r := *req
	r.LeaderCommitIndex = min(r.LeaderCommitIndex, r.PrevLogEntry+uint64(len(r.Entries)))
	first, _ := st.Log.FirstIndex()
	base, term := st.Snapshots.latestEntry()
	if first > 0 {
		base = first - 1 // which raft cannot read, but need not: 0 says so
	}
	switch {
	case base == 0 || r.PrevLogEntry > base || r.PrevLogEntry == 0 && len(r.Entries) == 0:
	case first > 0:
		r.Entries = r.Entries[min(base-r.PrevLogEntry, uint64(len(r.Entries))):]
		r.PrevLogEntry, r.PrevLogTerm = 0, 0
	case r.PrevLogEntry < base:
		r.Entries = r.Entries[min(base-r.PrevLogEntry, uint64(len(r.Entries))):]
		r.PrevLogEntry, r.PrevLogTerm = base, term
	}
	return &r
}
