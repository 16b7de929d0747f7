package server

import (
	"cmp"
	"slices"
	"sync"

	"github.com/moldau/moldau/clock"
)

const (
	// answerBytesMax is what encoded answers may take that wait for their
	// readers; while more waits, no request that needs a turn gets one.
	answerBytesMax = 8 << 20
	// A write that took no end for so long may be ended with its connection
	// while answers take more than that.
	writeStalledAfter = stalledAfter
)

// turns bounds how many requests that need a turn are computed at once, and
// the memory of answers that clients do not read. So a crowd of strangers with
// expensive questions costs a bounded part of the processors and of the
// memory, and whoever asks for little is not behind them all.
type turns struct {
	clock clock.Clock

	mu      sync.Mutex
	free    int
	waiting []*turnWaiter
	bytes   int64 // of answers that are being written
	writes  map[*Conn]pendingWrite
}

type turnWaiter struct{ ready chan struct{} }

type pendingWrite struct {
	bytes int64
	since clock.Mono
	ended bool // its connection is about to end
}

func newTurns(c clock.Clock, n int) *turns {
	return &turns{clock: c, free: max(n, 1), writes: make(map[*Conn]pendingWrite)}
}

// take waits for a turn; false when closed is closed before.
func (t *turns) take(closed <-chan struct{}) bool {
	t.mu.Lock()
	if len(t.waiting) == 0 && t.free > 0 && t.bytes <= answerBytesMax {
		t.free--
		t.mu.Unlock()
		return true
	}
	w := &turnWaiter{ready: make(chan struct{})}
	t.waiting = append(t.waiting, w)
	t.mu.Unlock()
	select {
	case <-w.ready:
		return true
	case <-closed:
		t.abandon(w)
		return false
	}
}

// abandon takes w out of the queue, or gives back the turn that it got.
func (t *turns) abandon(w *turnWaiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, x := range t.waiting {
		if x == w {
			t.waiting = append(t.waiting[:i:i], t.waiting[i+1:]...)
			return
		}
	}
	t.free++
	t.grant()
}

func (t *turns) giveBack() {
	t.mu.Lock()
	t.free++
	t.grant()
	t.mu.Unlock()
}

// grant hands free turns out in the order in which they were asked for.
func (t *turns) grant() {
	for len(t.waiting) > 0 && t.free > 0 && t.bytes <= answerBytesMax {
		t.free--
		close(t.waiting[0].ready)
		t.waiting[0] = nil
		t.waiting = t.waiting[1:]
	}
}

// writing charges an answer of n bytes that c begins to write; it is called
// while the turn is still held, so that the sum is known before the next one.
func (t *turns) writing(c *Conn, n int) {
	now := t.clock.Mono()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bytes += int64(n)
	t.writes[c] = pendingWrite{bytes: int64(n), since: now}
}

// written ends the charge of c's answer.
func (t *turns) written(c *Conn) {
	t.mu.Lock()
	t.bytes -= t.writes[c].bytes
	delete(t.writes, c)
	t.grant()
	t.mu.Unlock()
}

// contended reports that answers take more memory than they may.
func (t *turns) contended() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bytes > answerBytesMax
}

// sweep ends connections whose clients do not read while others wait for the
// memory of answers, those that wait longest first, until there is room, and
// at most evictionsMax of them. The janitor calls it.
func (t *turns) sweep() {
	now := t.clock.Mono()
	for _, c := range t.victims(now) {
		c.evict(errUnread)
	}
}

// victims chooses the connections that sweep ends.
func (t *turns) victims(now clock.Mono) (victims []*Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	left := t.bytes
	var stalled []*Conn
	for c, w := range t.writes { //det:ok sorted below
		if w.ended {
			left -= w.bytes
		} else if now.Sub(w.since) >= writeStalledAfter {
			stalled = append(stalled, c)
		}
	}
	slices.SortFunc(stalled, func(a, c *Conn) int {
		return cmp.Or(cmp.Compare(t.writes[a].since, t.writes[c].since), cmp.Compare(a.id, c.id))
	})
	for _, c := range stalled {
		if left <= answerBytesMax || len(victims) == evictionsMax {
			break
		}
		w := t.writes[c]
		w.ended = true
		t.writes[c] = w
		left -= w.bytes
		victims = append(victims, c)
	}
	return victims
}

// needsTurn says which requests are computed in turns: those whose answers
// can be large, and that wait for nobody while they are computed.
func needsTurn(key int16) bool {
	switch key {
	case keyMetadata, keyDescribeConfigs, keyDescribeLogDirs, keyDescribeTopicPartitions:
		return true
	}
	return false
}
