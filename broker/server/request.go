package server

import (
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/buffer"
)

// Request is one request of a connection. The Handler may use it until it
// has answered; Frame outlives that only through slices taken of it.
type Request struct {
	Conn          *Conn
	Key           int16
	Version       int16
	CorrelationID int32
	// ClientID is the header's client id, empty when null. It refers to Frame.
	ClientID []byte
	// Body is the request after its header. It refers to Frame.
	Body  []byte
	Frame *buffer.Frame
	// Flexible says that the version uses compact types and tagged fields.
	Flexible bool

	turn bool
}

// EndTurn gives the turn back that some requests are computed in (Metadata,
// the describing ones). A handler calls it before it waits for others; it may
// be called more than once.
func (r *Request) EndTurn() {
	if r.turn {
		r.turn = false
		r.Conn.srv.turns.giveBack()
	}
}

// headerError is a request header that cannot be read; the connection ends.
type headerError struct{ text string }

func (e headerError) Error() string { return e.text }

// keyTable tells from which version on each API key is flexible.
type keyTable struct {
	flexibleFrom [kmsg.MaxKey + 1]int16
	known        [kmsg.MaxKey + 1]bool
}

func newKeyTable() *keyTable {
	t := &keyTable{}
	for key := range t.flexibleFrom {
		t.flexibleFrom[key] = 1<<15 - 1
		req := kmsg.RequestForKey(int16(key))
		if req == nil {
			continue
		}
		t.known[key] = true
		for v := int16(0); v <= req.MaxVersion(); v++ {
			req.SetVersion(v)
			if req.IsFlexible() {
				t.flexibleFrom[key] = v
				break
			}
		}
	}
	return t
}

// Flexible reports whether requests of this key and version use compact types.
func (t *keyTable) flexible(key, version int16) bool {
	return key >= 0 && int(key) < len(t.flexibleFrom) && version >= t.flexibleFrom[key]
}

// parseHeader reads a request header (version 1 or 2; protocol guide,
// "Headers"). It allocates nothing.
func (t *keyTable) parseHeader(b []byte, r *Request) error {
	if len(b) < 10 {
		return headerError{fmt.Sprintf("a request of %d bytes holds no header", len(b))}
	}
	r.Key = int16(binary.BigEndian.Uint16(b))
	r.Version = int16(binary.BigEndian.Uint16(b[2:]))
	r.CorrelationID = int32(binary.BigEndian.Uint32(b[4:]))
	if r.Key != keyDurableReport && (r.Key < 0 || int(r.Key) >= len(t.known) || !t.known[r.Key]) {
		return headerError{fmt.Sprintf("unknown API key %d", r.Key)}
	}
	idLen := int(int16(binary.BigEndian.Uint16(b[8:])))
	b = b[10:]
	if idLen > len(b) {
		return headerError{fmt.Sprintf("client id of %d bytes in a header with %d left", idLen, len(b))}
	}
	r.ClientID = nil
	if idLen > 0 {
		r.ClientID, b = b[:idLen], b[idLen:]
	}
	if r.Flexible = t.flexible(r.Key, r.Version); r.Flexible {
		var err error
		if b, err = skipTags(b); err != nil {
			return err
		}
	}
	r.Body = b
	return nil
}

// headerTagsMax bounds the tagged fields of one request header.
const headerTagsMax = 64

func skipTags(b []byte) ([]byte, error) {
	count, n := binary.Uvarint(b)
	if n <= 0 || count > headerTagsMax {
		return nil, headerError{"malformed tagged fields in a request header"}
	}
	b = b[n:]
	for range count {
		_, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, headerError{"malformed tag in a request header"}
		}
		size, m := binary.Uvarint(b[n:])
		if m <= 0 || size > uint64(len(b)-n-m) {
			return nil, headerError{"malformed tag length in a request header"}
		}
		b = b[n+m+int(size):]
	}
	return b, nil
}
