package raftmeta

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/net/memnet"
	"github.com/moldau/moldau/net/transport"
)

// slowEnd is a network whose reads, once a connection is introduced, end with
// ending alone, whatever closes the connection.
type slowEnd struct {
	transport.Network
	ending func()
}

func (n slowEnd) Dial(address string, timeout time.Duration, stop <-chan struct{}) (transport.Conn, error) {
	c, err := n.Network.Dial(address, timeout, stop)
	if err != nil {
		return nil, err
	}
	return &slowConn{Conn: c, ending: n.ending}, nil
}

type slowConn struct {
	transport.Conn
	ending     func()
	introduced bool
}

func (c *slowConn) Read(p []byte) (int, error) {
	if !c.introduced {
		c.introduced = true
		return c.Conn.Read(p)
	}
	c.ending()
	return 0, transport.ErrClosed
}

// handOver begins a call of TimeoutNow that ends with ending alone.
func handOver(t *testing.T, ending func()) (tr *Transport, ended chan error) {
	t.Helper()
	net := memnet.New(sysclock.New())
	address, _ := peerAddress(peer(1))
	ln, err := net.Listen(address[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		_, _ = readPreamble(conn, conn.RemoteAddr())
		_, _ = conn.Write([]byte{preambleAccepted})
	}()
	tr, err = NewTransport(TransportConfig{
		Network: slowEnd{net, ending}, ClusterID: "c", Self: peer(2), Resolve: peerAddress, Timeout: time.Hour, Logger: hclog.NewNullLogger(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ended = make(chan error, 1)
	go func() {
		id := ServerID(peer(1).Node, peer(1).Directory)
		ended <- tr.TimeoutNow(id, raft.ServerAddress(id), &raft.TimeoutNowRequest{}, &raft.TimeoutNowResponse{})
	}()
	synctest.Wait()
	return tr, ended
}

// TestCloseWaitsForTheHandOver: raft does not wait for its call of TimeoutNow
// when it ends, so that the transport does.
func TestCloseWaitsForTheHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		tr, ended := handOver(t, func() { <-release })
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			if err := tr.Close(); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("closed while a call was under way")
		default:
		}
		close(release)
		if err := <-ended; err == nil {
			t.Error("no error of a call without an answer")
		}
		<-closed
		id := ServerID(peer(1).Node, peer(1).Directory)
		if err := tr.TimeoutNow(id, raft.ServerAddress(id), &raft.TimeoutNowRequest{}, &raft.TimeoutNowResponse{}); err == nil {
			t.Error("a closed transport called")
		}
	})
}

// TestHandOverOutlivesItsGoroutine: who waits for TimeoutNow gets an answer
// though the network of a node that is gone ends the goroutine that called.
func TestHandOverOutlivesItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, ended := handOver(t, runtime.Goexit)
		select {
		case err := <-ended:
			if err == nil {
				t.Error("no error of a call that was cut short")
			}
		default:
			t.Error("the call never ended")
		}
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	})
}
