package tcp

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/moldau/moldau/net/transport"
)

// Both ends of a connection have the buffers that the Network was given; Linux
// doubles what is asked for.
func TestBuffers(t *testing.T) {
	n := New()
	n.ReceiveBytes, n.SendBytes = 20_000, 30_000
	l, err := n.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan transport.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	dialled, err := n.Dial(l.Addr(), time.Second, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []transport.Conn{dialled, <-accepted} {
		for option, want := range map[int]int{unix.SO_RCVBUF: 40_000, unix.SO_SNDBUF: 60_000} {
			got, failed := 0, error(nil)
			if err := c.(*conn).raw.Control(func(fd uintptr) { got, failed = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, option) }); err != nil || failed != nil {
				t.Fatal(err, failed)
			}
			if got != want {
				t.Errorf("option %d is %d, want %d", option, got, want)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}
