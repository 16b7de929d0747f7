package raftmeta

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"go.uber.org/goleak"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metaimage/published"
	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/net/memnet"
	"github.com/moldau/moldau/net/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func peer(n int32) Peer { return Peer{Node: n, Directory: kafka.UUID{1, byte(n)}} }

func peerAddress(p Peer) ([]string, error) {
	return []string{fmt.Sprintf("10.0.0.%d:9093", p.Node)}, nil
}

// voter is one of several raft nodes over an in-process network.
type voter struct {
	raft      *raft.Raft
	transport *Transport
	holder    *published.Holder
	store     *Store
	ln        transport.Listener
	wg        sync.WaitGroup
	failed    chan error
	parted    atomic.Bool // the transport asked for raft to start anew
}

func startVoter(t *testing.T, net transport.Network, fsys *memfs.FS, self Peer, servers []raft.Server) *voter {
	t.Helper()
	v := &voter{holder: published.New(metaimage.New("c")), failed: make(chan error, 1)}
	v.store = testStore(t, fsys)
	if empty, err := v.store.Empty(); err == nil && empty && servers != nil {
		if err := v.store.Bootstrap(servers); err != nil {
			t.Fatal(err)
		}
	}
	fsm, err := NewFSM(FSMConfig{
		Holder: v.holder, OnApplied: func([]Applied, uint64) {}, OnRestored: func(SnapshotID) {},
		OnFailure: func(err error) { v.failed <- err },
	})
	if err != nil {
		t.Fatal(err)
	}
	address, _ := peerAddress(self)
	if v.ln, err = net.Listen(address[0]); err != nil {
		t.Fatal(err)
	}
	logger := hclog.NewNullLogger()
	v.transport, err = NewTransport(TransportConfig{
		Network: net, ClusterID: "c", Self: self, Resolve: peerAddress, Timeout: time.Second, Logger: logger,
		Store: v.store, OnParted: func() { v.parted.Store(true) },
	})
	if err != nil {
		t.Fatal(err)
	}
	v.wg.Add(1)
	go v.accept()
	c := raft.DefaultConfig()
	c.LocalID, c.Logger = ServerID(self.Node, self.Directory), logger
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = 100*time.Millisecond, 100*time.Millisecond, 50*time.Millisecond
	c.TrailingLogs = 0
	if v.raft, err = raft.NewRaft(c, fsm, v.store.Log, v.store.Stable, v.store.Snapshots, v.transport); err != nil {
		t.Fatal(err)
	}
	return v
}

// accept does what the controller listener does.
func (v *voter) accept() {
	defer v.wg.Done()
	for {
		conn, err := v.ln.Accept()
		if err != nil {
			return
		}
		v.wg.Add(1)
		go func() {
			defer v.wg.Done()
			var first [4]byte
			if _, err := io.ReadFull(conn, first[:]); err != nil || !IsRaft(first) {
				_ = conn.Close()
				return
			}
			_ = v.transport.AcceptRaft(conn, first[:])
		}()
	}
}

func (v *voter) stop(t *testing.T) {
	t.Helper()
	err := errors.Join(v.ln.Close(), v.raft.Shutdown().Error(), v.store.Close())
	v.wg.Wait()
	if err != nil {
		t.Error(err)
	}
}

// TestThreeVoters: three nodes elect a leader over the preamble's connections,
// and one that comes back empty-handed gets the snapshot.
func TestThreeVoters(t *testing.T) {
	net := memnet.New(sysclock.New())
	var servers []raft.Server
	for n := int32(1); n <= 3; n++ {
		id := ServerID(peer(n).Node, peer(n).Directory)
		servers = append(servers, raft.Server{ID: id, Address: raft.ServerAddress(id)})
	}
	disks := []*memfs.FS{memfs.New(), memfs.New(), memfs.New()}
	voters := make([]*voter, 3)
	for i := range voters {
		voters[i] = startVoter(t, net, disks[i], peer(int32(i+1)), servers)
	}
	var base int64
	propose := func() {
		for { // whoever leads takes it; a term may end in between
			for _, v := range voters {
				if v == nil || v.raft.State() != raft.Leader || v.raft.Barrier(0).Error() != nil {
					continue
				}
				base = v.holder.Load().Offset() + 1
				term := v.raft.CurrentTerm()
				l := entryLog(t, 0, term, term, base, 1)
				if v.raft.Apply(l.Data, 0).Error() == nil && v.holder.Load().Offset() == base {
					return
				}
			}
		}
	}
	for range 5 {
		propose()
	}
	late := 0
	for i, v := range voters {
		if v.raft.State() != raft.Leader {
			late = i
		}
	}
	voters[late].stop(t)
	voters[late] = nil
	for range 5 {
		propose()
	}
	for _, v := range voters {
		if v != nil && v.raft.State() == raft.Leader {
			if err := v.raft.Snapshot().Error(); err != nil {
				t.Fatal(err)
			}
		}
	}
	propose()
	back := startVoter(t, net, disks[late], peer(int32(late+1)), nil)
	voters[late] = back
	sub := back.holder.Subscribe()
	for back.holder.Load().Offset() < base {
		<-sub.Wake()
	}
	sub.Close()
	if id, ok := back.store.Snapshots.Latest(); !ok || id.EndOffset == 0 {
		t.Errorf("no snapshot was installed: %v %v", id, ok)
	}
	for _, v := range voters {
		v.stop(t)
	}
}

// TestPreamble: who is not meant is refused.
func TestPreamble(t *testing.T) {
	net := memnet.New(sysclock.New())
	v := startVoter(t, net, memfs.New(), peer(1), nil)
	defer v.stop(t)
	dial := func(cluster string, to Peer) error {
		tr, err := NewTransport(TransportConfig{
			Network: net, ClusterID: cluster, Self: peer(2), Timeout: time.Second, Logger: hclog.NewNullLogger(),
			Resolve: func(Peer) ([]string, error) { return peerAddress(peer(1)) },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		conn, err := tr.stream.Dial(raft.ServerAddress(ServerID(to.Node, to.Directory)), 0)
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
	if err := dial("c", peer(1)); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"another cluster":   dial("d", peer(1)),
		"another node":      dial("c", Peer{Node: 3, Directory: peer(1).Directory}),
		"another directory": dial("c", Peer{Node: 1, Directory: kafka.UUID{9}}),
	} {
		if err == nil || !strings.Contains(err.Error(), "another cluster, node or directory") {
			t.Errorf("%s: %v", what, err)
		}
	}
	v.transport.Suspend(true)
	if err := dial("c", peer(1)); err == nil {
		t.Error("a suspended transport took a connection")
	}
	v.transport.Suspend(false)
	if err := dial("c", peer(1)); err != nil {
		t.Error(err)
	}
}
