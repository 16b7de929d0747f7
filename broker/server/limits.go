package server

import (
	"errors"
	"fmt"

	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/net/transport"
)

// Limits of connections, as they are at the moment.
type Limits struct {
	Node     int // all connections of the server
	Listener int // those of the listener
	Host     int // those from the client's address
	// NodeRate and ListenerRate bound new connections in a second; 0: nothing does.
	NodeRate, ListenerRate int
}

var errMakesRoom = errors.New("closed for another broker's connection: max.connections is reached, and no connection was idle longer")

// register puts c on the books when the limits allow it. Beyond the limit of its
// host a connection is refused. Beyond those of its listener and of the
// node it waits, and with it all that come after it by the same listener, as
// in Kafka (KIP-402), and so it waits for its turn by the rates. It reports false
// where c is not served.
func (s *Server) register(c *Conn) bool {
	if limits, limited := s.limits(c); limited && !s.awaitTurn(c.Listener, limits) {
		return false
	}
	var blocked clock.Mono
	for {
		limits, limited := s.limits(c)
		s.mu.Lock()
		switch {
		case s.closed:
			s.mu.Unlock()
			return false
		case limited && s.hosts[c.Host] >= limits.Host:
			s.mu.Unlock()
			s.stats.overHost.Add(1)
			s.refused(ConnectionRefused{Listener: c.Listener.Name, Host: c.Host, Err: fmt.Errorf("max.connections.per.ip: %d connections from this address", limits.Host)})
			return false
		case !limited || s.slot(c.Listener, limits):
			victim := s.enter(c, limits, limited)
			s.mu.Unlock()
			if blocked != 0 {
				s.stats.blocked.Add(uint64(s.cfg.Clock.Mono().Sub(blocked)))
			}
			if victim != nil {
				victim.evict(errMakesRoom)
			}
			return true
		}
		if s.freed == nil {
			s.freed = make(chan struct{})
		}
		freed := s.freed
		s.mu.Unlock()
		if blocked == 0 {
			blocked = s.cfg.Clock.Mono()
			s.reportBlocked(c, limits, blocked)
		}
		if !s.awaitRoom(freed) {
			return false
		}
	}
}

// reportBlocked says that connections wait, every acceptReportEvery.
func (s *Server) reportBlocked(c *Conn, limits Limits, now clock.Mono) {
	last := s.blockedAt.Load()
	if last != 0 && now.Sub(clock.Mono(last)) < acceptReportEvery || !s.blockedAt.CompareAndSwap(last, int64(now)) {
		return
	}
	s.cfg.Events.Emit(AcceptBlocked{Listener: c.Listener.Name, Host: c.Host, Limits: limits, Connections: s.stats.connections.Load()})
}

func (s *Server) limits(c *Conn) (Limits, bool) {
	if s.cfg.Limits == nil {
		return Limits{}, false
	}
	return s.cfg.Limits(c.Listener.Name, c.Host), true
}

// slot says whether a connection of l may be served now. The listener between
// brokers has room beyond the node's limit, if it is not the only one.
func (s *Server) slot(l *Listener, limits Limits) bool {
	return l.open < limits.Listener && (s.protects(l) || len(s.conns) < limits.Node)
}

func (s *Server) protects(l *Listener) bool { return l.Name == s.cfg.Protected && len(s.lists) > 1 }

// enter counts c. Where it exceeds the node's limit, the connection of another
// listener that was used least recently is returned: it has to go.
func (s *Server) enter(c *Conn, limits Limits, limited bool) (victim *Conn) {
	if limited && len(s.conns) >= limits.Node {
		for _, o := range s.conns { //det:ok the least of a total order
			older := victim == nil || o.used.Load() < victim.used.Load() || o.used.Load() == victim.used.Load() && o.id < victim.id
			if o.Listener != c.Listener && older {
				victim = o
			}
		}
	}
	s.nextID++
	c.id = s.nextID
	s.conns[c.id] = c
	s.hosts[c.Host]++
	c.Listener.open++
	s.wg.Add(1)
	return victim
}

// awaitRoom waits until a connection ends, or long enough that the limits may
// have changed; false when the server closes.
func (s *Server) awaitRoom(freed <-chan struct{}) bool {
	timer := s.cfg.Clock.NewTimer(janitorEvery)
	defer timer.Stop()
	select {
	case <-freed:
	case <-timer.C():
	case <-s.stop:
		return false
	}
	return true
}

// leave takes c off the books; it is called with the lock held.
func (s *Server) leave(c *Conn) {
	delete(s.conns, c.id)
	c.Listener.open--
	if s.hosts[c.Host]--; s.hosts[c.Host] <= 0 {
		delete(s.hosts, c.Host)
	}
	if s.freed != nil {
		close(s.freed)
		s.freed = nil
	}
}

func (s *Server) admit(l *Listener, tc transport.Conn) {
	c := &Conn{Listener: l, Host: hostOf(tc.RemoteAddr()), srv: s, tc: tc, closed: make(chan struct{})}
	c.drained.L = &c.mu
	c.used.Store(int64(s.cfg.Clock.Mono()))
	if !s.register(c) {
		_ = tc.Close() // refused: nothing was promised
		return
	}
	s.stats.accepted.Add(1)
	s.stats.connections.Add(1)
	go s.start(c)
}
