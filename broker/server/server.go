package server

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/internal/life"
	"github.com/moldau/moldau/net/transport"
)

// Handler serves the requests of a listener.
type Handler interface {
	// Serve answers one request on the connection's goroutine. later says that
	// the answer comes through the request's Slot; else body is sent, or nothing
	// if it is nil. An error closes the connection.
	Serve(req *Request) (body Body, later bool, err error)
	// Gone is called once when the connection has ended.
	Gone(c *Conn)
}

// Sniffer may take over a connection whose first four bytes, read as an
// int32, are below zero: no Kafka frame begins so. The bytes are passed on.
type Sniffer interface {
	Take(tc transport.Conn, first []byte)
}

// Config of a Server. Clock, Events and Budget must be set.
type Config struct {
	Clock  clock.Clock
	Events event.Sink
	Budget *Budget
	// MaxFrameBytes is socket.request.max.bytes.
	MaxFrameBytes int
	// Limits are those of a listener and a client's address; nil means none. It
	// is asked for every connection, so that they may change.
	Limits func(listener, host string) Limits
	// Protected is the name of the listener between brokers, which has room
	// beyond the node's limit.
	Protected string
	// IdleTimeout closes connections on which nothing arrived for so long; zero: never.
	IdleTimeout time.Duration
	// Turns is how many requests with large answers are computed at once; at
	// least one.
	Turns int
	// Life ends what waits when the node is gone; nil never ends.
	Life *life.Life
}

// Server serves connections. Make it with New.
type Server struct {
	cfg      Config
	keys     *keyTable
	budget   *Budget
	turns    *turns
	stats    counters
	refusals refusals
	// blockedAt is when it was said last that connections wait (a clock.Mono).
	blockedAt atomic.Int64

	mu     sync.Mutex
	conns  map[uint64]*Conn
	hosts  map[string]int
	pace   pace
	freed  chan struct{} // closed when a connection ends; nil if nobody waits
	nextID uint64
	lists  []*Listener
	closed bool
	stop   chan struct{}
	wg     sync.WaitGroup

	forgetLife func()
}

// Listener is one of a server's listeners.
type Listener struct {
	// Name is the listener's name, as in `listeners`.
	Name    string
	ln      transport.Listener
	handler Handler
	sniffer Sniffer
	open    int // connections; guarded by the server's lock
	pace    pace
}

// Addr is the address listened on, with the real port.
func (l *Listener) Addr() string { return l.ln.Addr() }

// New returns a server without listeners and starts its janitor.
func New(cfg Config) *Server {
	s := &Server{
		cfg: cfg, keys: newKeyTable(), budget: cfg.Budget, turns: newTurns(cfg.Clock, cfg.Turns),
		conns: map[uint64]*Conn{}, hosts: map[string]int{}, stop: make(chan struct{}),
	}
	s.wg.Add(1)
	go s.janitor()
	s.forgetLife = cfg.Life.OnEnd(s.abandon)
	return s
}

func (s *Server) janitor() {
	defer s.wg.Done()
	reported := s.cfg.Clock.Mono()
	for every := janitorEvery; s.cfg.Clock.Sleep(every, s.stop); {
		s.budget.sweep()
		s.turns.sweep()
		if every = janitorEvery; s.budget.contended() || s.turns.contended() {
			every = contendedEvery
		}
		if now := s.cfg.Clock.Mono(); now.Sub(reported) >= janitorEvery {
			reported = now
			s.reportRefusals()
		}
	}
}

// Serve accepts connections of ln for handler until Close. sniffer may be nil.
func (s *Server) Serve(name string, ln transport.Listener, handler Handler, sniffer Sniffer) *Listener {
	l := &Listener{Name: name, ln: ln, handler: handler, sniffer: sniffer}
	s.mu.Lock()
	s.lists = append(s.lists, l)
	s.wg.Add(1)
	s.mu.Unlock()
	go s.acceptLoop(l)
	return l
}

