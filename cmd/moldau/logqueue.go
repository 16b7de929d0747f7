package main

import (
	"bytes"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/moldau/moldau/broker/config"
)

const (
	// logQueueBytesMax bounds the lines that wait for stderr, in bytes.
	logQueueBytesMax = 1 << 20
	// logFlushMax bounds how long the end of the process waits for them.
	logFlushMax = 2 * time.Second
)

// logQueue writes the log from a goroutine of its own, so that nobody who logs
// ever waits for whoever reads stderr: shards and disk workers among them.
// Lines that find the queue full are dropped; their number is said in the log
// as soon as it moves again, and in the metrics. What is queued when the
// process ends is written first, also when it ends on an error or on a second
// signal; a panic leaves it unwritten.
type logQueue struct {
	out    io.Writer
	said   func(dropped uint64) []byte // the line that tells of dropped ones
	wake   chan struct{}               // one slot
	ending chan struct{}
	ended  chan struct{}
	end    sync.Once

	mu      sync.Mutex
	pending []byte // whole lines
	closed  bool
	dropped uint64 // in all
	unsaid  uint64 // of them, not told of yet
}

// newLogQueue starts the writer of a log in the form that cfg says.
func newLogQueue(out io.Writer, cfg *config.Broker) *logQueue {
	q := &logQueue{
		out: out, wake: make(chan struct{}, 1), ending: make(chan struct{}), ended: make(chan struct{}),
		said: func(dropped uint64) []byte {
			var line bytes.Buffer
			slog.New(logHandler(&line, cfg, slog.LevelDebug)).Warn("log lines dropped", "lines", dropped)
			return line.Bytes()
		},
	}
	go q.run()
	return q
}

// Write takes one line. It never waits and never fails.
func (q *logQueue) Write(line []byte) (int, error) {
	q.mu.Lock()
	if q.closed || len(q.pending)+len(line) > logQueueBytesMax {
		q.dropped++
		q.unsaid++
	} else {
		q.pending = append(q.pending, line...)
	}
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return len(line), nil
}

// Dropped is the number of lines dropped since the start.
func (q *logQueue) Dropped() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

// run writes what was queued, then tells what was dropped behind it.
func (q *logQueue) run() {
	defer close(q.ended)
	var lines []byte
	for ending := false; !ending; {
		select {
		case <-q.wake:
		case <-q.ending:
			ending = true
		}
		var unsaid uint64
		q.mu.Lock()
		lines, q.pending = q.pending, lines[:0]
		unsaid, q.unsaid = q.unsaid, 0
		q.mu.Unlock()
		if len(lines) > 0 {
			q.write(lines)
		}
		if unsaid > 0 {
			q.write(q.said(unsaid))
		}
	}
}

// write counts what stderr does not take: there is nobody to tell it to.
func (q *logQueue) write(lines []byte) {
	if n, err := q.out.Write(lines); err != nil {
		q.mu.Lock()
		q.dropped += uint64(bytes.Count(lines[n:], []byte{'\n'}))
		q.mu.Unlock()
	}
}

// Close writes what is queued, for as long as logFlushMax allows. Later lines
// are dropped.
func (q *logQueue) Close() {
	q.end.Do(func() {
		q.mu.Lock()
		q.closed = true
		q.mu.Unlock()
		close(q.ending)
	})
	timer := time.NewTimer(logFlushMax)
	defer timer.Stop()
	select {
	case <-q.ended:
	case <-timer.C:
	}
}
