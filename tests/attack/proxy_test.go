package attack

import (
	"io"
	"net"
	"sync"
	"testing"
)

// proxy is an address that stays while the node behind it is killed and
// started anew on other ports, so that clients live through it.
type proxy struct {
	ln net.Listener
	wg sync.WaitGroup

	mu      sync.Mutex
	backend string
	conns   map[net.Conn]struct{}
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{ln: ln, conns: make(map[net.Conn]struct{})}
	p.wg.Add(1)
	go p.accept()
	t.Cleanup(func() {
		_ = ln.Close()
		p.to("")
		p.wg.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.ln.Addr().String() }

// to sends new connections to the backend and ends those to the one before.
func (p *proxy) to(backend string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.backend = backend
	for c := range p.conns {
		reset(c)
	}
}

// reset ends c as the end of a process does that had bytes to read: clients
// take an orderly end in the middle of a handshake for a listener with TLS.
func reset(c net.Conn) {
	if tc, ok := c.(*net.TCPConn); ok {
		_ = tc.SetLinger(0)
	}
	_ = c.Close()
}

func (p *proxy) accept() {
	defer p.wg.Done()
	for {
		c, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.wg.Add(1)
		go p.serve(c)
	}
}

func (p *proxy) serve(c net.Conn) {
	defer p.wg.Done()
	defer reset(c)
	p.mu.Lock()
	backend := p.backend
	p.mu.Unlock()
	if backend == "" {
		return
	}
	b, err := net.Dial("tcp", backend)
	if err != nil {
		return
	}
	defer b.Close()
	p.mu.Lock()
	stale := p.backend != backend
	if !stale {
		p.conns[c], p.conns[b] = struct{}{}, struct{}{}
	}
	p.mu.Unlock()
	if stale {
		return
	}
	defer func() {
		p.mu.Lock()
		delete(p.conns, c)
		delete(p.conns, b)
		p.mu.Unlock()
	}()
	p.wg.Add(1)
	go func() {
		defer p.wg.Done()
		_, _ = io.Copy(b, c) // the end of either side ends both
		_ = b.Close()
	}()
	_, _ = io.Copy(c, b)
	reset(c)
}
