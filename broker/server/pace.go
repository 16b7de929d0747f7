package server

import (
	"time"

	"github.com/moldau/moldau/clock"
)

const (
	// paceBurst: after a quiet time as many connections may come at once as the
	// rate gives in so long. Kafka measures the rate over its window, which is that long.
	paceBurst = 10 * time.Second
	// paceWaitMax is the longest wait for one connection's turn.
	paceWaitMax = time.Second
)

// pace bounds how fast connections are accepted (KIP-612). Guarded by the server's lock.
type pace struct {
	due   clock.Mono // when the connections so far are paid for
	begun bool
}

// take counts a connection and returns how long it has to wait. The rate is in
// connections a second; 0 is none.
func (p *pace) take(now clock.Mono, rate int) time.Duration {
	if rate <= 0 {
		return 0
	}
	if rested := now.Add(-paceBurst); !p.begun || p.due < rested {
		p.due, p.begun = rested, true
	}
	p.due = p.due.Add(time.Second / time.Duration(rate))
	return min(max(p.due.Sub(now), 0), paceWaitMax)
}

// awaitTurn waits until a connection of l may be accepted, by the rates of the
// listener and of the node; that of the node does not hold for the listener between
// brokers. All that come after it by the same listener wait with it. It reports
// false when the server closes.
func (s *Server) awaitTurn(l *Listener, limits Limits) bool {
	now := s.cfg.Clock.Mono()
	s.mu.Lock()
	wait := l.pace.take(now, limits.ListenerRate)
	if !s.protects(l) {
		wait = max(wait, s.pace.take(now, limits.NodeRate))
	}
	s.mu.Unlock()
	if wait == 0 {
		return true
	}
	s.stats.throttled.Add(uint64(wait))
	return s.cfg.Clock.Sleep(wait, s.stop)
}
