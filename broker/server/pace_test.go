package server

import (
	"testing"
	"time"

	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/clock/manual"
	"github.com/moldau/moldau/net/memnet"
)

// After rest there is a burst, then the rate; rest is not saved beyond the burst.
func TestPace(t *testing.T) {
	const rate = 4
	var p pace
	now := clock.Mono(0)
	burst := func(when string, want int) {
		t.Helper()
		for i := range want {
			if wait := p.take(now, rate); wait != 0 {
				t.Fatalf("%s: connection %d of %d waits %s", when, i, want, wait)
			}
		}
		for i := range 2 {
			if wait, want := p.take(now, rate), time.Duration(i+1)*time.Second/rate; wait != want {
				t.Fatalf("%s: beyond the burst: %s, want %s", when, wait, want)
			}
		}
	}
	burst("at first", rate*int(paceBurst/time.Second))
	now = now.Add(time.Second)
	burst("a second later", rate-2)
	now = now.Add(time.Hour)
	burst("an hour later", rate*int(paceBurst/time.Second))
	for range 100 {
		if wait := p.take(now, rate); wait > paceWaitMax {
			t.Fatalf("a wait of %s", wait)
		}
	}
	if wait := p.take(now, 0); wait != 0 {
		t.Errorf("without a rate: %s", wait)
	}
}

// Connections that come too fast for their listener, or for the node, are
// accepted one after the other as their turn comes; those of other brokers wait for
// their listener's alone.
func TestConnectionsWaitForTheirTurn(t *testing.T) {
	const burst = int(paceBurst / time.Second) // of a rate of 1
	for name, c := range map[string]struct {
		limits Limits
		wait   map[string]bool // by the listener that connects too often
	}{
		"listener": {Limits{Node: 99, Listener: 99, Host: 99, ListenerRate: 1}, map[string]bool{"CLIENTS": true, "BROKERS": true}},
		"node":     {Limits{Node: 99, Listener: 99, Host: 99, NodeRate: 1}, map[string]bool{"CLIENTS": true, "BROKERS": false}},
		"none":     {Limits{Node: 99, Listener: 99, Host: 99}, map[string]bool{"CLIENTS": false, "BROKERS": false}},
	} {
		for listener, waits := range c.wait { //det:ok each by itself
			t.Run(name+"/"+listener, func(t *testing.T) {
				clk := manual.New()
				network := memnet.New(clk)
				srv := New(Config{Clock: clk, Events: event.Discard{}, Budget: NewBudget(clk, 8<<20), MaxFrameBytes: 1 << 20,
					Limits: func(_, _ string) Limits { return c.limits }, Protected: "BROKERS"})
				for _, l := range []string{"CLIENTS", "BROKERS"} {
					ln, err := network.Listen(l + ":1")
					if err != nil {
						t.Fatal(err)
					}
					srv.Serve(l, ln, &echo{}, nil)
				}
				t.Cleanup(func() {
					if err := srv.Close(); err != nil {
						t.Error(err)
					}
				})
				connect := func() chan bool {
					conn, err := network.Dial(listener+":1", time.Second, nil)
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { _ = conn.Close() })
					got := make(chan bool, 1)
					go func() { got <- answers(t, conn) }()
					return got
				}
				for i := range burst {
					if !<-connect() {
						t.Fatalf("connection %d of the burst is not served", i)
					}
				}
				late := connect()
				if waits {
					for srv.Stats().ThrottledNanos == 0 {
						clk.Advance(0)
					}
					select {
					case <-late:
						t.Fatal("a connection that came too soon was served at once")
					default:
					}
				}
				for served := false; !served; {
					select {
					case ok := <-late:
						if served = true; !ok {
							t.Fatal("the connection that waited was not served")
						}
					default:
						if waits {
							clk.Advance(time.Second / 10)
						}
					}
				}
				if got := srv.Stats().ThrottledNanos; (got > 0) != waits {
					t.Errorf("waited %d ns", got)
				}
			})
		}
	}
}
