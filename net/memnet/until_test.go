package memnet_test

import (
	"errors"
	"testing"

	"github.com/moldau/moldau/clock/manual"
	"github.com/moldau/moldau/net/memnet"
	"github.com/moldau/moldau/net/transport"
)

// TestNetworkThatIsOver: whoever waits in it is told that it is closed.
func TestNetworkThatIsOver(t *testing.T) {
	over := make(chan struct{})
	n := memnet.NewUntil(manual.New(), over)
	client, _ := pair(t, n)
	l, err := n.Listen("node:1")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := l.Accept()
		ended <- err
	}()
	go func() {
		_, err := client.Read(make([]byte, 1))
		ended <- err
	}()
	go func() {
		_, err := client.Write(make([]byte, 1<<20))
		ended <- err
	}()
	close(over)
	for range 3 {
		if err := <-ended; !errors.Is(err, transport.ErrClosed) {
			t.Errorf("ended with %v", err)
		}
	}
}
