package uplink

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/internal/inbox"
	"github.com/moldau/moldau/net/transport"
)

// ErrClosed: the uplink was closed.
var ErrClosed = errors.New("uplink is closed")

// Uplink is a broker's connection to the controllers. Make it with New; it
// begins to follow and to register at once.
type Uplink struct {
	cfg    Config
	target target
	state  state
	ids    idBlocks

	stop     chan struct{}
	stopOnce sync.Once
	wg       sync.WaitGroup

	forgetLife func()

	mu    sync.Mutex
	conns map[transport.Conn]struct{}
	idle  []*link       // for forwarded requests
	slots chan struct{} // forwarded requests under way

	alterations *inbox.Inbox[Alteration]
}

// New starts an uplink.
func New(cfg Config) (*Uplink, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	u := &Uplink{
		cfg: cfg, target: target{addrs: cfg.Controllers}, stop: make(chan struct{}),
		conns: map[transport.Conn]struct{}{}, slots: make(chan struct{}, forwardConnsMax),
		alterations: inbox.New[Alteration](alterationsLen),
	}
	u.state.init()
	u.ids.init()
	u.forgetLife = cfg.Life.OnEnd(u.end)
	for _, run := range []func(){u.follow, u.session, u.allocate, u.alter} {
		u.wg.Add(1)
		go func() {
			defer u.wg.Done()
			run()
		}()
	}
	return u, nil
}

// Close ends everything and waits until it has ended. Requests under way fail.
func (u *Uplink) Close() {
	u.end()
	u.mu.Lock()
	open := slices.Collect(maps.Keys(u.conns)) //det:ok all are closed
	u.mu.Unlock()
	for _, conn := range open {
		_ = conn.Close() // ends whoever reads or writes
	}
	u.wg.Wait()
	u.forgetLife()
}

// end ends what waits.
func (u *Uplink) end() { u.stopOnce.Do(func() { close(u.stop) }) }

func (u *Uplink) closed() bool {
	select {
	case <-u.stop:
		return true
	default:
		return false
	}
}

// link is a connection to one controller.
type link struct {
	*client
	addr string
}

// dial opens a connection to the controller that is thought to be active.
func (u *Uplink) dial() (*link, error) {
	addr := u.target.address()
	conn, err := u.cfg.Network.Dial(addr, dialTimeout, u.stop)
	if err != nil {
		u.target.wrong(addr)
		return nil, fmt.Errorf("dial controller %s: %w", addr, err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed() {
		return nil, errors.Join(ErrClosed, conn.Close())
	}
	u.conns[conn] = struct{}{}
	return &link{client: newClient(conn), addr: addr}, nil
}

// hangUp closes a connection.
func (u *Uplink) hangUp(l *link) {
	if l == nil {
		return
	}
	u.mu.Lock()
	delete(u.conns, l.conn)
	u.mu.Unlock()
	_ = l.conn.Close() // nothing on it matters any more
}

// ask sends one request over l, dialing if it is nil, and returns the
// connection for the next. After a failure the connection is closed, and the
// next goes to another controller.
func (u *Uplink) ask(l *link, req kmsg.Request, timeout time.Duration) (*link, kmsg.Response, error) {
	var err error
	if l == nil {
		if l, err = u.dial(); err != nil {
			return nil, nil, err
		}
	}
	resp, err := l.roundTrip(req, timeout)
	if err != nil {
		u.target.wrong(l.addr)
		u.hangUp(l)
		return nil, nil, err
	}
	if notController(resp) {
		u.target.wrong(l.addr)
		if l.addr != u.target.address() {
			u.hangUp(l)
			l = nil
		}
		return l, nil, errNotController
	}
	return l, resp, nil
}

var errNotController = errors.New("not the active controller")

// backoff is the wait between attempts; it doubles up to its maximum.
type backoff struct{ next time.Duration }

// wait waits and reports false when the uplink was closed.
func (u *Uplink) wait(b *backoff, request string, err error) bool {
	u.cfg.Events.Emit(Retrying{Request: request, Reason: err.Error()})
	b.next = min(max(2*b.next, retryBackoffMin), retryBackoffMax)
	return u.cfg.Clock.Sleep(b.next, u.stop)
}
