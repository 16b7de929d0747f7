package group

import "github.com/moldau/moldau/clock"

type timerKind uint8

const (
	timerSession timerKind = iota + 1 // a member or a pending member
	timerInitial                      // the first rebalance of an empty group
	timerJoin                         // the join phase
	timerSync                         // the sync phase
	timerSweep                        // the look for what has expired; no group
)

// timer fires once at its deadline. A heartbeat moves the deadline without
// touching the queue: the entry that is there wakes up early and moves on.
type timer struct {
	kind   timerKind
	armed  bool
	queued bool // an entry with queuedAt is in the queue
	group  *group
	member string // timerSession

	at       clock.Mono
	queuedAt clock.Mono
}

// stop disarms t; its entry is dropped when it comes up.
func (t *timer) stop() { t.armed = false }

type timerEntry struct {
	at    clock.Mono
	seq   uint64 // order of arming, between equal times
	timer *timer
}

// timerQueue is a binary heap by time, then by order of arming.
type timerQueue struct {
	heap []timerEntry
	seq  uint64
}

// arm makes t fire at the given time, whatever it was before.
func (q *timerQueue) arm(t *timer, at clock.Mono) {
	t.armed, t.at = true, at
	if t.queued && t.queuedAt <= at {
		return
	}
	q.push(t, at)
}

func (q *timerQueue) push(t *timer, at clock.Mono) {
	t.queued, t.queuedAt = true, at
	q.seq++
	q.heap = append(q.heap, timerEntry{at, q.seq, t})
	for i := len(q.heap) - 1; i > 0; {
		up := (i - 1) / 2
		if !q.less(i, up) {
			break
		}
		q.heap[i], q.heap[up] = q.heap[up], q.heap[i]
		i = up
	}
}

// first is the earliest time at which a timer fires. It drops entries that
// mean nothing any more.
func (q *timerQueue) first() (clock.Mono, bool) {
	for len(q.heap) > 0 {
		e := q.heap[0]
		switch {
		case !e.current():
			q.pop()
		case !e.timer.armed:
			e.timer.queued = false
			q.pop()
		case e.timer.at > e.at:
			q.pop()
			q.push(e.timer, e.timer.at)
		default:
			return e.at, true
		}
	}
	return 0, false
}

// due removes and returns the next timer that fires at or before now.
func (q *timerQueue) due(now clock.Mono) *timer {
	if at, ok := q.first(); !ok || at > now {
		return nil
	}
	t := q.heap[0].timer
	q.pop()
	t.queued, t.armed = false, false
	return t
}

// current reports whether e is its timer's one entry: arming a timer for an
// earlier time leaves an older entry behind.
func (e timerEntry) current() bool { return e.timer.queued && e.timer.queuedAt == e.at }

func (q *timerQueue) less(i, j int) bool {
	a, b := &q.heap[i], &q.heap[j]
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}

func (q *timerQueue) pop() {
	last := len(q.heap) - 1
	q.heap[0], q.heap[last] = q.heap[last], timerEntry{}
	q.heap = q.heap[:last]
	for i := 0; ; {
		down := 2*i + 1
		if down >= last {
			return
		}
		if right := down + 1; right < last && q.less(right, down) {
			down = right
		}
		if !q.less(down, i) {
			return
		}
		q.heap[i], q.heap[down] = q.heap[down], q.heap[i]
		i = down
	}
}
