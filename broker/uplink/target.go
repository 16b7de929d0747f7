package uplink

import (
	"net"
	"strconv"
	"sync"
)

// Controller is a controller listener that may be asked.
type Controller struct {
	// Node is the controller's id, UnknownNode where only an address is known.
	Node int32
	// Addresses are where it may be reached, the likeliest first. There are
	// several while one changes.
	Addresses []string
}

// UnknownNode is a controller of which only the address is known.
const UnknownNode = -1

// place is where a connection leads.
type place struct {
	node int32
	addr string
}

// target knows which controller to talk to: the one that last showed itself to
// be active, else all in turn.
type target struct {
	mu      sync.Mutex
	list    func() []Controller
	current place // without address: not known
	turn    int
	misses  map[int32]int // by node: how often its address did not answer
	changed chan struct{} // closed and made anew when another controller is active
}

// news is closed when another controller shows itself to be active.
func (t *target) news() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changed
}

// place is where the next connection goes; without address, no controller is known.
func (t *target) place() place {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current.addr == "" {
		list := t.list()
		if len(list) == 0 {
			return place{}
		}
		t.current = t.of(list[t.turn%len(list)])
	}
	return t.current
}

// of is the address at which a controller is tried next.
func (t *target) of(c Controller) place {
	if len(c.Addresses) == 0 {
		return place{node: c.Node}
	}
	return place{c.Node, c.Addresses[t.misses[c.Node]%len(c.Addresses)]}
}

// reach is of, for who talks to one controller alone.
func (t *target) reach(c Controller) place {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.of(c)
}

// unreachable says that nobody answers at a place.
func (t *target) unreachable(p place) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.node >= 0 {
		t.misses[p.node]++
	}
	t.leave(p)
}

// wrong says that a place does not answer as the active controller.
func (t *target) wrong(p place) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.leave(p)
}

func (t *target) leave(p place) {
	if t.current == p {
		t.current = place{}
		t.turn++
	}
}

// active says that the active controller was reached at a place; it reports
// whether that is news.
func (t *target) active(p place) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current == p {
		return false
	}
	t.current = p
	close(t.changed)
	t.changed = make(chan struct{})
	return true
}

// isActive reports whether the active controller is thought to be at a place.
func (t *target) isActive(p place) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current == p
}

// hint says which controller is active, and where, as another one knows. The
// way that this node knows itself is the better one.
func (t *target) hint(node int32, host string, port int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.list() {
		if c.Node == node && len(c.Addresses) > 0 {
			t.current = t.of(c)
			return
		}
	}
	if host != "" && port > 0 {
		t.current = place{node, net.JoinHostPort(host, strconv.Itoa(int(port)))}
	}
}
