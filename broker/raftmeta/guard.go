package raftmeta

import (
	"sync"
	"time"

	"github.com/moldau/moldau/clock"
)

// Guard watches the store's calls: raft keeps its office while its disk
// hangs, so somebody else must notice. It also carries the first failure.
type Guard struct {
	clock     clock.Clock
	onFailure func(error)

	mu      sync.Mutex
	calls   int
	since   clock.Mono // of the oldest call in a row of overlapping ones
	failure error
	after   []func()
}

func newGuard(c clock.Clock, onFailure func(error)) *Guard {
	return &Guard{clock: c, onFailure: onFailure}
}

// enter marks the begin of a call; the result marks its end.
func (g *Guard) enter() func() {
	now := g.clock.Mono()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.calls == 0 {
		g.since = now
	}
	g.calls++
	return g.exit
}

func (g *Guard) exit() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls--
	g.since = g.clock.Mono()
}

// Busy is how long a call of the store has been running, 0 when none is.
func (g *Guard) Busy() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.calls == 0 {
		return 0
	}
	return g.clock.Mono().Sub(g.since)
}

// OnFailed has f called once the store has failed, which may be now: of raft's
// goroutines those that called it end, and whoever asks one of them waits for
// nobody. f may be called from any goroutine and must not wait.
func (g *Guard) OnFailed(f func()) {
	g.mu.Lock()
	failed := g.failure != nil
	if !failed {
		g.after = append(g.after, f)
	}
	g.mu.Unlock()
	if failed {
		f()
	}
}

// failed reports the store's failure, the first one only.
func (g *Guard) failed(err error) {
	g.mu.Lock()
	first := g.failure == nil
	var after []func()
	if first {
		g.failure, after = err, g.after
	}
	g.mu.Unlock()
	if first && g.onFailure != nil {
		g.onFailure(err)
	}
	for _, f := range after {
		f()
	}
}
