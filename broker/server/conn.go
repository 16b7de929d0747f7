package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/internal/yield"
	"github.com/moldau/moldau/net/transport"
)

const (
	// readBufferBytes is read ahead of the frame that is parsed.
	readBufferBytes = 2 << 10
	// pipelineLenMax bounds the Produce requests of a connection that are not answered yet.
	pipelineLenMax = 64
)

// Conn is a client's connection.
type Conn struct {
	// Listener it came in by.
	Listener *Listener
	// Host is the client's address without the port.
	Host string
	// State is the handler's own, touched only on the reader's goroutine.
	State any

	srv *Server
	tc  transport.Conn
	id  uint64

	in      []byte // bytes read ahead: in[inFrom:]
	inFrom  int
	readBuf []byte
	trusted int // largest frame completed, up to frameTrustBytesMax
	// overlaps: see Request.Overlap. The reader's.
	overlaps bool
	arr      arrival
	out      []byte // encoding buffer of whoever writes

	mu       sync.Mutex
	ring     []*Slot // reserved, not written yet; in request order
	drained  sync.Cond
	wake     chan struct{}
	writing  bool // the writer goroutine runs
	ended    bool // nothing more is reserved or written
	failed   bool
	evicted  error         // why the node ended it, if it did for want of memory
	finished chan struct{} // closed when the writer goroutine ended

	gone   atomic.Bool
	closed chan struct{}

	used    atomic.Int64 // clock.Mono of the last request
	idleSet clock.Mono   // when the idle timeout was last renewed
}

// Closed is closed when the connection is. A handler that waits on the
// reader's goroutine waits on this too.
func (c *Conn) Closed() <-chan struct{} { return c.closed }

// Slot is the place of one answer in the connection's order.
type Slot struct {
	conn *Conn
	ans  answer
	done bool
}

// Overlap lets every later request of the connection be read while earlier ones
// are not answered yet, as it is with Produce: for a follower, whose fetches
// wait long and give way to the next one. Answers keep their order.
func (r *Request) Overlap() { r.Conn.overlaps = true }

// Slot reserves the place of this request's answer, to be completed later
// from any goroutine. It is for Produce and for connections that overlap, and
// called on the reader's goroutine.
func (r *Request) Slot() *Slot {
	c := r.Conn
	s := &Slot{conn: c, ans: r.answer(nil)}
	c.mu.Lock()
	c.ring = append(c.ring, s)
	if !c.writing {
		c.writing = true
		c.wake = make(chan struct{}, 1)
		c.finished = make(chan struct{})
		c.srv.wg.Add(1)
		go c.writeLoop()
	}
	c.mu.Unlock()
	return s
}

// Complete gives the answer; nil stands for none (acks=0). It never waits.
func (s *Slot) Complete(body Body) { s.complete(body, false) }

// Disconnect closes the connection in place of the answer.
func (s *Slot) Disconnect() { s.complete(nil, true) }

