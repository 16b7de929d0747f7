package raftmeta

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/net/memnet"
)

// serveLobby takes every connection at an address for a lobby, until the test ends.
func serveLobby(t *testing.T, net *memnet.Network, address string, l *Lobby) {
	t.Helper()
	ln, err := net.Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			var first [4]byte
			if _, err := io.ReadFull(conn, first[:]); err != nil {
				_ = conn.Close()
				continue
			}
			_ = l.Accept(conn, first[:])
		}
	}()
	t.Cleanup(func() { _ = ln.Close(); <-ended })
}

// TestQuestion: who asks learns who is there and in which cluster; who is not
// meant, or means another cluster, is told so.
func TestQuestion(t *testing.T) {
	net := memnet.New(sysclock.New())
	v := startVoter(t, net, memfs.New(), peer(1), nil)
	defer v.stop(t)
	lobby := NewLobby(LobbyConfig{Self: peer(2), Voters: []int32{3, 1, 2}, Timeout: time.Second})
	serveLobby(t, net, "10.0.0.2:9093", lobby)
	voters := []int32{1, 2, 3}
	twin := Peer{Node: 2, Directory: kafka.UUID{9}}
	for _, c := range []struct {
		what    string
		address string
		q       Question
		want    Answer
		err     error
	}{
		{"a member", "10.0.0.1:9093", Question{peer(3), 1, voters}, Answer{peer(1), "c"}, nil},
		{"a member, whoever it is", "10.0.0.1:9093", Question{peer(9), AnyNode, nil}, Answer{peer(1), "c"}, nil},
		{"a member, taken for another", "10.0.0.1:9093", Question{peer(3), 2, voters}, Answer{}, ErrOtherNode},
		{"an empty node", "10.0.0.2:9093", Question{peer(3), 2, voters}, Answer{peer(2), ""}, nil},
		{"an empty node, taken for another", "10.0.0.2:9093", Question{peer(3), 1, voters}, Answer{}, ErrOtherNode},
		{"an empty node of other voters", "10.0.0.2:9093", Question{peer(3), 2, []int32{2, 3}}, Answer{}, ErrOtherVoters},
		{"an empty node of the same id", "10.0.0.2:9093", Question{twin, 2, voters}, Answer{}, ErrSameNode},
		{"an empty node, to join it", "10.0.0.2:9093", Question{peer(4), AnyNode, nil}, Answer{}, ErrNotReady},
	} {
		a, err := Ask(net, c.address, time.Second, nil, c.q)
		if a != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %+v, %v", c.what, a, err)
		}
	}
	select {
	case id := <-lobby.Found():
		t.Errorf("a question made the node a member of %q", id)
	default:
	}
}

// TestLobbyFindsCluster: the first raft connection that means this node and
// directory tells its cluster; one that means another directory does not.
func TestLobbyFindsCluster(t *testing.T) {
	net := memnet.New(sysclock.New())
	lobby := NewLobby(LobbyConfig{Self: peer(2), Voters: []int32{1, 2, 3}, Timeout: time.Second})
	serveLobby(t, net, "10.0.0.2:9093", lobby)
	v := startVoter(t, net, memfs.New(), peer(1), nil)
	defer v.stop(t)
	for _, to := range []Peer{{Node: 2, Directory: kafka.UUID{7}}, peer(2)} {
		select {
		case id := <-lobby.Found():
			t.Fatalf("found %q", id)
		default:
		}
		if _, err := v.transport.stream.connect(to, "10.0.0.2:9093"); err == nil {
			t.Fatalf("%s accepted raft", to)
		}
	}
	if id := <-lobby.Found(); id != "c" {
		t.Errorf("found %q", id)
	}
}
