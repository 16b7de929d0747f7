// Package transport is the seam of the network: streams as TCP has them.
//
// Implementations: net/tcp (real sockets), net/memnet (in process, also used
// in production between a node's own broker and controller), and the
// simulator's with partitions, delays and resets.
package transport

import (
	"errors"
	"time"

	"github.com/moldau/moldau/disk/vfs"
)

// Errors, tested with errors.Is. Others are the operating system's.
var (
	// ErrClosed: the connection or listener was closed on this side.
	ErrClosed = errors.New("use of closed connection")
	// ErrTimeout: the time given to SetReadTimeout, SetWriteTimeout or Dial is over.
	ErrTimeout = errors.New("i/o timeout")
	// ErrRefused: nobody listens at the address.
	ErrRefused = errors.New("connection refused")
	// ErrTooManyFiles: the process has as many open files as it may. Accept may
	// be called again.
	ErrTooManyFiles = errors.New("too many open files")
	// ErrShortFile: a file ended before the range that SendFile was to send.
	// A part may have been sent, so the stream is broken: close it.
	ErrShortFile = errors.New("file is shorter than the range to send")
)

// Network opens and accepts streams. Addresses are "host:port". All methods
// may be called concurrently.
type Network interface {
	// Listen accepts on address; port 0 takes a free one, which Addr tells.
	Listen(address string) (Listener, error)
	// Dial connects within timeout. Closing stop ends the attempt; a nil stop never closes.
	Dial(address string, timeout time.Duration, stop <-chan struct{}) (Conn, error)
}

// Listener accepts connections.
type Listener interface {
	// Accept waits for the next connection. After Close it fails with ErrClosed.
	Accept() (Conn, error)
	// Addr is the address listened on, with the real port.
	Addr() string
	Close() error
}

// Conn is a stream. One goroutine may read while another writes; Close may
// come from any and ends both.
type Conn interface {
	// Read reads at least one byte, or fails; io.EOF at the end of the stream.
	Read(p []byte) (int, error)
	// Write writes all of p or fails.
	Write(p []byte) (int, error)
	// WriteVec writes all buffers, one after the other, in as few system
	// calls as possible. It may change bufs, never the bytes.
	WriteVec(bufs [][]byte) (int64, error)
	// SendFile sends n bytes of f from offset off, by sendfile where both ends
	// have descriptors. The offset is explicit: many fetches share a file. If
	// the file is shorter, it fails with ErrShortFile.
	SendFile(f vfs.File, off, n int64) (int64, error)
	// SetReadTimeout lets a pending or later Read fail with ErrTimeout when d
	// has passed from now; zero takes the limit off.
	SetReadTimeout(d time.Duration) error
	// SetWriteTimeout is the same for Write, WriteVec and SendFile.
	SetWriteTimeout(d time.Duration) error
	LocalAddr() string
	RemoteAddr() string
	Close() error
}
