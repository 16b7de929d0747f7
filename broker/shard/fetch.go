package shard

import (
	"sync/atomic"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/replica"
)

// Fetch is the part of a Fetch request that one shard answers. The shard
// fills the answers and counts Wait down; the connection's goroutine, which
// owns the Fetch, looks at it after Wait has woken it.
type Fetch struct {
	Parts []FetchPart
	Wait  *FetchWait
	// Watch asks to be told of growth when the bytes available here are fewer
	// than Wait's minimum.
	Watch bool
	// Watching says that watches were left behind: Unwatch ends them.
	Watching bool
}

// FetchPart is one partition of a Fetch.
type FetchPart struct {
	Handle *Handle
	Ask    replica.Fetch
	Answer replica.FetchAnswer
	Index  int // the caller's
}

// FetchWait joins the shards' answers of one fetch and then its growth. A
// connection keeps one and uses it for one fetch after the other.
type FetchWait struct {
	use      atomic.Uint64 // which use it is
	minBytes atomic.Int64
	left     atomic.Int32
	sum      atomic.Int64 // available: answered and grown
	grew     atomic.Bool  // some of sum came after its shard's answer
	woken    atomic.Bool
	wake     chan struct{}
}

// NewFetchWait returns a wait that is not armed.
func NewFetchWait() *FetchWait { return &FetchWait{wake: make(chan struct{}, 1)} }

// Arm prepares for the answers of shards messages; Wake fires when all are in.
// Nothing of an earlier use may be outstanding but watches, which only wake.
func (w *FetchWait) Arm(shards int, minBytes int64) {
	w.use.Add(1)
	w.minBytes.Store(minBytes)
	w.left.Store(int32(shards))
	w.sum.Store(0)
	w.grew.Store(false)
	w.woken.Store(false)
	select {
	case <-w.wake:
	default:
	}
}

// Answered says that every shard has answered; else a wake was a stale one, or
// of growth on a shard that was quicker than the others. What grew before the
// owner looked wakes it once more: one wake may have stood for both, and what was
// too little when it grew may be enough with the last answer.
func (w *FetchWait) Answered() bool {
	if w.left.Load() > 0 {
		return false
	}
	if w.woken.Load() || w.grew.Load() && w.sum.Load() >= w.minBytes.Load() {
		w.signal()
	}
	return true
}

// Grown says that enough arrived since the answers.
func (w *FetchWait) Grown() bool { return w.woken.Load() }

// Wake receives when all shards have answered, and later when enough grew.
func (w *FetchWait) Wake() <-chan struct{} { return w.wake }

// answered counts a shard's answer; the last one wakes the owner, to whom the
// questions then belong again.
func (w *FetchWait) answered(available int64) {
	w.sum.Add(available)
	if w.left.Add(-1) == 0 {
		w.signal()
	}
}

// grow counts what came after a shard's answer, and wakes the owner when that
// is enough or regardless. It reports whether it did.
func (w *FetchWait) grow(delta int64, regardless bool) bool {
	w.grew.Store(true) // before the sum: who adds the rest sees it
	if w.sum.Add(delta) < w.minBytes.Load() && !regardless {
		return false
	}
	w.woken.Store(true)
	w.signal()
	return true
}

func (w *FetchWait) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// watcher is a fetch that waits for a partition to grow.
type watcher struct {
	wait *FetchWait
	use  uint64 // of wait, to which the watcher belongs
	ask  replica.Fetch
	seen int64
}

// Send gives f to its shard; all parts have handles of that shard.
func (f *Fetch) Send() {
	if !f.Parts[0].Handle.shard.in.Put(f) {
		for i := range f.Parts {
			f.Parts[i].Answer = replica.FetchAnswer{Code: kafka.ErrNotLeaderOrFollower}
		}
		f.Wait.answered(0)
	}
}

func (f *Fetch) on(s *Shard) {
	available, failed := int64(0), false
	for i := range f.Parts {
		p := &f.Parts[i]
		if p.Handle.closed {
			p.Answer = replica.FetchAnswer{Code: kafka.ErrNotLeaderOrFollower}
			failed = true
			continue
		}
		p.Answer = p.Handle.machine.Fetch(p.Ask)
		available += p.Answer.Available
		failed = failed || p.Answer.Code != kafka.ErrNone || p.Answer.Diverging.Epoch >= 0
	}
	f.Watching = f.Watch && !failed && f.Wait.sum.Load()+available < f.Wait.minBytes.Load()
	if f.Watching {
		for i := range f.Parts {
			p := &f.Parts[i]
			p.Handle.watch(watcher{wait: f.Wait, use: f.Wait.use.Load(), ask: p.Ask, seen: p.Answer.Available})
		}
	}
	f.Wait.answered(available)
}

// watch replaces the same wait's watcher or adds one.
func (h *Handle) watch(w watcher) {
	for i := range h.watchers {
		if h.watchers[i].wait == w.wait {
			h.watchers[i] = w
			return
		}
	}
	h.watchers = append(h.watchers, w)
}

// grown tells the watchers of a replica that moved.
func (h *Handle) grown() {
	kept := h.watchers[:0]
	for _, w := range h.watchers {
		if w.use != w.wait.use.Load() {
			continue // of a fetch that is over; its sum is another's now
		}
		a := h.machine.Fetch(w.ask)
		delta := a.Available - w.seen
		w.seen = a.Available
		if !w.wait.grow(delta, a.Code != kafka.ErrNone || h.closed) {
			kept = append(kept, w)
		}
	}
	clear(h.watchers[len(kept):])
	h.watchers = kept
}

// Unwatch ends the watches of a fetch that waits no more.
type Unwatch struct {
	Wait    *FetchWait
	Handles []*Handle
}

// Send gives u to the shard of its handles.
func (u *Unwatch) Send() { u.Handles[0].shard.in.Offer(u) }

func (u *Unwatch) on(*Shard) {
	for _, h := range u.Handles {
		for i := range h.watchers {
			if h.watchers[i].wait == u.Wait {
				last := len(h.watchers) - 1
				h.watchers[i] = h.watchers[last]
				h.watchers[last] = watcher{}
				h.watchers = h.watchers[:last]
				break
			}
		}
	}
}

// SameShard reports whether two handles are served by one loop.
func SameShard(a, b *Handle) bool { return a.shard == b.shard }

// ShardIndex is the index of the handle's shard, below Manager.Shards.
func (h *Handle) ShardIndex() int { return h.shard.index }
