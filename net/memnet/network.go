package memnet

import (
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/internal/invariant"
	"github.com/moldau/moldau/internal/yield"
	"github.com/moldau/moldau/net/transport"
)

const (
	// backlogLenMax bounds the connections of a listener that wait for Accept.
	backlogLenMax = 128
	// portFirst and portLast bound the ports given for port 0 and to dialers.
	portFirst = 32768
	portLast  = 65535
)

// Network is a network within the process. Make it with New.
type Network struct {
	clock clock.Clock
	over  <-chan struct{}

	mu        sync.Mutex
	listeners map[endpoint]*listener
	nextPort  int
}

// New returns an empty network whose timeouts go by c.
func New(c clock.Clock) *Network { return NewUntil(c, nil) }

// NewUntil is New, of a network whose calls fail with transport.ErrClosed once
// over is closed, those that wait included.
func NewUntil(c clock.Clock, over <-chan struct{}) *Network {
	invariant.Check(c != nil, "memnet without a clock")
	return &Network{clock: c, over: over, listeners: map[endpoint]*listener{}, nextPort: portFirst}
}

// endpoint is an address in the form in which addresses are compared.
type endpoint struct {
	host string // empty: any
	port string
}

func (e endpoint) String() string { return net.JoinHostPort(e.host, e.port) }

func parse(address string) (endpoint, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return endpoint{}, err
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return endpoint{}, fmt.Errorf("address %s: invalid port", address)
	} else if n == 0 {
		port = ""
	}
	switch host {
	case "localhost":
		host = "127.0.0.1"
	case "0.0.0.0", "::":
		host = ""
	}
	return endpoint{host, port}, nil
}

// freePort returns a port that nobody listens on. The caller holds mu.
func (n *Network) freePort(host string) string {
	for {
		port := strconv.Itoa(n.nextPort)
		if n.nextPort++; n.nextPort > portLast {
			n.nextPort = portFirst
		}
		if n.listeners[endpoint{host, port}] == nil && n.listeners[endpoint{"", port}] == nil {
			return port
		}
	}
}

// Listen is transport.Network's. Of one address there is one listener.
func (n *Network) Listen(address string) (transport.Listener, error) {
	yield.Point()
	at, err := parse(address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if at.port == "" {
		at.port = n.freePort(at.host)
	}
	if n.listeners[at] != nil {
		return nil, fmt.Errorf("listen %s: address already in use", address)
	}
	l := &listener{
		network: n, at: at,
		backlog: make(chan *conn, backlogLenMax), closed: make(chan struct{}),
	}
	n.listeners[at] = l
	return l, nil
}

// Dial is transport.Network's. A timeout at or below zero is none. The dialer
// is connected when the connection waits for Accept, as in TCP.
func (n *Network) Dial(address string, timeout time.Duration, stop <-chan struct{}) (transport.Conn, error) {
	yield.Point()
	at, err := parse(address)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	n.mu.Lock()
	l := n.listeners[at]
	if l == nil {
		l = n.listeners[endpoint{"", at.port}]
	}
	local := endpoint{"127.0.0.1", n.freePort("127.0.0.1")}
	n.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("dial %s: %w", address, transport.ErrRefused)
	}
	client, server := newPair(n, local.String(), at.String())
	if err := l.offer(n.clock, server, timeout, stop); err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, err)
	}
	return client, nil
}

// listener waits for dialers.
type listener struct {
	network *Network
	at      endpoint
	backlog chan *conn
	once    sync.Once
	closed  chan struct{}
}

// offer puts c into the backlog, waiting for room.
func (l *listener) offer(clk clock.Clock, c *conn, timeout time.Duration, stop <-chan struct{}) error {
	if isClosed(l.closed) {
		return transport.ErrRefused
	}
	if isClosed(stop) {
		return transport.ErrClosed
	}
	select {
	case l.backlog <- c:
	default:
		if err := l.await(clk, c, timeout, stop); err != nil {
			return err
		}
	}
	if isClosed(l.closed) {
		l.drain() // Close may have drained before c was in
	}
	return nil
}

func (l *listener) await(clk clock.Clock, c *conn, timeout time.Duration, stop <-chan struct{}) error {
	var expired <-chan struct{}
	if timeout > 0 {
		timer := clk.NewTimer(timeout)
		defer timer.Stop()
		expired = timer.C()
	}
	select {
	case l.backlog <- c:
		return nil
	case <-l.closed:
		return transport.ErrRefused
	case <-stop:
		return transport.ErrClosed
	case <-l.network.over:
		return transport.ErrClosed
	case <-expired:
		return transport.ErrTimeout
	}
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// Accept is transport.Listener's.
func (l *listener) Accept() (transport.Conn, error) {
	yield.Point()
	if isClosed(l.closed) || isClosed(l.network.over) {
		return nil, transport.ErrClosed
	}
	select {
	case c := <-l.backlog:
		return c, nil
	case <-l.closed:
	case <-l.network.over:
	}
	return nil, transport.ErrClosed
}

// Addr is transport.Listener's.
func (l *listener) Addr() string { return l.at.String() }

// Close is transport.Listener's. Connections that nobody accepted are closed.
// A second call does nothing.
func (l *listener) Close() error {
	l.once.Do(func() {
		l.network.mu.Lock()
		delete(l.network.listeners, l.at)
		l.network.mu.Unlock()
		close(l.closed)
		l.drain()
	})
	return nil
}

func (l *listener) drain() {
	for {
		select {
		case c := <-l.backlog:
			c.end()
		default:
			return
		}
	}
}

// sendChunkBytesMax bounds one read of SendFile.
const sendChunkBytesMax = 64 << 10

// shortFile describes a file that ended too early.
func shortFile(f vfs.File, off int64) error {
	return fmt.Errorf("send %s from %d: %w", f.Name(), off, transport.ErrShortFile)
}
