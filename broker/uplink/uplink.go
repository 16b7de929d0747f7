package uplink

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/internal/inbox"
	"github.com/moldau/moldau/net/transport"
)

// ErrClosed: the uplink was closed.
var ErrClosed = errors.New("uplink is closed")

// Uplink is a node's connection to the controllers. Make it with New; it
// begins to follow at once, and to register the broker when Register is called.
type Uplink struct {
	cfg    Config
	target target
	state  state
	ids    idBlocks

	caughtUp     chan struct{} // see CaughtUp
	caughtUpOnce sync.Once

	stop     chan struct{}
	stopOnce sync.Once
	wg       sync.WaitGroup

	forgetLife func()

	mu    sync.Mutex
	conns map[transport.Conn]*link
	idle  []*link       // for forwarded requests
	slots chan struct{} // forwarded requests under way

	alterations *inbox.Inbox[Alteration]
	refused     atomic.Uint64 // alterations that were refused or not answered
}

// New starts an uplink.
func New(cfg Config) (*Uplink, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	u := &Uplink{
		cfg: cfg, target: target{list: cfg.Controllers, misses: map[int32]int{}, changed: make(chan struct{})}, stop: make(chan struct{}), caughtUp: make(chan struct{}),
		conns: map[transport.Conn]*link{}, slots: make(chan struct{}, forwardConnsMax),
		alterations: inbox.New[Alteration](alterationsLen),
	}
	u.state.init()
	u.ids.init()
	u.forgetLife = cfg.Life.OnEnd(u.end)
	for _, run := range []func(){u.follow, u.session, u.allocate, u.alter, u.enroll} {
		u.start(run)
	}
	return u, nil
}

func (u *Uplink) start(run func()) {
	u.wg.Add(1)
	go func() {
		defer u.wg.Done()
		run()
	}()
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
	place
	// bound: it is for that controller whether it is active or not.
	bound bool
}

var errNoController = errors.New("no controller is known")

var errMoved = errors.New("another controller became active meanwhile")

// dial opens a connection to a controller: to the active one, as it was known when
// news were taken, or with nil for news, to that controller whether it is active
// or not.
func (u *Uplink) dial(p place, news <-chan struct{}) (*link, error) {
	if p.addr == "" {
		return nil, errNoController
	}
	conn, err := u.cfg.Network.Dial(p.addr, dialTimeout, u.stop)
	if err != nil {
		u.target.unreachable(p)
		return nil, fmt.Errorf("dial controller %s: %w", p.addr, err)
	}
	l := &link{client: newClient(conn), place: p, bound: news == nil}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed() {
		return nil, errors.Join(ErrClosed, conn.Close())
	}
	select {
	case <-news: // redirect did not see this connection, or has still to come
		return nil, errors.Join(errMoved, conn.Close())
	default:
	}
	u.conns[conn] = l
	return l, nil
}

// redirect breaks what waits for another controller than the active one: a
// controller that hangs would not answer for long.
func (u *Uplink) redirect(active place) {
	u.mu.Lock()
	var wrong []transport.Conn
	for conn, l := range u.conns { //det:ok all are closed
		if !l.bound && l.place != active {
			wrong = append(wrong, conn)
		}
	}
	u.mu.Unlock()
	for _, conn := range wrong {
		_ = conn.Close() // who uses it dials anew
	}
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

// ask sends one request to the active controller over l, dialing if that is
// nil or leads elsewhere, and returns the connection for the next. After a failure
// the connection is closed, and the next goes to another controller.
func (u *Uplink) ask(l *link, req kmsg.Request, timeout time.Duration) (*link, kmsg.Response, error) {
	var err error
	news := u.target.news()
	to := u.target.place()
	if l != nil && l.place != to {
		u.hangUp(l)
		l = nil
	}
	if l == nil {
		if l, err = u.dial(to, news); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", errNotSent, err)
		}
	}
	resp, err := l.roundTrip(req, timeout)
	if err != nil {
		u.target.wrong(l.place)
		u.hangUp(l)
		return nil, nil, err
	}
	if notController(resp) {
		u.target.wrong(l.place)
		if f, ok := resp.(*kmsg.FetchResponse); ok {
			u.takeHint(f)
		}
		return l, nil, errNotController // hung up by the next ask, if that goes elsewhere
	}
	return l, resp, nil
}

// takeHint learns the active controller from another one's answer.
func (u *Uplink) takeHint(resp *kmsg.FetchResponse) {
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			for _, b := range resp.Brokers {
				if b.NodeID == p.CurrentLeader.LeaderID {
					u.target.hint(b.NodeID, b.Host, b.Port)
				}
			}
		}
	}
}

// errNotSent: nothing of the request left this node.
var errNotSent = errors.New("not sent")

var errNotController = errors.New("not the active controller")

// backoff is the wait between attempts; it doubles up to its maximum.
type backoff struct{ next time.Duration }

// wait waits and reports false when the uplink was closed. It ends early when
// another controller becomes the active one.
func (u *Uplink) wait(b *backoff, request string, err error) bool {
	u.cfg.Events.Emit(Retrying{Request: request, Reason: err.Error()})
	b.next = min(max(2*b.next, retryBackoffMin), retryBackoffMax)
	timer := u.cfg.Clock.NewTimer(b.next)
	defer timer.Stop()
	select {
	case <-timer.C():
	case <-u.target.news():
		b.next = 0
	case <-u.stop:
		return false
	}
	return true
}
