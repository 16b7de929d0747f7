package uplink

import (
	"errors"
	"testing"
	"time"

	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/net/memnet"
	"github.com/moldau/moldau/net/transport"
)

// slowDial does something while a connection is made.
type slowDial struct {
	transport.Network
	meanwhile func()
}

func (n slowDial) Dial(address string, timeout time.Duration, stop <-chan struct{}) (transport.Conn, error) {
	c, err := n.Network.Dial(address, timeout, stop)
	n.meanwhile()
	return c, err
}

// TestRedirectMeetsADial: another controller becomes active while a connection to
// the one before is made. Nobody may wait on that one: it may hang, and nothing
// would break the connection.
func TestRedirectMeetsADial(t *testing.T) {
	net := memnet.New(sysclock.New())
	old, err := net.Listen("old:1")
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	before, now := place{1, "old:1"}, place{2, "new:1"}
	u := &Uplink{stop: make(chan struct{}), conns: map[transport.Conn]*link{}}
	u.target = target{list: at("old:1", "new:1"), misses: map[int32]int{}, changed: make(chan struct{})}
	u.cfg.Network = slowDial{net, func() {
		if u.target.active(now) {
			u.redirect(now)
		}
	}}
	if l, err := u.dial(before, u.target.news()); !errors.Is(err, errMoved) || l != nil || len(u.conns) > 0 {
		t.Fatalf("%v, %d connections are left", err, len(u.conns))
	}
	// What is for that controller alone stays.
	l, err := u.dial(before, nil)
	if err != nil {
		t.Fatal(err)
	}
	u.redirect(now)
	if len(u.conns) != 1 {
		t.Errorf("%d connections", len(u.conns))
	}
	u.hangUp(l)
}
