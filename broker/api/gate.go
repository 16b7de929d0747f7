package api

import (
	"sync"

	"github.com/moldau/moldau/broker/server"
)

const (
	// elementsFree are the array elements of a request that are not counted
	// against the others: ordinary requests never wait.
	elementsFree = 64
	// elementsInFlightMax bounds the array elements of all larger requests that
	// are decoded at one time. An element takes some hundred bytes, many times
	// what it takes on the wire, which is what the request memory bounds.
	elementsInFlightMax = requestElementsMax
)

// gate admits large requests to be decoded, first come, first served.
type gate struct {
	mu      sync.Mutex
	used    int
	waiters []*gateWaiter
}

type gateWaiter struct {
	n     int
	ready chan struct{}
}

// enter admits a request of n elements, waiting for room until closed is; it
// returns what leave must be given, and false when the connection has closed.
func (g *gate) enter(n int, closed <-chan struct{}) (int, bool) {
	if n <= elementsFree {
		return 0, true
	}
	g.mu.Lock()
	if len(g.waiters) == 0 && g.used+n <= elementsInFlightMax {
		g.used += n
		g.mu.Unlock()
		return n, true
	}
	w := &gateWaiter{n: n, ready: make(chan struct{})}
	g.waiters = append(g.waiters, w)
	g.mu.Unlock()
	select {
	case <-w.ready:
		return n, true
	case <-closed:
	}
	g.mu.Lock()
	for i := range g.waiters {
		if g.waiters[i] == w {
			g.waiters = append(g.waiters[:i:i], g.waiters[i+1:]...)
			g.mu.Unlock()
			return 0, false
		}
	}
	g.mu.Unlock()
	g.leave(n) // it was admitted meanwhile
	return 0, false
}

// leave gives back what enter returned.
func (g *gate) leave(n int) {
	if n == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.used -= n
	for len(g.waiters) > 0 && g.used+g.waiters[0].n <= elementsInFlightMax {
		g.used += g.waiters[0].n
		close(g.waiters[0].ready)
		g.waiters[0] = nil
		g.waiters = g.waiters[1:]
	}
}

// crowded says that requests wait to be admitted.
func (g *gate) crowded() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.waiters) > 0
}

var errGoneWaiting = server.Refused{Text: "the connection closed while a large request waited for its turn"}
