package observe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/net/memnet"
	"github.com/moldau/moldau/net/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type source Snapshot

func (s *source) Snapshot(out *Snapshot) { *out = Snapshot(*s) }

// sample has every field set to a value of its own.
func sample() *source {
	return &source{
		Version: "v1.2.3", BrokerState: 3, BytesRejected: 11, FailedProduce: 12, FailedFetch: 13, FetchSessions: 14,
		Topics:     []Topic{{"b", 1, 2, 3, 4, 5}, {"a", 10, 20, 30, 40, 50}},
		Listeners:  []Listener{{"PLAINTEXT", 2, 100, 3, 15, 16_000_000, 2_500_000_000, 4000, 5000}},
		Requests:   []Request{{"Produce", 7, 3_500_000, 700}},
		MemoryUsed: 1000, MemoryMax: 5000, MemoryEvicted: 6,
		Partitions: []Partition{
			{Topic: "a", Partition: 0, Leader: true, Replicas: 3, InSync: 2, MinInSync: 2, LogStart: 5, LogEnd: 50, Segments: 2, Bytes: 999},
			{Topic: "a", Partition: 1, Offline: true, Replicas: 3, InSync: 0, MinInSync: 2},
			{Topic: "b", Partition: 0, Leader: true, Replicas: 3, InSync: 1, MinInSync: 2, LogEnd: 1, Segments: 1},
		},
		Dirs:          []Dir{{"/d1", false, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, {Path: "/d2", Offline: true}},
		Controller:    Controller{true, 3, 1, 4, 9, 2, 1, 8},
		Raft:          Raft{"leader", 1, 4, 77, 78, 3},
		GroupsByState: []GroupCount{{"PreparingRebalance", 3}, {"CompletingRebalance", 4}, {"Stable", 2}, {"Empty", 1}}, GroupOffsets: 21, ImageOffset: 76, LogLinesDropped: 5,
	}
}

// serve starts a server on an in-process network and returns a client for it.
func serve(t *testing.T, cfg Config) *http.Client {
	t.Helper()
	network := memnet.New(sysclock.New())
	l, err := network.Listen("node:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Listener = l
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		c, err := network.Dial(s.Addr(), time.Second, nil)
		if err != nil {
			return nil, err
		}
		return &conn{inner: c, listener: &listener{}}, nil
	}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &http.Client{Transport: transport}
}

func fetch(t *testing.T, c *http.Client, path string) (int, string) {
	t.Helper()
	resp, err := c.Get("http://node" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestMetrics(t *testing.T) {
	counter := NewCounter(event.Discard{})
	counter.Emit(happened("segment-rolled"))
	counter.Emit(happened("segment-rolled"))
	counter.Emit(happened("isr-shrunk"))
	status, got := fetch(t, serve(t, Config{Source: sample(), Events: counter}), "/metrics")
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, got)
	}
	const path = "testdata/metrics.golden"
	if os.Getenv("REWRITE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("metrics changed (REWRITE=1 writes them anew):\n%s", got)
	}
}

type happened string

func (h happened) Kind() string     { return string(h) }
func (happened) Level() slog.Level  { return slog.LevelInfo }
func (happened) Attrs() []slog.Attr { return nil }

func TestManyPartitionsShowSumsOnly(t *testing.T) {
	s := &source{}
	for i := range partitionsShownMax + 1 {
		s.Partitions = append(s.Partitions, Partition{Topic: "t", Partition: int32(i)})
	}
	_, got := fetch(t, serve(t, Config{Source: s}), "/metrics")
	if !strings.Contains(got, "kafka_server_replicamanager_partitioncount 20001\n") || strings.Contains(got, "kafka_log_log_size") {
		t.Errorf("got %d bytes", len(got))
	}
}

func TestCounterIsBounded(t *testing.T) {
	c := NewCounter(event.Discard{})
	for i := range 2 * kindsMax {
		c.Emit(happened(fmt.Sprint(i)))
	}
	if len(c.counts) > kindsMax+1 || c.counts["other"] != kindsMax {
		t.Errorf("%d kinds, %d others", len(c.counts), c.counts["other"])
	}
}

func TestProbes(t *testing.T) {
	var ready atomic.Bool
	c := serve(t, Config{Source: &source{}, Ready: func() error {
		if !ready.Load() {
			return errors.New("recovering 3 partitions")
		}
		return nil
	}})
	for _, want := range []struct {
		path, body string
		status     int
	}{
		{"/healthz", "ok\n", 200}, {"/readyz", "recovering 3 partitions\n", 503}, {"/nothing", "404 page not found\n", 404},
	} {
		if status, body := fetch(t, c, want.path); status != want.status || body != want.body {
			t.Errorf("%s: got %d %q", want.path, status, body)
		}
	}
	ready.Store(true)
	if status, body := fetch(t, c, "/readyz"); status != 200 || body != "ok\n" {
		t.Errorf("got %d %q", status, body)
	}
	if status, body := fetch(t, c, "/debug/pprof/goroutine?debug=1"); status != 200 || !strings.Contains(body, "goroutine profile") {
		t.Errorf("got %d %q", status, body)
	}
	if status, _ := fetch(t, c, "/debug/pprof/"); status != 200 {
		t.Errorf("got %d", status)
	}
	if status, body := fetch(t, c, "/"); status != 200 || !strings.Contains(body, "/metrics") {
		t.Errorf("got %d %q", status, body)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	network := memnet.New(sysclock.New())
	inner, err := network.Listen("node:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newListener(inner)
	defer l.Close()
	var clients []transport.Conn
	dial := func() transport.Conn {
		c, err := network.Dial(inner.Addr(), time.Second, nil)
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
		return c
	}
	var last net.Conn
	for range connectionsMax {
		dial()
		if last, err = l.Accept(); err != nil {
			t.Fatal(err)
		}
	}
	over := dial()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, _ := l.Accept()
		accepted <- c
	}()
	if _, err := over.Read(make([]byte, 1)); err == nil {
		t.Error("the connection above the limit was not closed")
	}
	if err := last.Close(); err != nil {
		t.Fatal(err)
	}
	_ = last.Close() // closing twice frees one place only
	dial()
	if c := <-accepted; c == nil {
		t.Error("no connection was accepted after one had ended")
	}
	if got := l.open.Load(); got != connectionsMax {
		t.Errorf("%d open, want %d", got, connectionsMax)
	}
	for _, c := range clients {
		_ = c.Close()
	}
}

func TestDeadlines(t *testing.T) {
	for _, c := range []struct {
		t    time.Time
		want time.Duration
	}{{time.Time{}, 0}, {time.Unix(1, 0), time.Nanosecond}, {time.Unix(2_000_000_000, 0), time.Minute}} {
		if got := timeout(c.t, time.Minute); got != c.want {
			t.Errorf("%v: got %v", c.t, got)
		}
	}
	var ne net.Error
	if err := stdError(fmt.Errorf("read: %w", transport.ErrTimeout)); !errors.As(err, &ne) || !ne.Timeout() || !errors.Is(err, transport.ErrTimeout) {
		t.Errorf("got %v", err)
	}
	if err := stdError(transport.ErrClosed); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	if _, err := New(Config{Source: &source{}}); err == nil {
		t.Error("no listener was accepted")
	}
}

func BenchmarkScrape(b *testing.B) {
	s := &source{}
	for i := range 2000 {
		s.Partitions = append(s.Partitions, Partition{Topic: "t", Partition: int32(i), Leader: true})
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(&collector{source: s, descs: descs{}})
	for b.Loop() {
		if _, err := registry.Gather(); err != nil {
			b.Fatal(err)
		}
	}
}
