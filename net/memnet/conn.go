package memnet

import (
	"io"
	"time"

	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/internal/yield"
	"github.com/moldau/moldau/net/transport"
)

// conn is one end of a connection.
type conn struct {
	clock         clock.Clock
	in, out       *ring
	local, remote string
}

// newPair returns the two ends of a connection.
func newPair(n *Network, dialer, accepter string) (dial, accept *conn) {
	c := n.clock
	to, from := newRing(c, n.over), newRing(c, n.over)
	return &conn{clock: c, in: from, out: to, local: dialer, remote: accepter},
		&conn{clock: c, in: to, out: from, local: accepter, remote: dialer}
}

// Read is transport.Conn's.
func (c *conn) Read(p []byte) (int, error) {
	yield.Point()
	return c.in.read(p)
}

// Write is transport.Conn's.
func (c *conn) Write(p []byte) (int, error) {
	yield.Point()
	if len(p) == 0 {
		return 0, c.out.writable()
	}
	return c.out.write(p)
}

// WriteVec is transport.Conn's. It leaves bufs as they are.
func (c *conn) WriteVec(bufs [][]byte) (done int64, err error) {
	yield.Point()
	for _, b := range bufs {
		n, err := c.out.write(b)
		done += int64(n)
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// SendFile is transport.Conn's. It reads the file into the ring itself, piece
// by piece as there is room.
func (c *conn) SendFile(f vfs.File, off, n int64) (done int64, err error) {
	yield.Point()
	for done < n {
		part, err := c.out.reserve(int(min(n-done, sendChunkBytesMax)))
		if err != nil {
			return done, err
		}
		read, err := f.ReadAt(part, off+done)
		c.out.commit(read)
		done += int64(read)
		if err != nil && err != io.EOF {
			return done, err
		}
		if read < len(part) {
			return done, shortFile(f, off+done)
		}
	}
	return done, nil
}

// SetReadTimeout is transport.Conn's.
func (c *conn) SetReadTimeout(d time.Duration) error {
	c.in.limit(&c.in.reader, d != 0, c.clock.Mono().Add(d))
	return nil
}

// SetWriteTimeout is transport.Conn's.
func (c *conn) SetWriteTimeout(d time.Duration) error {
	c.out.limit(&c.out.writer, d != 0, c.clock.Mono().Add(d))
	return nil
}

// LocalAddr is transport.Conn's.
func (c *conn) LocalAddr() string { return c.local }

// RemoteAddr is transport.Conn's.
func (c *conn) RemoteAddr() string { return c.remote }

// Close is transport.Conn's. A second call fails with transport.ErrClosed.
func (c *conn) Close() error {
	yield.Point()
	if !c.end() {
		return transport.ErrClosed
	}
	return nil
}

// end closes both directions and tells whether they were open.
func (c *conn) end() bool {
	c.out.closeWriter()
	return c.in.closeReader()
}
