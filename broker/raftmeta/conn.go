package raftmeta

import (
	"net"
	"sync"
	"time"

	"github.com/moldau/moldau/net/transport"
)

// raftTimeoutScaleBytes: a peer gets one timeout more for so many bytes that
// it was sent and has to store before it answers (snapshots).
const raftTimeoutScaleBytes = 256 << 10

// raftConn is a transport connection as hashicorp/raft wants it. Raft's own
// deadlines are off, since they come from the process clock; a dialed
// connection lets every write, and every read of an answer, take one timeout.
type raftConn struct {
	transport.Conn
	first   []byte // read before the connection came here
	dialed  bool
	timeout time.Duration
	closed  func(*raftConn)
	once    sync.Once

	mu      sync.Mutex
	pending int64 // bytes written since the last read
}

var _ net.Conn = (*raftConn)(nil)

func (c *raftConn) Read(p []byte) (int, error) {
	if len(c.first) > 0 {
		n := copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	if c.dialed {
		c.mu.Lock()
		allowed := c.timeout * time.Duration(1+c.pending/raftTimeoutScaleBytes)
		c.pending = 0
		c.mu.Unlock()
		if err := c.SetReadTimeout(allowed); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(p)
}

func (c *raftConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.pending += int64(len(p))
	c.mu.Unlock()
	if err := c.SetWriteTimeout(c.timeout); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

func (c *raftConn) Close() error {
	c.once.Do(func() { c.closed(c) })
	return c.Conn.Close()
}

func (c *raftConn) LocalAddr() net.Addr  { return address(c.Conn.LocalAddr()) }
func (c *raftConn) RemoteAddr() net.Addr { return address(c.Conn.RemoteAddr()) }

// The deadlines of net.Conn do nothing; see raftConn.
func (c *raftConn) SetDeadline(time.Time) error      { return nil }
func (c *raftConn) SetReadDeadline(time.Time) error  { return nil }
func (c *raftConn) SetWriteDeadline(time.Time) error { return nil }

// address is a net.Addr of text.
type address string

func (a address) Network() string { return "moldau" }
func (a address) String() string  { return string(a) }
