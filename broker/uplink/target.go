package uplink

import (
	"net"
	"strconv"
	"sync"
)

// target knows which controller to talk to: the one that answered last as the
// active one, else the configured ones in turn.
type target struct {
	mu      sync.Mutex
	addrs   []string
	current int
	hinted  string // told by a controller; empty if none
}

// address is where the next connection goes.
func (t *target) address() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.hinted != "" {
		return t.hinted
	}
	return t.addrs[t.current]
}

// wrong says that addr does not answer, or is not the active controller.
func (t *target) wrong(addr string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch addr {
	case t.hinted:
		t.hinted = ""
	case t.addrs[t.current]:
		t.current = (t.current + 1) % len(t.addrs)
	}
}

// hint says where the active controller is, as another one knows.
func (t *target) hint(host string, port int32) {
	if host == "" || port <= 0 {
		return
	}
	addr := net.JoinHostPort(host, strconv.Itoa(int(port)))
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.addrs[t.current] == addr {
		t.hinted = ""
		return
	}
	t.hinted = addr
}