const (
	// acceptPause is waited after a failed accept (no descriptors left, for example).
	acceptPause = 20 * time.Millisecond
	// acceptReportEvery passes between two reports of failed accepts of a listener.
	acceptReportEvery = 10 * time.Second
)

func (s *Server) acceptLoop(l *Listener) {
	defer s.wg.Done()
	failures, reported := 0, clock.Mono(0)
	for {
		tc, err := l.ln.Accept()
		if errors.Is(err, transport.ErrClosed) {
			return
		}
		if err != nil {
			failures++
			if now := s.cfg.Clock.Mono(); reported == 0 || now.Sub(reported) >= acceptReportEvery {
				s.cfg.Events.Emit(AcceptFailed{Listener: l.Name, Err: err, Failures: failures, Connections: s.stats.connections.Load()})
				failures, reported = 0, now
			}
			if !s.cfg.Clock.Sleep(acceptPause, s.stop) {
				return
			}
			continue
		}
		s.admit(l, tc)
	}
}

// start looks at the first bytes where a sniffer wants to, then serves.
func (s *Server) start(c *Conn) {
	if c.Listener.sniffer != nil {
		if err := c.fill(4); err != nil {
			c.end()
			s.forget(c, err)
			s.wg.Done()
			return
		}
		if c.in[0]&0x80 != 0 {
			s.drop(c)
			s.wg.Done()
			c.Listener.sniffer.Take(c.tc, c.in[c.inFrom:])
			return
		}
	}
	c.serve()
}

// drop takes a connection off the books.
func (s *Server) drop(c *Conn) {
	s.mu.Lock()
	s.leave(c)
	s.mu.Unlock()
	s.stats.connections.Add(-1)
}

func (s *Server) forget(c *Conn, err error) {
	s.drop(c)
	c.Listener.handler.Gone(c)
	c.mu.Lock()
	evicted := c.evicted
	c.mu.Unlock()
	var header headerError
	var frame errFrame
	var refused Refused
	switch {
	case evicted != nil:
		err = evicted
	case errors.As(err, &header), errors.As(err, &frame), errors.As(err, &refused):
	default:
		return // an ordinary end
	}
	s.stats.refused.Add(1)
	s.refused(ConnectionRefused{Listener: c.Listener.Name, Host: c.Host, Err: err})
}

// Refused is a Handler's error for a request that is not served; it is
// reported with its text, once for the connection that it closes.
type Refused struct{ Text string }

func (e Refused) Error() string { return e.Text }

// StopAccepting closes the listeners; connections go on.
func (s *Server) StopAccepting() error {
	s.mu.Lock()
	lists := s.lists
	s.mu.Unlock()
	var err error
	for _, l := range lists {
		if e := l.ln.Close(); e != nil && !errors.Is(e, transport.ErrClosed) {
			err = errors.Join(err, fmt.Errorf("listener %s: %w", l.Name, e))
		}
	}
	return err
}

// Close ends listeners and connections and waits for their goroutines. The
// handler must have answered, or failed, what it was given.
func (s *Server) Close() error {
	err := s.StopAccepting()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return err
	}
	s.closed = true
	open := make([]*Conn, 0, len(s.conns))
	for _, c := range s.conns { //det:ok all are closed
		open = append(open, c)
	}
	s.mu.Unlock()
	close(s.stop)
	for _, c := range open {
		c.Close()
	}
	s.wg.Wait()
	s.forgetLife()
	return err
}

// abandon ends everything that waits, when the node is gone: connections as
// if they had closed, without a call to the network.
func (s *Server) abandon() {
	s.mu.Lock()
	s.closed = true
	open := make([]*Conn, 0, len(s.conns))
	for _, c := range s.conns { //det:ok all are let go
		open = append(open, c)
	}
	s.mu.Unlock()
	for _, c := range open {
		c.letGo()
		c.endWriter()
	}
}

func hostOf(addr string) string {
	if ap, err := netip.ParseAddrPort(addr); err == nil {
		return ap.Addr().Unmap().String()
	}
	return addr
}
