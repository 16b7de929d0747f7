package server

import (
	"io"
	"testing"
	"time"

	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/net/memnet"
)

// follower answers every Fetch when it is told to, and notes reports.
type follower struct {
	answers chan string
	seen    chan int16
}

type deferred struct {
	f    *follower
	conn *Conn
}

func (d deferred) AppendTo(dst []byte) []byte { return dst }

func (d deferred) Await() (Body, bool) {
	select {
	case text := <-d.f.answers:
		return raw(text), true
	case <-d.conn.Closed():
		return nil, false
	}
}

func (f *follower) Serve(r *Request) (Body, bool, error) {
	f.seen <- r.Key
	if r.Key == kafka.KeyDurableReport {
		return nil, false, nil
	}
	r.Overlap()
	r.Slot().Complete(deferred{f, r.Conn})
	return nil, true, nil
}

func (f *follower) Gone(*Conn) {}

// A report passes a fetch that waits, the next fetch is read meanwhile, and
// answers keep their order. A connection that ends ends the wait.
func TestReportPassesWaitingFetch(t *testing.T) {
	clk := sysclock.New()
	net := memnet.New(clk)
	f := &follower{answers: make(chan string), seen: make(chan int16, 16)}
	srv := New(Config{Clock: clk, Events: event.Discard{}, Budget: NewBudget(clk, 1<<20), MaxFrameBytes: 1 << 20})
	ln, err := net.Listen("broker:1")
	if err != nil {
		t.Fatal(err)
	}
	srv.Serve("PLAINTEXT", ln, f, nil)
	defer func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	}()
	c, err := net.Dial("broker:1", time.Second, nil)
	if err != nil {
		t.Fatal(err)
	}
	send := func(b []byte) {
		t.Helper()
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	send(frame(1, 4, 1, "first"))
	send(frame(kafka.KeyDurableReport, 0, 2, "report"))
	send(frame(1, 4, 3, "second"))
	for _, want := range []int16{1, kafka.KeyDurableReport, 1} {
		if key := <-f.seen; key != want {
			t.Fatalf("key %d is served, want %d", key, want)
		}
	}
	f.answers <- "a"
	f.answers <- "b"
	for i, want := range []string{"a", "b"} {
		if id, body := readAnswer(t, c); id != int32(1+2*i) || body != want {
			t.Fatalf("answer %d %q", id, body)
		}
	}
	send(frame(1, 4, 4, "third"))
	<-f.seen
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err == nil {
		t.Fatal("read of a closed connection")
	}
}
