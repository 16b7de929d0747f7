//go:build !wasip1

package tcp

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/net/transport"
)

// conn is a connected socket.
type conn struct {
	network *Network
	tcp     *net.TCPConn
	raw     syscall.RawConn
	vec     net.Buffers // of the WriteVec under way, kept here to spare an allocation
}

func (n *Network) conn(c *net.TCPConn) (transport.Conn, error) {
	raw, err := c.SyscallConn()
	if err == nil && n.ReceiveBytes > 0 {
		err = c.SetReadBuffer(n.ReceiveBytes)
	}
	if err == nil && n.SendBytes > 0 {
		err = c.SetWriteBuffer(n.SendBytes)
	}
	if err != nil {
		return nil, errors.Join(mapError(err), c.Close())
	}
	return &conn{network: n, tcp: c, raw: raw}, nil
}

// Read is transport.Conn's.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.tcp.Read(p)
	return n, mapError(err)
}

// Write is transport.Conn's.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.tcp.Write(p)
	return n, mapError(err)
}

// WriteVec is transport.Conn's.
func (c *conn) WriteVec(bufs [][]byte) (int64, error) {
	c.vec = bufs
	n, err := c.vec.WriteTo(c.tcp)
	c.vec = nil
	return n, mapError(err)
}

// SendFile is transport.Conn's.
func (c *conn) SendFile(f vfs.File, off, n int64) (int64, error) {
	var done int64
	err := errors.ErrUnsupported
	if d, ok := f.(vfs.Descriptor); ok {
		done, err = c.sendFile(d, off, n)
	}
	if done == 0 && errors.Is(err, errors.ErrUnsupported) {
		done, err = c.copyFile(f, off, n)
	}
	if err != nil {
		return done, fmt.Errorf("send %s from %d: %w", f.Name(), off, mapError(err))
	}
	return done, nil
}

// copyFile sends by reading and writing.
func (c *conn) copyFile(f vfs.File, off, n int64) (done int64, err error) {
	buffer := c.network.buffers.Get().(*[copyBufferBytes]byte)
	defer c.network.buffers.Put(buffer)
	for done < n {
		part := buffer[:min(n-done, copyBufferBytes)]
		read, err := f.ReadAt(part, off+done)
		if err != nil && err != io.EOF {
			return done, err
		}
		written, err := c.tcp.Write(part[:read])
		done += int64(written)
		if err != nil {
			return done, err
		}
		if read < len(part) {
			return done, transport.ErrShortFile
		}
	}
	return done, nil
}

// deadline is the time d from now, and none for zero.
func deadline(d time.Duration) time.Time {
	if d == 0 {
		return time.Time{}
	}
	return time.Now().Add(d)
}

// SetReadTimeout is transport.Conn's.
func (c *conn) SetReadTimeout(d time.Duration) error {
	return mapError(c.tcp.SetReadDeadline(deadline(d)))
}

// SetWriteTimeout is transport.Conn's.
func (c *conn) SetWriteTimeout(d time.Duration) error {
	return mapError(c.tcp.SetWriteDeadline(deadline(d)))
}

// LocalAddr is transport.Conn's.
func (c *conn) LocalAddr() string { return c.tcp.LocalAddr().String() }

// RemoteAddr is transport.Conn's.
func (c *conn) RemoteAddr() string { return c.tcp.RemoteAddr().String() }

// Close is transport.Conn's. A second call fails with transport.ErrClosed.
func (c *conn) Close() error { return mapError(c.tcp.Close()) }
