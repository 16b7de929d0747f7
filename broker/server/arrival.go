package server

import (
	"io"
	"sync/atomic"

	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/clock"
)

// arrival is a frame that has not fully arrived, as the janitor sees it.
type arrival struct {
	conn     *Conn
	declared int64
	held     int64        // bytes charged so far; guarded by Budget.mu
	waiting  bool         // for memory; guarded by Budget.mu
	evicting bool         // its connection is about to end; guarded by Budget.mu
	began    clock.Mono   // when its first bytes came; guarded by Budget.mu
	progress atomic.Int64 // clock.Mono of the last bytes
}

// readBody reads the declared bytes of a frame. A small one, or one of a size
// that this connection has completed before, is read into memory of its size.
// Of a larger one the first half is gathered in chunks, so that what is charged
// is at most about twice what has arrived, and what is evicted is of a size that is reused.
func (c *Conn) readBody(declared int) (*buffer.Frame, error) {
	budget := c.srv.budget
	a := &c.arr
	a.conn, a.declared = c, int64(declared)
	have := len(c.in) - c.inFrom
	if have < declared {
		budget.begin(a)
		defer budget.complete(a)
	}
	var chunks [][]byte
	n := 0
	if declared > max(frameChunkBytes, c.trusted, have) {
		var err error
		if chunks, n, err = c.gather(a, declared); err != nil {
			c.giveBack(a, chunks...)
			return nil, err
		}
	}
	buf := budget.buffer(a, declared)
	if buf == nil {
		c.giveBack(a, chunks...)
		return nil, errEvicted
	}
	at := 0
	for _, chunk := range chunks {
		at += copy(buf[at:n], chunk)
	}
	c.giveBack(a, chunks...)
	if err := c.readInto(a, buf[n:declared]); err != nil {
		c.giveBack(a, buf)
		return nil, err
	}
	budget.own(a)
	c.trusted = max(c.trusted, min(declared, frameTrustBytesMax))
	return buffer.NewFrame(buf[:declared], budget), nil
}

// gather reads the first half of a frame, rounded up to whole chunks, and
// returns the chunks, on an error too; all of them are full but the last.
func (c *Conn) gather(a *arrival, declared int) (chunks [][]byte, n int, err error) {
	for size := frameChunkBytes; 2*n < declared; size = chunkBytesMax {
		chunk := c.srv.budget.buffer(a, size)
		if chunk == nil {
			return chunks, n, errEvicted
		}
		chunks = append(chunks, chunk)
		part := chunk[:min(size, declared-n)]
		if err := c.readInto(a, part); err != nil {
			return chunks, n, err
		}
		n += len(part)
	}
	return chunks, n, nil
}

// readInto fills p with what was read ahead, and then from the socket.
func (c *Conn) readInto(a *arrival, p []byte) error {
	n := copy(p, c.in[c.inFrom:])
	c.inFrom += n
	for n < len(p) {
		k, err := c.tc.Read(p[n:])
		n += k
		a.progress.Store(int64(c.srv.cfg.Clock.Mono()))
		if err != nil && n < len(p) {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// giveBack ends the charge of what an arrival held.
func (c *Conn) giveBack(a *arrival, bufs ...[]byte) {
	for _, buf := range bufs {
		c.srv.budget.disown(a, int64(cap(buf)))
		c.srv.budget.TakeBack(buf)
	}
}
