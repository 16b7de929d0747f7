package uplink

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/net/transport"
)

const (
	// responseBytesMax bounds an answer of a controller, bytes.
	responseBytesMax = 64 << 20
	// dialTimeout bounds the opening of a connection.
	dialTimeout = time.Second
	clientID    = "moldau-broker"
)

// client is one connection with one request at a time on it. One goroutine
// uses it; Close of the connection may come from any.
type client struct {
	conn   transport.Conn
	format *kmsg.RequestFormatter
	next   int32
	out    []byte
	in     bytes.Buffer
}

func newClient(conn transport.Conn) *client {
	return &client{conn: conn, format: kmsg.NewRequestFormatter(kmsg.FormatterClientID(clientID))}
}

// roundTrip sends req in the version that it has and reads the answer. After
// an error the connection is of no use any more.
func (c *client) roundTrip(req kmsg.Request, timeout time.Duration) (kmsg.Response, error) {
	c.next++
	c.out = c.format.AppendRequest(c.out[:0], req, c.next)
	if err := c.conn.SetWriteTimeout(timeout); err != nil {
		return nil, err
	}
	if _, err := c.conn.Write(c.out); err != nil {
		return nil, fmt.Errorf("send %s: %w", kmsg.NameForKey(req.Key()), err)
	}
	if err := c.conn.SetReadTimeout(timeout); err != nil {
		return nil, err
	}
	body, err := c.readFrame()
	if err != nil {
		return nil, fmt.Errorf("answer to %s: %w", kmsg.NameForKey(req.Key()), err)
	}
	resp := req.ResponseKind()
	if body, err = c.header(body, resp); err == nil {
		err = resp.ReadFrom(body)
	}
	if err != nil {
		return nil, fmt.Errorf("answer to %s: %w", kmsg.NameForKey(req.Key()), err)
	}
	return resp, nil
}

// readFrame reads a length and that many bytes. Memory grows with what arrives.
func (c *client) readFrame() ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(c.conn, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > responseBytesMax {
		return nil, fmt.Errorf("%d bytes, %d are allowed", n, responseBytesMax)
	}
	// The answer keeps parts of the bytes, so they are not used again.
	c.in = bytes.Buffer{}
	if _, err := io.CopyN(&c.in, c.conn, int64(n)); err != nil {
		return nil, err
	}
	return c.in.Bytes(), nil
}

var errHeader = errors.New("bad response header")

// header checks the correlation id and skips the header's tagged fields.
func (c *client) header(b []byte, resp kmsg.Response) ([]byte, error) {
	if len(b) < 4 || int32(binary.BigEndian.Uint32(b)) != c.next {
		return nil, errHeader
	}
	b = b[4:]
	if !resp.IsFlexible() {
		return b, nil
	}
	uvarint := func() (uint64, bool) {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return 0, false
		}
		b = b[n:]
		return v, true
	}
	tags, ok := uvarint()
	for ; ok && tags > 0; tags-- {
		var size uint64
		if _, ok = uvarint(); !ok {
			break
		}
		if size, ok = uvarint(); !ok || size > uint64(len(b)) {
			return nil, errHeader
		}
		b = b[size:]
	}
	if !ok {
		return nil, errHeader
	}
	return b, nil
}
