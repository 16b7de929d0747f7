package simnet

import (
	"fmt"
	"io"
	"time"

	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/internal/simcore"
	"github.com/moldau/moldau/net/transport"
)

// The calls that a fence sees, with the remote address, or the one listened on.
const (
	OpListen   simcore.Op = "net.listen"
	OpAccept   simcore.Op = "net.accept"
	OpDial     simcore.Op = "net.dial"
	OpRead     simcore.Op = "net.read"
	OpWrite    simcore.Op = "net.write" // Write and WriteVec
	OpSendFile simcore.Op = "net.sendfile"
	OpClose    simcore.Op = "net.close"
	OpLimit    simcore.Op = "net.limit" // SetReadTimeout and SetWriteTimeout
)

const (
	// sendChunkBytesMax bounds one read of SendFile.
	sendChunkBytesMax = 64 << 10
	// trickleBytesMax bounds what arrives at once over a link whose bandwidth
	// is bounded.
	trickleBytesMax = 8 << 10
)

// pair is a connection.
type pair struct {
	client, server *conn
	stale          bool // one end's machine came back without it: writes are answered by a reset
}

func (p *pair) over() bool { return p.client.closed && p.server.closed }

// conn is one end of a connection.
type conn struct {
	fabric        *Fabric
	view          *View
	pair          *pair
	in, out       *pipe
	local, remote string
	accepted      bool // the end that accepted it
	closed        bool // guarded by the fabric's mu, as is the next
	lost          bool // without notice to the peer
}

// newPair connects two views. The caller holds mu.
func (f *Fabric) newPair(client, server *View, clientAddr, serverAddr string) *pair {
	to := newPipe(f.link(client.host, server.host))
	back := newPipe(f.link(server.host, client.host))
	p := &pair{}
	p.client = &conn{fabric: f, view: client, pair: p, in: back, out: to, local: clientAddr, remote: serverAddr}
	p.server = &conn{fabric: f, view: server, pair: p, in: to, out: back, local: serverAddr, remote: clientAddr, accepted: true}
	to.from, back.from = p.client, p.server
	f.pairs = append(f.pairs, p)
	return p
}

func (c *conn) peer() *conn {
	if c.accepted {
		return c.pair.client
	}
	return c.pair.server
}

// Read is transport.Conn's.
func (c *conn) Read(p []byte) (int, error) {
	c.view.fence.Enter(OpRead, c.remote)
	n, err := c.read(p)
	c.view.fence.Leave(OpRead, c.remote)
	return n, err
}

func (c *conn) read(p []byte) (int, error) {
	f := c.fabric
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		now := f.now()
		reset := c.in.isReset(now)
		c.in.advance(now)
		switch {
		case c.closed:
			return 0, transport.ErrClosed
		case len(p) == 0:
			return 0, nil
		case c.in.reader.expired(now):
			return 0, transport.ErrTimeout
		case c.in.ready > 0:
			return c.in.take(c.fragment(p)), nil
		case reset:
			return 0, ErrReset
		case c.in.finSent && c.in.arrived(c.in.fin, now):
			return 0, io.EOF
		}
		f.wait(&c.in.reader, c.in.next())
	}
}

// fragment returns the part of p that a read is to fill at most.
func (c *conn) fragment(p []byte) []byte {
	n := min(len(p), c.in.ready)
	if n < 2 || !happens(c.fabric.draw.fragment, c.in.link.fare.FragmentShare) {
		return p
	}
	c.fabric.marks.fragment.Add()
	return p[:1+c.fabric.draw.fragment.IntN(n-1)]
}

// Write is transport.Conn's.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.WriteVec([][]byte{p})
	return int(n), err
}

// WriteVec is transport.Conn's. It leaves bufs as they are.
func (c *conn) WriteVec(bufs [][]byte) (done int64, err error) {
	fence := c.view.fence
	fence.Enter(OpWrite, c.remote)
	all := length(bufs)
	if spring, within := fence.Part(OpWrite, c.remote); within {
		_, _ = c.writePart(bufs, all/2) // nobody learns of it
		spring()
	}
	fault := c.fault(all)
	if done, err = c.writePart(bufs, fault.part); err == nil {
		done, err = c.finish(fault, done, all)
	}
	fence.Leave(OpWrite, c.remote)
	return done, err
}

// writePart writes the first n bytes of bufs.
func (c *conn) writePart(bufs [][]byte, n int64) (done int64, err error) {
	for _, b := range bufs {
		wrote, err := c.write(b[:min(int64(len(b)), n-done)])
		if done += int64(wrote); err != nil {
			return done, err
		}
	}
	return done, nil
}

func length(bufs [][]byte) (n int64) {
	for _, b := range bufs {
		n += int64(len(b))
	}
	return n
}

// fault is what is injected into one write.
type fault struct {
	part  int64 // bytes that get through
	reset bool  // after them
	lost  bool  // nothing gets through, and the writer does not learn of it
}

// fault draws what is injected into a write of all bytes.
func (c *conn) fault(all int64) fault {
	f := c.fabric
	f.mu.Lock()
	defer f.mu.Unlock()
	if all <= 0 || c.out.link.from == c.out.link.to || c.writeError(f.now()) != nil {
		return fault{part: all}
	}
	if c.accepted && c.losesReply() {
		return fault{lost: true}
	}
	if happens(f.draw.reset, c.out.link.fare.ResetShare) {
		return fault{part: f.draw.reset.Int64N(all), reset: true}
	}
	return fault{part: all}
}

// losesReply draws whether a write of who accepted is lost.
func (c *conn) losesReply() bool {
	if h := c.view.host; h.loseReplies > 0 {
		h.loseReplies--
		return true
	}
	return happens(c.fabric.draw.lose, c.out.link.fare.LoseReplyShare)
}

