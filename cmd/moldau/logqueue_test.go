package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/moldau/moldau/broker"
	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/observe"
	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/net/memnet"
)

// gatedWriter takes a write only when the gate lets it.
type gatedWriter struct {
	entered chan struct{} // a write waits
	gate    chan struct{} // closed: writes pass

	mu  sync.Mutex
	got bytes.Buffer
}

func (w *gatedWriter) Write(p []byte) (int, error) {
	select {
	case w.entered <- struct{}{}:
	default:
	}
	<-w.gate
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.got.Write(p)
}

// Whoever logs goes on while nobody reads stderr; what does not fit is counted
// and told of where it is missing, in the form of the log.
func TestLogNeverWaits(t *testing.T) {
	cfg := config.Default()
	cfg.LogFormat, cfg.LogLevel = "json", "error"
	w := &gatedWriter{entered: make(chan struct{}, 1), gate: make(chan struct{})}
	q := newLogQueue(w, cfg)
	logger := newLogger(q, cfg)
	logger.Error("first")
	<-w.entered // the writer hangs in it
	const many = 20_000
	for range many {
		logger.Error("a line of the log", "filler", strings.Repeat("x", 100))
	}
	dropped := q.Dropped()
	if dropped == 0 || dropped == many {
		t.Fatalf("%d lines of %d dropped", dropped, many)
	}
	close(w.gate)
	q.Close()
	lines := strings.Split(strings.TrimSuffix(w.got.String(), "\n"), "\n")
	if want := 1 + many - int(dropped) + 1; len(lines) != want {
		t.Errorf("%d lines written, want %d", len(lines), want)
	}
	var last struct {
		Msg   string
		Lines uint64
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.Msg != "log lines dropped" || last.Lines != dropped {
		t.Errorf("the last line is %s (%v)", lines[len(lines)-1], err)
	}
}

// Everything logged before the end is written at the end.
func TestLogIsFlushed(t *testing.T) {
	var out bytes.Buffer
	cfg := config.Default()
	q := newLogQueue(&out, cfg)
	logger := newLogger(q, cfg)
	for range 1000 {
		logger.Info("line")
	}
	q.Close()
	q.Close()
	if n := strings.Count(out.String(), "msg=line"); n != 1000 || q.Dropped() != 0 {
		t.Errorf("%d lines written, %d dropped", n, q.Dropped())
	}
	logger.Info("too late")
	if q.Dropped() != 1 {
		t.Errorf("%d lines dropped", q.Dropped())
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestLogLinesThatNobodyTakesAreCounted(t *testing.T) {
	cfg := config.Default()
	q := newLogQueue(brokenWriter{}, cfg)
	logger := newLogger(q, cfg)
	for range 3 {
		logger.Info("line")
	}
	q.Close()
	if q.Dropped() != 3 {
		t.Errorf("%d lines dropped", q.Dropped())
	}
}

// What the process adds to the node's numbers reaches the metrics.
func TestSnapshotOfTheProcess(t *testing.T) {
	cfg := config.Default()
	node, err := broker.New(broker.Config{
		Settings: cfg, FS: memfs.New(), Network: memnet.New(sysclock.New()), Clock: sysclock.New(), Entropy: sysclock.Entropy{},
		Events: event.Discard{}, Shards: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	q := newLogQueue(brokenWriter{}, cfg)
	newLogger(q, cfg).Info("line")
	q.Close()
	var s observe.Snapshot
	snapshots{node, q}.Snapshot(&s)
	if s.Version != buildVersion().Version || s.Version == "" || s.LogLinesDropped != 1 {
		t.Errorf("got %+v", s)
	}
}
