package server

import (
	"errors"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/net/memnet"
	"github.com/moldau/moldau/net/transport"
)

// limited is a server with two listeners, of which BROKERS is protected.
func limited(t *testing.T, limits func(listener, host string) Limits) (*Server, func(listener string) transport.Conn) {
	t.Helper()
	clk := sysclock.New()
	network := memnet.New(clk)
	srv := New(Config{Clock: clk, Events: event.Discard{}, Budget: NewBudget(clk, 8<<20), MaxFrameBytes: 1 << 20, Limits: limits, Protected: "BROKERS"})
	for name, address := range map[string]string{"CLIENTS": "clients:1", "BROKERS": "brokers:1"} { //det:ok two listeners
		ln, err := network.Listen(address)
		if err != nil {
			t.Fatal(err)
		}
		srv.Serve(name, ln, &echo{}, nil)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv, func(listener string) transport.Conn {
		c, err := network.Dial(map[string]string{"CLIENTS": "clients:1", "BROKERS": "brokers:1"}[listener], time.Second, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
}

// answers asks, and reports whether there is an answer.
func answers(t *testing.T, c transport.Conn) bool {
	t.Helper()
	if _, err := c.Write(frame(3, 1, 5, "x")); err != nil {
		return false
	}
	var b [1]byte
	_, err := io.ReadFull(c, b[:])
	if err == nil {
		_, err = io.ReadFull(c, make([]byte, 8))
	}
	return err == nil
}

// Beyond the limit of its address a connection is closed; others are served.
func TestLimitOfAnAddress(t *testing.T) {
	srv, dial := limited(t, func(_, _ string) Limits { return Limits{Node: 100, Listener: 100, Host: 1} })
	first := dial("CLIENTS")
	if !answers(t, first) {
		t.Fatal("the first connection is not served")
	}
	srv.mu.Lock()
	for host := range srv.hosts { //det:ok one host, or each of them
		srv.hosts[host] = 1
	}
	host := srv.only().Host
	srv.mu.Unlock()
	second := &Conn{Listener: srv.lists[0], Host: host, srv: srv}
	if srv.register(second) {
		t.Fatal("a second connection from one address was let in")
	}
	if n := srv.Stats().OverHost; n != 1 {
		t.Errorf("%d connections counted over the limit", n)
	}
}

func (s *Server) only() *Conn {
	for _, c := range s.conns { //det:ok there is one
		return c
	}
	return nil
}

// Beyond the limits of listener and node a connection waits until another
// ends, and is served then.
func TestConnectionsWaitForRoom(t *testing.T) {
	for name, limits := range map[string]Limits{"node": {Node: 1, Listener: 9, Host: 9}, "listener": {Node: 9, Listener: 1, Host: 9}} {
		t.Run(name, func(t *testing.T) {
			srv, dial := limited(t, func(_, _ string) Limits { return limits })
			first := dial("CLIENTS")
			if !answers(t, first) {
				t.Fatal("the first connection is not served")
			}
			second := dial("CLIENTS")
			got := make(chan bool, 1)
			go func() { got <- answers(t, second) }()
			for waits := false; !waits; runtime.Gosched() {
				srv.mu.Lock()
				waits = srv.freed != nil
				srv.mu.Unlock()
			}
			select {
			case <-got:
				t.Fatal("a connection over the limit was answered")
			default:
			}
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			if !<-got {
				t.Fatal("the connection that waited is not served when there is room")
			}
			if srv.Stats().BlockedNanos == 0 {
				t.Error("the wait is not counted")
			}
		})
	}
}

// A broker's connection comes in beyond the node's limit; the client's
// connection that was used least recently makes room.
func TestBrokersHaveRoom(t *testing.T) {
	_, dial := limited(t, func(_, _ string) Limits { return Limits{Node: 2, Listener: 9, Host: 9} })
	old, recent := dial("CLIENTS"), dial("CLIENTS")
	for _, c := range []transport.Conn{old, recent} {
		if !answers(t, c) {
			t.Fatal("a client is not served")
		}
	}
	if !answers(t, dial("BROKERS")) {
		t.Fatal("a broker is not served")
	}
	if _, err := old.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the client that was idle longest: %v", err)
	}
	if !answers(t, recent) {
		t.Error("the other client was closed")
	}
}