// finish ends a write of which done bytes got through.
func (c *conn) finish(fault fault, done, all int64) (int64, error) {
	f := c.fabric
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	switch {
	case fault.lost:
		f.marks.loseReply.Hit(c.local + ">" + c.remote)
		if f.draw.lose.IntN(2) == 0 {
			c.silence(now)
		} else {
			c.breakUp(now)
		}
		return all, nil
	case fault.reset:
		f.marks.reset.Hit(fmt.Sprintf("%s>%s after %d of %d bytes", c.local, c.remote, done, all))
		c.out.sendReset(c.out.arrival(now, 0), false)
		c.in.sendReset(now, true)
		return done, ErrReset
	case done == 0:
		return 0, c.writeError(now)
	}
	return done, nil
}

// write puts all of p into the pipe, waiting for room.
func (c *conn) write(p []byte) (done int, err error) {
	f := c.fabric
	f.mu.Lock()
	defer f.mu.Unlock()
	for done < len(p) {
		room, err := c.room(false)
		if err != nil {
			return done, err
		}
		n := min(room, len(p)-done)
		if c.out.link.fare.BytesPerSecond > 0 {
			n = min(n, trickleBytesMax)
		}
		if c.out.readerClosed {
			c.out.dropped += n
		} else {
			n = copy(c.out.free(n), p[done:])
			c.out.push(f.now(), n)
		}
		done += n
	}
	return done, nil
}

// room waits until the window has room, and, for a file, until the link would
// take it. It returns the bytes of it. The caller holds mu.
func (c *conn) room(file bool) (int, error) {
	f := c.fabric
	for {
		now := f.now()
		if c.out.readerClosed || c.pair.stale {
			c.answerReset(now)
		}
		if err := c.writeError(now); err != nil {
			return 0, err
		}
		room := c.out.window - c.out.length - c.out.dropped
		onWire := !file || (c.out.link.freeAt <= now && !c.out.link.blocked)
		if room > 0 && onWire {
			return room, nil
		}
		until := c.in.resetTime()
		switch {
		case room <= 0:
			f.marks.window.Add()
		case c.out.link.blocked:
			c.out.link.blocks("send of a file")
		default:
			until = min(until, c.out.link.freeAt)
		}
		f.wait(&c.out.writer, until)
	}
}

// writeError says why nothing can be written. The caller holds mu.
func (c *conn) writeError(now instant) error {
	switch {
	case c.closed:
		return transport.ErrClosed
	case c.in.isReset(now):
		return ErrReset
	case c.out.writer.expired(now):
		return transport.ErrTimeout
	}
	return nil
}

// SendFile is transport.Conn's. It reads the file when the link takes the
// bytes, on the caller's goroutine.
func (c *conn) SendFile(file vfs.File, off, n int64) (done int64, err error) {
	fence := c.view.fence
	fence.Enter(OpSendFile, c.remote)
	if spring, within := fence.Part(OpSendFile, c.remote); within {
		_, _ = c.send(file, off, n/2) // nobody learns of it
		spring()
	}
	fault := c.fault(n)
	if done, err = c.send(file, off, fault.part); err == nil {
		done, err = c.finish(fault, done, n)
	}
	fence.Leave(OpSendFile, c.remote)
	return done, err
}

// send reads the file piece by piece into the pipe.
func (c *conn) send(file vfs.File, off, n int64) (done int64, err error) {
	f := c.fabric
	for done < n {
		f.mu.Lock()
		room, err := c.room(true)
		if err != nil {
			f.mu.Unlock()
			return done, err
		}
		want := int(min(n-done, int64(room), sendChunkBytesMax))
		var part []byte
		if c.out.readerClosed {
			part = make([]byte, want)
		} else {
			part = c.out.free(want)
		}
		f.mu.Unlock()
		read, readErr := file.ReadAt(part, off+done)
		f.mu.Lock()
		if err := c.writeError(f.now()); err != nil {
			f.mu.Unlock()
			return done, err
		}
		if c.out.readerClosed {
			c.out.dropped += read
		} else if read > 0 {
			c.out.push(f.now(), read)
		}
		f.mu.Unlock()
		done += int64(read)
		if readErr != nil && readErr != io.EOF {
			return done, readErr
		}
		if read < len(part) {
			f.marks.shortFile.Hit(file.Name())
			return done, fmt.Errorf("send %s from %d: %w", file.Name(), off+done, transport.ErrShortFile)
		}
	}
	return done, nil
}

// SetReadTimeout is transport.Conn's.
func (c *conn) SetReadTimeout(d time.Duration) error {
	c.limit(&c.in.reader, d)
	return nil
}

// SetWriteTimeout is transport.Conn's.
func (c *conn) SetWriteTimeout(d time.Duration) error {
	c.limit(&c.out.writer, d)
	return nil
}

func (c *conn) limit(s *side, d time.Duration) {
	c.view.fence.Enter(OpLimit, c.remote)
	f := c.fabric
	f.mu.Lock()
	defer f.mu.Unlock()
	s.limited, s.deadline = d != 0, f.now()+instant(d)
	s.rouse()
}

// LocalAddr is transport.Conn's.
func (c *conn) LocalAddr() string { return c.local }

// RemoteAddr is transport.Conn's.
func (c *conn) RemoteAddr() string { return c.remote }

// Close is transport.Conn's. A second call fails with transport.ErrClosed.
func (c *conn) Close() error {
	c.view.fence.Enter(OpClose, c.remote)
	f := c.fabric
	f.mu.Lock()
	was := c.closed
	if !was {
		c.shut(f.now())
		f.tidy()
	}
	f.mu.Unlock()
	c.view.fence.Leave(OpClose, c.remote)
	if was {
		return transport.ErrClosed
	}
	return nil
}
