package simnet

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/moldau/moldau/internal/simcore"
	"github.com/moldau/moldau/net/transport"
)

const (
	// backlogLenMax bounds the connections of a listener that wait for Accept.
	backlogLenMax = 128
	// portFirst and portLast bound the ports given for port 0 and to dialers.
	portFirst = 32768
	portLast  = 65535
)

var (
	errInUse   = errors.New("address already in use")
	errNotMine = errors.New("cannot assign requested address")
)

// View is the network as one incarnation sees it. Fabric.Join makes it.
type View struct {
	fabric *Fabric
	host   *host
	fence  *simcore.Fence

	// over, guarded by the fabric: the incarnation has ended. A call that it had
	// begun before leaves nothing behind.
	over bool
}

// parse splits an address; port 0 is any.
func parse(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("address %s: invalid port", address)
	}
	return host, int(n), nil
}

// loopback reports whether a name is that of the host itself, whoever asks.
func loopback(name string) bool { return name == "127.0.0.1" || name == "localhost" || name == "::1" }

// anyHost reports whether a name to listen on stands for all.
func anyHost(name string) bool { return name == "" || name == "0.0.0.0" || name == "::" }

// freePort returns a port that nobody listens on. The caller holds mu.
func (h *host) freePort() int {
	for {
		port := h.nextPort
		if h.nextPort++; h.nextPort > portLast {
			h.nextPort = portFirst
		}
		if h.listeners[port] == nil {
			return port
		}
	}
}

// Listen is transport.Network's. A port has one listener.
func (v *View) Listen(address string) (transport.Listener, error) {
	v.fence.Enter(OpListen, address)
	l, err := v.listen(address)
	v.fence.Leave(OpListen, address)
	if err != nil {
		return nil, fmt.Errorf("listen %s: %w", address, err)
	}
	return l, nil
}

func (v *View) listen(address string) (*listener, error) {
	name, port, err := parse(address)
	if err != nil {
		return nil, err
	}
	if name != v.host.name && !loopback(name) && !anyHost(name) {
		return nil, errNotMine
	}
	f := v.fabric
	f.mu.Lock()
	defer f.mu.Unlock()
	if v.over {
		return nil, transport.ErrClosed
	}
	if port == 0 {
		port = v.host.freePort()
	}
	if v.host.listeners[port] != nil {
		return nil, errInUse
	}
	l := &listener{
		view: v, port: port, address: net.JoinHostPort(name, strconv.Itoa(port)), inside: loopback(name),
		backlog: make(chan *conn, backlogLenMax), closed: make(chan struct{}),
	}
	v.host.listeners[port] = l
	return l, nil
}

// listener waits for dialers.
type listener struct {
	view    *View
	port    int
	address string
	inside  bool // takes dials of the host itself only
	backlog chan *conn
	over    bool // guarded by the fabric's mu
	closed  chan struct{}
}

// Accept is transport.Listener's.
func (l *listener) Accept() (transport.Conn, error) {
	fence := l.view.fence
	fence.Enter(OpAccept, l.address)
	c, err := l.accept(fence)
	fence.Leave(OpAccept, l.address)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (l *listener) accept(fence *simcore.Fence) (*conn, error) {
	select {
	case <-l.closed:
		return nil, transport.ErrClosed
	default:
	}
	select {
	case c := <-l.backlog:
		return c, nil
	case <-l.closed:
	case <-fence.Crashed(): // Leave ends the goroutine
	}
	return nil, transport.ErrClosed
}

// Addr is transport.Listener's.
func (l *listener) Addr() string { return l.address }

// Close is transport.Listener's. Connections that nobody accepted are closed.
// A second call does nothing.
func (l *listener) Close() error {
	l.view.fence.Enter(OpClose, l.address)
	f := l.view.fabric
	f.mu.Lock()
	l.close()
	f.mu.Unlock()
	l.view.fence.Leave(OpClose, l.address)
	return nil
}

// close ends the listener. The caller holds mu.
func (l *listener) close() {
	if l.over {
		return
	}
	l.over = true
	delete(l.view.host.listeners, l.port)
	close(l.closed)
	now := l.view.fabric.now()
	for {
		select {
		case c := <-l.backlog:
			if !c.closed {
				c.shut(now)
			}
		default:
			return
		}
	}
}
