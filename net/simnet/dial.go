package simnet

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/moldau/moldau/net/transport"
)

const (
	// knockEvery is how often a dialer that nobody answers tries again.
	knockEvery = 250 * time.Millisecond
	// dialMax is when a dialer gives up that has no timeout.
	dialMax = 127 * time.Second
)

var errNoHost = errors.New("no such host")

// Dial is transport.Network's. A timeout at or below zero is the 127 seconds
// after which a kernel gives up. Where the way is cut, the host without power,
// or the backlog full, it knocks again until the timeout.
func (v *View) Dial(address string, timeout time.Duration, stop <-chan struct{}) (transport.Conn, error) {
	v.fence.Enter(OpDial, address)
	c, err := v.dial(address, timeout, stop)
	v.fence.Leave(OpDial, address)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, err)
	}
	return c, nil
}

// dialing is a Dial under way.
type dialing struct {
	view        *View
	there, back *link
	port        int
	address     string // as dialed
	name        string // of the host in it
	deadline    instant
	stop        <-chan struct{}
}

func (v *View) dial(address string, timeout time.Duration, stop <-chan struct{}) (*conn, error) {
	name, port, err := parse(address)
	if err != nil {
		return nil, err
	}
	if timeout <= 0 {
		timeout = dialMax
	}
	f := v.fabric
	f.mu.Lock()
	to := v.host
	if !loopback(name) && !anyHost(name) {
		to = f.hosts[name]
	}
	if to == nil {
		f.mu.Unlock()
		return nil, errNoHost
	}
	d := &dialing{
		view: v, there: f.link(v.host, to), back: f.link(to, v.host), port: port, address: address, name: name,
		deadline: f.now() + instant(timeout), stop: stop,
	}
	f.mu.Unlock()
	return d.connect()
}

// errAgain: nobody answered, knock again.
var errAgain = errors.New("no answer")

func (d *dialing) connect() (*conn, error) {
	for {
		c, err := d.knock()
		if errors.Is(err, errAgain) {
			if err = d.sleep(knockEvery); err == nil {
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		return c, d.answered(c)
	}
}

// sleep passes d, or fails when the time is over or the attempt stopped.
func (d *dialing) sleep(t time.Duration) error {
	select {
	case <-d.stop:
		return transport.ErrClosed
	default:
	}
	if t <= 0 {
		return nil
	}
	f := d.view.fabric
	left := time.Duration(d.deadline - f.now())
	if !d.view.fence.Sleep(f.base, min(t, left), d.stop) {
		return transport.ErrClosed
	}
	if t >= left {
		return transport.ErrTimeout
	}
	return nil
}

// travel passes a link once, or fails with errAgain if nothing gets through.
func (d *dialing) travel(l *link) error {
	f := d.view.fabric
	f.mu.Lock()
	now := f.now()
	lost := f.lost(l)
	var at instant
	if !lost {
		at = l.transit(now, 0)
	}
	f.mu.Unlock()
	if lost {
		if err := d.sleep(0); err != nil {
			return err
		}
		return errAgain
	}
	if err := d.sleep(time.Duration(at - now)); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lost(l) {
		return errAgain
	}
	return nil
}

// lost reports whether nothing gets through a link, and marks why.
func (f *Fabric) lost(l *link) bool {
	switch {
	case l.blocked:
		l.blocks("dial")
	case l.to.off || l.from.off:
		f.marks.lost.Add()
	default:
		return false
	}
	return true
}

// knock asks once for a connection, which then waits for Accept.
func (d *dialing) knock() (*conn, error) {
	if err := d.travel(d.there); err != nil {
		return nil, err
	}
	f := d.view.fabric
	f.mu.Lock()
	if d.view.over {
		f.mu.Unlock()
		return nil, transport.ErrClosed
	}
	l, refused := d.listener()
	if !refused && len(l.backlog) >= l.view.host.backlogMax {
		f.mu.Unlock()
		f.marks.backlog.Hit(d.address)
		return nil, errAgain
	}
	if refused {
		f.mu.Unlock()
		if err := d.travel(d.back); err != nil {
			return nil, err
		}
		return nil, transport.ErrRefused
	}
	local := d.view.host.name
	if d.there.from == d.there.to {
		local = "127.0.0.1"
	}
	local = net.JoinHostPort(local, strconv.Itoa(d.view.host.freePort()))
	p := f.newPair(d.view, l.view, local, d.address)
	l.backlog <- p.server // there is room
	f.mu.Unlock()
	return p.client, nil
}

// listener returns who listens, or that the host refuses. The caller holds mu.
func (d *dialing) listener() (l *listener, refused bool) {
	f, to := d.view.fabric, d.there.to
	l = to.listeners[d.port]
	if l == nil || (l.inside && !loopback(d.name)) {
		return nil, true
	}
	if d.there.from != to && (to.refuse || happens(f.draw.refuse, d.there.fare.RefuseShare)) {
		f.marks.refused.Hit(d.address)
		return nil, true
	}
	return l, false
}

// answered waits until the dialer hears that it is connected. If it does not
// in time, it forgets the connection, which the other end learns by a reset.
func (d *dialing) answered(c *conn) error {
	for {
		err := d.travel(d.back)
		if errors.Is(err, errAgain) {
			err = d.sleep(knockEvery)
			if err == nil {
				continue
			}
		}
		if err != nil {
			f := d.view.fabric
			f.mu.Lock()
			if !c.closed {
				now := f.now()
				c.leave()
				c.out.sendReset(c.out.arrival(now, 0), false)
			}
			f.mu.Unlock()
		}
		return err
	}
}