func (s *Slot) complete(body Body, disconnect bool) {
	yield.Point()
	c := s.conn
	c.mu.Lock()
	s.ans.body, s.ans.disconnect, s.done = body, disconnect, true
	head := len(c.ring) > 0 && c.ring[0].done
	c.mu.Unlock()
	if head {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// serve is the reader's goroutine.
func (c *Conn) serve() {
	defer c.srv.wg.Done()
	err := c.readLoop()
	c.end()
	c.srv.forget(c, err)
}

func (c *Conn) readLoop() error {
	for {
		frame, err := c.readFrame()
		if err != nil {
			return err
		}
		err = c.serveFrame(frame)
		frame.Release()
		if err != nil {
			return err
		}
	}
}

func (c *Conn) serveFrame(frame *buffer.Frame) error {
	req := Request{Conn: c, Frame: frame}
	if err := c.srv.keys.parseHeader(frame.Bytes(), &req); err != nil {
		return err
	}
	if req.Key != keyDurableReport { // it passes everything, and has no answer
		if err := c.admit(c.overlaps || req.Key == keyProduce); err != nil {
			return err
		}
	}
	if needsTurn(req.Key) {
		if !c.srv.turns.take(c.closed) {
			return transport.ErrClosed
		}
		req.turn = true
		defer req.EndTurn()
	}
	start := c.srv.cfg.Clock.Mono()
	c.used.Store(int64(start))
	body, later, err := c.Listener.handler.Serve(&req)
	if req.Key == keyDurableReport {
		return err
	}
	c.srv.stats.request(req.Key, req.Version, len(frame.Bytes()), c.srv.cfg.Clock.Mono().Sub(start))
	if err != nil || later {
		return err
	}
	if err := c.admit(false); err != nil {
		if s, ok := body.(Streamed); ok {
			s.Sent()
		}
		return err
	}
	if body == nil {
		return nil
	}
	return c.write(&req, req.answer(body))
}

// admit waits until the ring has room for one more Produce, or is empty.
func (c *Conn) admit(pipelined bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	room := 0
	if pipelined {
		room = pipelineLenMax - 1
	}
	for len(c.ring) > room && !c.failed {
		c.drained.Wait()
	}
	if c.failed {
		return transport.ErrClosed
	}
	return nil
}

// write sends one answer from the reader's goroutine; the ring is empty.
func (c *Conn) write(req *Request, a answer) (err error) {
	var sent int64
	if s, ok := a.body.(Streamed); ok {
		c.out, sent, err = sendStreamed(c.tc, a, s, c.out)
	} else {
		c.out = a.appendFrame(c.out[:0])
		sent = int64(len(c.out))
		large := cap(c.out) > answerBufferBytesMax
		if large {
			c.srv.turns.writing(c, cap(c.out))
		}
		req.EndTurn()
		_, err = c.tc.Write(c.out)
		if large {
			c.srv.turns.written(c)
		}
	}
	c.srv.stats.bytesOut.Add(uint64(sent))
	c.trimOut()
	return err
}

func (c *Conn) trimOut() {
	if cap(c.out) > answerBufferBytesMax {
		c.out = nil
	}
}

// writeLoop is the writer's goroutine: it sends what is complete at the
// ring's head, as much as there is, in one write.
func (c *Conn) writeLoop() {
	defer c.srv.wg.Done()
	defer close(c.finished)
	var batch []*Slot
	for range c.wake {
		c.mu.Lock()
		n := 0
		for n < len(c.ring) && c.ring[n].done {
			n++
		}
		batch = append(batch[:0], c.ring[:n]...)
		ended := c.ended
		c.mu.Unlock()
		if ended {
			return
		}
		if n == 0 {
			continue
		}
		err := c.writeBatch(batch)
		c.mu.Lock()
		left := copy(c.ring, c.ring[n:])
		clear(c.ring[left:])
		c.ring = c.ring[:left]
		more := left > 0 && c.ring[0].done
		c.failed = c.failed || err != nil
		c.mu.Unlock()
		c.drained.Broadcast()
		clear(batch)
		if err != nil {
			c.Close()
			return
		}
		if more {
			select {
			case c.wake <- struct{}{}:
			default:
			}
		}
	}
}

func (c *Conn) writeBatch(batch []*Slot) error {
	c.out = c.out[:0]
	for _, s := range batch {
		if d, ok := s.ans.body.(Deferred); ok {
			if err := c.flush(); err != nil {
				return err
			}
			if s.ans.body, ok = d.Await(); !ok {
				return errDisconnect
			}
		}
		if s.ans.disconnect {
			return errDisconnect
		}
		switch body := s.ans.body.(type) {
		case nil:
		case Streamed:
			if err := c.flush(); err != nil {
				body.Sent()
				return err
			}
			rest, n, err := sendStreamed(c.tc, s.ans, body, c.out)
			c.srv.stats.bytesOut.Add(uint64(n))
			c.out = rest[:0]
			if err != nil {
				return err
			}
		default:
			c.out = s.ans.appendFrame(c.out)
		}
	}
	return c.flush()
}

// flush sends what the writer has encoded.
func (c *Conn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	n, err := c.tc.Write(c.out)
	c.srv.stats.bytesOut.Add(uint64(n))
	c.out = c.out[:0]
	c.trimOut()
	return err
}

var errDisconnect = errors.New("connection closed in place of an answer")

// end stops the writer and forgets the slots that are still open: their
// completions find a connection that is gone.
func (c *Conn) end() {
	c.Close()
	if c.endWriter() {
		<-c.finished
	}
}

// endWriter has the writer's goroutine end, and tells whether there is one.
func (c *Conn) endWriter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended, c.failed = true, true
	if c.writing {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
	return c.writing
}

// Close ends the stream; the reader then ends the rest. Any goroutine may call it.
func (c *Conn) Close() {
	if c.letGo() {
		_ = c.tc.Close() // the peer learns by the closed stream; nothing was promised
	}
}

// letGo ends all waits for this connection, once, and tells whether it did.
func (c *Conn) letGo() bool {
	if !c.gone.CompareAndSwap(false, true) {
		return false
	}
	close(c.closed)
	c.srv.budget.abandon(&c.arr)
	c.mu.Lock()
	c.failed = true
	c.mu.Unlock()
	c.drained.Broadcast()
	return true
}

// evict closes the connection because it holds memory that others wait for.
func (c *Conn) evict(why error) {
	c.mu.Lock()
	c.evicted = why
	c.mu.Unlock()
	c.Close()
}

// errFrame says what is wrong with a frame's length.
type errFrame struct{ text string }

func (e errFrame) Error() string { return e.text }

// readFrame reads the next frame without its length field.
func (c *Conn) readFrame() (*buffer.Frame, error) {
	if err := c.renewIdle(); err != nil {
		return nil, err
	}
	if err := c.fill(4); err != nil {
		return nil, err
	}
	declared := int64(int32(binary.BigEndian.Uint32(c.in[c.inFrom:])))
	if declared < 0 || declared > int64(c.srv.cfg.MaxFrameBytes) {
		return nil, errFrame{fmt.Sprintf("frame length %d is not within 0 and socket.request.max.bytes=%d", declared, c.srv.cfg.MaxFrameBytes)}
	}
	c.inFrom += 4
	frame, err := c.readBody(int(declared))
	if err == nil {
		c.srv.stats.bytesIn.Add(uint64(declared) + 4)
	}
	return frame, err
}

// idleRenewals of the idle timeout are made within it, not one for each read.
const idleRenewals = 8

func (c *Conn) renewIdle() error {
	limit := c.srv.cfg.IdleTimeout
	if limit <= 0 {
		return nil
	}
	now := c.srv.cfg.Clock.Mono()
	if c.idleSet != 0 && now.Sub(c.idleSet) < limit/idleRenewals {
		return nil
	}
	c.idleSet = now
	return c.tc.SetReadTimeout(limit)
}

// fill reads until n bytes lie ahead; n is at most readBufferBytes.
func (c *Conn) fill(n int) error {
	for len(c.in)-c.inFrom < n {
		if c.readBuf == nil {
			c.readBuf = make([]byte, readBufferBytes)
		}
		if c.inFrom > 0 || c.in == nil {
			c.in = append(c.readBuf[:0], c.in[c.inFrom:]...)
			c.inFrom = 0
		}
		k, err := c.tc.Read(c.readBuf[len(c.in):])
		c.in = c.readBuf[:len(c.in)+k]
		if err != nil && len(c.in)-c.inFrom < n {
			if err == io.EOF && len(c.in) > c.inFrom {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

var (
	errEvicted = errors.New("request evicted: it stopped arriving while others waited for memory")
	errUnread  = errors.New("answer evicted: its client does not read while others wait for memory")
)
