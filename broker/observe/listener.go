package observe

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moldau/moldau/net/transport"
)

// listener is a transport.Listener as net/http wants it.
type listener struct {
	inner transport.Listener
	open  atomic.Int64
}

func newListener(inner transport.Listener) *listener { return &listener{inner: inner} }

// Accept closes connections above the limit and waits for the next.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.inner.Accept()
		if err != nil {
			return nil, stdError(err)
		}
		if l.open.Add(1) <= connectionsMax {
			return &conn{inner: c, listener: l}, nil
		}
		l.open.Add(-1)
		_ = c.Close() // nothing was written to it
	}
}

func (l *listener) Close() error   { return l.inner.Close() }
func (l *listener) Addr() net.Addr { return addr(l.inner.Addr()) }

// conn is a transport.Conn as net/http wants it. The seam has timeouts, not
// deadlines, and no clock is read here: a deadline that lies in the far past,
// by which net/http ends a pending read, ends it at once, any other one means
// the fixed timeouts of this package.
type conn struct {
	inner    transport.Conn
	listener *listener
	once     sync.Once
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.inner.Read(p)
	return n, stdError(err)
}

func (c *conn) Write(p []byte) (int, error) {
	n, err := c.inner.Write(p)
	return n, stdError(err)
}

func (c *conn) Close() error {
	var err error
	c.once.Do(func() {
		err = c.inner.Close()
		c.listener.open.Add(-1)
	})
	return err
}

func (c *conn) LocalAddr() net.Addr  { return addr(c.inner.LocalAddr()) }
func (c *conn) RemoteAddr() net.Addr { return addr(c.inner.RemoteAddr()) }

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *conn) SetReadDeadline(t time.Time) error {
	return c.inner.SetReadTimeout(timeout(t, readTimeout))
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	return c.inner.SetWriteTimeout(timeout(t, writeTimeout))
}

// farPastUnix is later than the deadline that net/http uses to abort, and earlier
// than any real one.
const farPastUnix = 1_000_000

func timeout(t time.Time, usual time.Duration) time.Duration {
	switch {
	case t.IsZero():
		return 0
	case t.Unix() < farPastUnix:
		return time.Nanosecond
	}
	return usual
}

// addr is an address as net/http wants it.
type addr string

func (addr) Network() string  { return "tcp" }
func (a addr) String() string { return string(a) }

// timeoutError is transport.ErrTimeout as a net.Error.
type timeoutError struct{}

func (timeoutError) Error() string   { return transport.ErrTimeout.Error() }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }
func (timeoutError) Unwrap() error   { return transport.ErrTimeout }

func stdError(err error) error {
	switch {
	case errors.Is(err, transport.ErrTimeout):
		return timeoutError{}
	case errors.Is(err, transport.ErrClosed):
		return net.ErrClosed
	}
	return err
}
