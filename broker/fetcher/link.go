package fetcher

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/replica"
	"github.com/moldau/moldau/broker/shard"
	"github.com/moldau/moldau/net/transport"
)

// link is one connection to a peer, with the fetch session on it.
type link struct {
	p    *peer
	addr string

	// The peer's.
	up          bool
	session     int32 // 0 until the first answer
	epoch       int32 // of the next request
	correlation int32 // of the last request
	outstanding int

	mu      sync.Mutex
	conn    transport.Conn
	ended   bool
	waiting []request // sent, not answered

	// The reader's.
	asked map[kafka.TopicPartition]asked
}

// request is what a request that was sent changed in the session.
type request struct {
	correlation int32
	asks        []asked
	forgets     []kafka.TopicPartition
}

// asked is what a replica asked.
type asked struct {
	h   *shard.Handle
	ask replica.Ask
}

// run opens the connection and reads answers from it until it breaks.
func (l *link) run() {
	defer l.p.f.wg.Done()
	err := l.open()
	if err == nil {
		l.p.in.Offer(&linkUp{l})
		err = l.read()
		l.end()
	}
	l.p.in.Offer(&linkDown{l, err})
}

func (l *link) open() error {
	f := l.p.f
	conn, err := f.cfg.Network.Dial(l.addr, dialTimeout, f.stop)
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	if err := conn.SetWriteTimeout(f.cfg.Timeout); err != nil {
		return errors.Join(err, conn.Close())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || !f.keep(conn) {
		return errors.Join(transport.ErrClosed, conn.Close())
	}
	l.conn = conn
	return nil
}

// end closes the connection.
func (l *link) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended && l.conn != nil {
		l.p.f.drop(l.conn)
	}
	l.ended = true
}

// write sends a frame whose length is not filled in. When it fails the
// connection is closed, which the reader tells of.
func (l *link) write(frame []byte) {
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	if err := l.conn.SetWriteTimeout(l.p.f.cfg.Timeout); err == nil {
		if _, err = l.conn.Write(frame); err == nil {
			return
		}
	}
	l.end()
}

// push notes a request before it is sent.
func (l *link) push(r request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, r)
}

// pop is the request that the next answer belongs to.
func (l *link) pop() (request, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		return request{}, false
	}
	r := l.waiting[0]
	l.waiting[0] = request{}
	l.waiting = l.waiting[1:]
	return r, true
}

func (l *link) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting) == 0
}

// read takes answers until the connection breaks.
func (l *link) read() error {
	for {
		body, err := l.readFrame()
		if err != nil {
			return err
		}
		r, ok := l.pop()
		if !ok {
			return errors.New("an answer without a request")
		}
		if err := l.take(r, body); err != nil {
			return err
		}
	}
}

// readFrame reads one answer. It must begin within the wait at the leader and
// the time limit, and go on within the time limit. Memory grows with what arrives.
func (l *link) readFrame() ([]byte, error) {
	f := l.p.f
	var length [4]byte
	for n := 0; n < len(length); {
		if err := l.conn.SetReadTimeout(f.cfg.WaitMax + f.cfg.Timeout); err != nil {
			return nil, err
		}
		k, err := l.conn.Read(length[n:])
		n += k
		if err != nil && (n > 0 || !errors.Is(err, transport.ErrTimeout) || !l.idle()) {
			return nil, err
		}
	}
	size := int64(binary.BigEndian.Uint32(length[:]))
	if size > int64(f.cfg.AnswerBytes)+answerSlackBytes {
		return nil, fmt.Errorf("an answer of %d bytes, asked for at most %d of records", size, f.cfg.AnswerBytes)
	}
	body := l.p.pool.get(int(size))
	for len(body) < int(size) {
		at := len(body)
		body = slices.Grow(body, min(int(size)-at, readChunkBytes))
		body = body[:at+min(int(size)-at, readChunkBytes)]
		if err := l.conn.SetReadTimeout(f.cfg.Timeout); err != nil {
			return nil, err
		}
		if _, err := io.ReadFull(l.conn, body[at:]); err != nil {
			return nil, err
		}
	}
	return body, nil
}
