package workload

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/net/transport"
)

const (
	responseBytesMax = 64 << 20 // of one answer; a longer one is a failure
	readBufferBytes  = 4 << 10  // of a connection
	waitingMax       = 64       // calls under way on one connection
)

var (
	errTimeout = errors.New("no answer in time")
	errGivenUp = errors.New("given up")
	errWaiting = errors.New("too many calls under way on the connection")
)

// link is one connection to a broker. One goroutine sends; one of its own reads
// until the connection is closed. Answers come in the order of the calls.
type link struct {
	env       *Env
	node      int32
	addr      string
	conn      transport.Conn
	formatter *kmsg.RequestFormatter
	frame     []byte
	over      chan struct{} // the reader has ended

	mu      sync.Mutex
	next    int32
	waiting []*call
	dead    error
}

// call is one request under way. All but done is there to read once done is
// closed, sent from the beginning.
type call struct {
	id   int32
	req  kmsg.Request
	resp kmsg.Response
	err  error
	sent bool  // a byte of it may have reached somebody
	at   int64 // true time of the answer or of the end
	done chan struct{}
}

// unknown is the outcome of a call that got no answer.
func (c *call) unknown() history.Outcome {
	if c.sent {
		return history.OutcomeMaybe
	}
	return history.OutcomeFailed
}

// newLink takes over a connection.
func newLink(env *Env, node int32, addr string, conn transport.Conn) *link {
	l := &link{
		env: env, node: node, addr: addr, conn: conn, over: make(chan struct{}),
		formatter: kmsg.NewRequestFormatter(kmsg.FormatterClientID(env.Name)),
	}
	go l.read()
	return l
}

// isDead reports whether the connection has ended.
func (l *link) isDead() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dead != nil
}

// send writes a request, within a time limit, and returns its call.
func (l *link) send(req kmsg.Request, limit time.Duration) *call {
	c := &call{req: req, done: make(chan struct{})}
	l.mu.Lock()
	err := l.dead
	if err == nil && len(l.waiting) >= waitingMax {
		err = errWaiting
	}
	if err != nil {
		l.mu.Unlock()
		c.err, c.at = err, l.env.Recorder.Now()
		close(c.done)
		return c
	}
	l.next++
	c.id, c.sent = l.next, true
	l.waiting = append(l.waiting, c)
	l.mu.Unlock()
	l.write(req, c.id, limit)
	return c
}

// post writes a request that gets no answer. It reports whether all of it was
// written, and whether a part may have been.
func (l *link) post(req kmsg.Request, limit time.Duration) (whole, part bool) {
	l.mu.Lock()
	if l.dead != nil {
		l.mu.Unlock()
		return false, false
	}
	l.next++
	id := l.next
	l.mu.Unlock()
	return l.write(req, id, limit), true
}

func (l *link) write(req kmsg.Request, id int32, limit time.Duration) bool {
	l.frame = l.formatter.AppendRequest(l.frame[:0], req, id)
	err := l.conn.SetWriteTimeout(limit)
	if err == nil {
		_, err = l.conn.Write(l.frame)
	}
	if err != nil {
		l.end(err)
	}
	return err == nil
}

// ask sends a request and waits for its answer. A call without one in time ends
// the connection: what comes later belongs to nobody.
func (l *link) ask(req kmsg.Request, limit time.Duration) *call {
	return l.askUntil(req, limit, nil)
}

// askUntil is ask, given up when stop closes.
func (l *link) askUntil(req kmsg.Request, limit time.Duration, stop <-chan struct{}) *call {
	c := l.send(req, limit)
	timer := l.env.Clock.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-c.done:
		return c
	case <-timer.C():
		l.close(errTimeout)
	case <-stop:
		l.close(errGivenUp)
	}
	<-c.done
	return c
}

// end marks the connection dead and every call on it as not answered.
func (l *link) end(err error) {
	_ = l.conn.Close() // ends the reader, and the peer's
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead != nil {
		return
	}
	l.dead = err
	at := l.env.Recorder.Now()
	for _, c := range l.waiting {
		c.err, c.at = err, at
		close(c.done)
	}
	l.waiting = nil
}

// close ends the connection and waits until nothing of it is left.
func (l *link) close(why error) {
	l.end(why)
	<-l.over
}

// read gives every answer to its call, until the connection ends.
func (l *link) read() {
	defer close(l.over)
	from := bufio.NewReaderSize(l.conn, readBufferBytes)
	for {
		err := l.readOne(from)
		if err != nil {
			l.end(err)
			return
		}
	}
}

func (l *link) readOne(from *bufio.Reader) error {
	var head [8]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return err
	}
	size, id := int32(binary.BigEndian.Uint32(head[:])), int32(binary.BigEndian.Uint32(head[4:]))
	if size < 4 || size > responseBytesMax {
		return l.fail(fmt.Errorf("%s says that %d bytes follow", l.addr, size))
	}
	body := make([]byte, size-4)
	if _, err := io.ReadFull(from, body); err != nil {
		return err
	}
	at := l.env.Recorder.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead != nil {
		return l.dead
	}
	if len(l.waiting) == 0 || l.waiting[0].id != id {
		return l.fail(fmt.Errorf("%s answers request %d, which is not the next", l.addr, id))
	}
	c := l.waiting[0]
	resp, err := decode(c.req, body)
	if err != nil {
		return l.fail(fmt.Errorf("%s answers %s v%d: %w", l.addr, kmsg.NameForKey(c.req.Key()), c.req.GetVersion(), err))
	}
	l.waiting = l.waiting[1:]
	c.resp, c.at = resp, at
	close(c.done)
	return nil
}

// fail tells of an answer that no broker may give.
func (l *link) fail(err error) error {
	l.env.Recorder.Fail(l.env.Name, err.Error())
	return err
}

const keyAPIVersions = 18 // its answer has no tags in the header

// decode reads the answer to a request.
func decode(req kmsg.Request, body []byte) (kmsg.Response, error) {
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	if resp.IsFlexible() && req.Key() != keyAPIVersions {
		if len(body) == 0 || body[0] != 0 {
			return nil, errors.New("a header with tags")
		}
		body = body[1:]
	}
	if err := resp.ReadFrom(body); err != nil {
		return nil, err
	}
	return resp, nil
}
