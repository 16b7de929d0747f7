package quorumtest

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/net/transport"
)

// Dispatcher is the controller role, as its listener sees it.
type Dispatcher interface {
	Dispatch(req kmsg.Request, reply func(kmsg.Response)) bool
}

// Server is a controller listener for tests: frames, one request at a time on
// a connection, no limits.
type Server struct {
	ln transport.Listener
	wg sync.WaitGroup

	mu    sync.Mutex
	d     Dispatcher
	conns map[transport.Conn]struct{}
}

// Serve accepts on ln for d until Close.
func Serve(ln transport.Listener, d Dispatcher) *Server {
	s := &Server{ln: ln, d: d, conns: map[transport.Conn]struct{}{}}
	s.wg.Add(1)
	go s.accept()
	return s
}

// Replace lets another dispatcher serve from now on, and breaks all connections.
func (s *Server) Replace(d Dispatcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.d = d
	for c := range s.conns { //det:ok all are closed
		_ = c.Close()
	}
}

// Close ends the listener and its connections.
func (s *Server) Close() {
	_ = s.ln.Close()
	s.Replace(nil)
	s.wg.Wait()
}

func (s *Server) accept() {
	defer s.wg.Done()
	for {
		c, err := s.ln.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		d := s.d
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		s.wg.Add(1)
		go func() {
			defer s.wg.Done()
			for d != nil && serveOne(c, d) == nil {
			}
			_ = c.Close()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		}()
	}
}

func serveOne(c transport.Conn, d Dispatcher) error {
	var length [4]byte
	if _, err := io.ReadFull(c, length[:]); err != nil {
		return err
	}
	frame := make([]byte, binary.BigEndian.Uint32(length[:]))
	if _, err := io.ReadFull(c, frame); err != nil {
		return err
	}
	req, correlation, err := parse(frame)
	if err != nil {
		return err
	}
	answer := make(chan kmsg.Response, 1)
	if !d.Dispatch(req, func(resp kmsg.Response) { answer <- resp }) {
		return io.ErrUnexpectedEOF
	}
	resp := <-answer
	out := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 0}, uint32(correlation))
	if resp.IsFlexible() {
		out = append(out, 0)
	}
	out = resp.AppendTo(out)
	binary.BigEndian.PutUint32(out, uint32(len(out)-4))
	_, err = c.Write(out)
	return err
}

// parse takes a request apart, the header as of version 1 or 2.
func parse(frame []byte) (req kmsg.Request, correlation int32, err error) {
	const fixed = 2 + 2 + 4 + 2 // key, version, correlation id, length of the client id
	if len(frame) < fixed {
		return nil, 0, io.ErrUnexpectedEOF
	}
	key := int16(binary.BigEndian.Uint16(frame))
	correlation = int32(binary.BigEndian.Uint32(frame[4:]))
	clientID := max(int(int16(binary.BigEndian.Uint16(frame[8:]))), 0)
	if req = kmsg.RequestForKey(key); req == nil {
		return nil, 0, fmt.Errorf("unknown key %d", key)
	}
	req.SetVersion(int16(binary.BigEndian.Uint16(frame[2:])))
	if clientID += fixed; req.IsFlexible() {
		clientID++ // no tagged fields
	}
	if len(frame) < clientID {
		return nil, 0, io.ErrUnexpectedEOF
	}
	return req, correlation, req.ReadFrom(frame[clientID:])
}
