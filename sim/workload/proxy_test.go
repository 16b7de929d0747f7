package workload_test

import (
	"encoding/binary"
	"io"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/net/transport"
)

// lies are what a proxy between the clients and a node does to them. Hooks are
// called with a lock held, so that a lie may keep state.
type lies struct {
	// request sees a request before it is forwarded. A response that it returns
	// is given instead of the node's, and twice has it forwarded twice.
	request func(req kmsg.Request) (instead kmsg.Response, twice bool)
	// response changes an answer.
	response func(req kmsg.Request, resp kmsg.Response)
	// frame changes an answer's bytes, from the correlation id on.
	frame func(req kmsg.Request, body []byte) []byte
}

// proxy forwards requests, one at a time per connection, and lies.
type proxy struct {
	b    *bed
	lies lies
	mu   sync.Mutex
	l    transport.Listener
	wg   sync.WaitGroup
}

const proxyAddr = "liar:9092"

// lie puts a proxy before the node of a bed.
func (b *bed) lie(l lies) *proxy {
	listener, err := b.net.Listen(proxyAddr)
	if err != nil {
		b.t.Fatal(err)
	}
	p := &proxy{b: b, lies: l, l: listener}
	node := b.addr
	b.addr = proxyAddr
	p.wg.Add(1)
	go func() {
		defer p.wg.Done()
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			up, err := b.net.Dial(node, 0, nil)
			if err != nil {
				_ = conn.Close()
				continue
			}
			p.wg.Add(1)
			go func() {
				defer p.wg.Done()
				p.serve(conn, up)
				_ = conn.Close()
				_ = up.Close()
			}()
		}
	}()
	return p
}

func (p *proxy) close() {
	_ = p.l.Close()
	p.wg.Wait()
}

func readFrame(from io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(from, size[:]); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err := io.ReadFull(from, body)
	return body, err
}

func writeFrame(to io.Writer, body []byte) error {
	_, err := to.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
	return err
}

func (p *proxy) serve(conn, up transport.Conn) {
	for {
		raw, err := readFrame(conn)
		if err != nil {
			return
		}
		req := kmsg.RequestForKey(int16(binary.BigEndian.Uint16(raw)))
		req.SetVersion(int16(binary.BigEndian.Uint16(raw[2:])))
		id := raw[4:8]
		body := raw[10+int(binary.BigEndian.Uint16(raw[8:])):]
		if req.IsFlexible() {
			body = body[1:]
		}
		if err := req.ReadFrom(body); err != nil {
			p.b.t.Errorf("the proxy cannot read a request: %v", err)
			return
		}
		answer, err := p.forward(up, raw, req)
		if err != nil {
			return
		}
		if answer == nil {
			continue
		}
		out := append([]byte{}, id...)
		if answer.IsFlexible() && answer.Key() != 18 {
			out = append(out, 0)
		}
		out = answer.AppendTo(out)
		if p.lies.frame != nil {
			out = p.lies.frame(req, out)
		}
		if writeFrame(conn, out) != nil {
			return
		}
	}
}

// forward returns the answer to a request, after all lies.
func (p *proxy) forward(up transport.Conn, raw []byte, req kmsg.Request) (kmsg.Response, error) {
	twice := false
	if p.lies.request != nil {
		p.mu.Lock()
		var instead kmsg.Response
		instead, twice = p.lies.request(req)
		p.mu.Unlock()
		if instead != nil {
			return instead, nil
		}
	}
	if produce, ok := req.(*kmsg.ProduceRequest); ok && produce.Acks == 0 {
		return nil, writeFrame(up, raw)
	}
	var body []byte
	for range 2 {
		if err := writeFrame(up, raw); err != nil {
			return nil, err
		}
		var err error
		if body, err = readFrame(up); err != nil {
			return nil, err
		}
		if !twice {
			break
		}
		twice = false
	}
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	body = body[4:]
	if resp.IsFlexible() && resp.Key() != 18 {
		body = body[1:]
	}
	if err := resp.ReadFrom(body); err != nil {
		return nil, err
	}
	if m, ok := resp.(*kmsg.MetadataResponse); ok {
		for i := range m.Brokers {
			m.Brokers[i].Host, m.Brokers[i].Port = "liar", 9092
		}
	}
	if p.lies.response != nil {
		p.mu.Lock()
		p.lies.response(req, resp)
		p.mu.Unlock()
	}
	return resp, nil
}
