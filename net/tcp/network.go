//go:build !wasip1

package tcp

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/moldau/moldau/net/transport"
)

// copyBufferBytes is what SendFile reads at a time where it must copy.
const copyBufferBytes = 64 << 10

// Network opens real sockets. Make it with New.
type Network struct {
	// ReceiveBytes and SendBytes size the operating system's buffers of a
	// connection; at or below 0 it sizes them itself. They are for setting
	// before the first connection.
	ReceiveBytes, SendBytes int

	buffers sync.Pool // of *[copyBufferBytes]byte, for SendFile by copying
}

// New returns the machine's network.
func New() *Network {
	n := &Network{}
	n.buffers.New = func() any { return new([copyBufferBytes]byte) }
	return n
}

// Listen is transport.Network's, with the operating system's backlog.
func (n *Network) Listen(address string) (transport.Listener, error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false) // its sockets have no sendfile on older kernels
	l, err := config.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, mapError(err)
	}
	return &listener{network: n, tcp: l.(*net.TCPListener)}, nil
}

// Dial is transport.Network's. A timeout at or below zero leaves the limit to
// the operating system.
func (n *Network) Dial(address string, timeout time.Duration, stop <-chan struct{}) (transport.Conn, error) {
	dialer := net.Dialer{Timeout: max(timeout, 0)}
	dialer.SetMultipathTCP(false)
	c, err := dialer.DialContext(stopContext{stop}, "tcp", address)
	if err != nil {
		return nil, mapError(err)
	}
	return n.conn(c.(*net.TCPConn))
}

// stopContext is a context that ends when stop is closed.
type stopContext struct {
	stop <-chan struct{}
}

func (stopContext) Deadline() (time.Time, bool) { return time.Time{}, false }

func (c stopContext) Done() <-chan struct{} { return c.stop }

func (stopContext) Value(any) any { return nil }

func (c stopContext) Err() error {
	select {
	case <-c.stop:
		return context.Canceled
	default:
		return nil
	}
}

// listener is a listening socket.
type listener struct {
	network *Network
	tcp     *net.TCPListener
}

// Accept is transport.Listener's. Beside ErrClosed it passes on what the
// operating system reports, as too many open files, after which it may be
// called again.
func (l *listener) Accept() (transport.Conn, error) {
	c, err := l.tcp.AcceptTCP()
	if err != nil {
		return nil, mapError(err)
	}
	return l.network.conn(c)
}

// Addr is transport.Listener's.
func (l *listener) Addr() string { return l.tcp.Addr().String() }

// Close is transport.Listener's. A second call does nothing.
func (l *listener) Close() error {
	if err := mapError(l.tcp.Close()); err != nil && !isClosed(err) {
		return fmt.Errorf("close listener %s: %w", l.Addr(), err)
	}
	return nil
}
