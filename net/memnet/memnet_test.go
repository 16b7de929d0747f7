package memnet_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/moldau/moldau/clock/manual"
	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/osfs"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/net/memnet"
	"github.com/moldau/moldau/net/transport"
	"github.com/moldau/moldau/net/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	files := map[string]func(t *testing.T) (vfs.FS, string){
		"osfs":  func(t *testing.T) (vfs.FS, string) { return osfs.New(), t.TempDir() },
		"memfs": func(*testing.T) (vfs.FS, string) { return memfs.New(), "/" },
	}
	for name, fresh := range files {
		t.Run(name, func(t *testing.T) {
			transporttest.Run(t, transporttest.Config{
				New:     func(*testing.T) transport.Network { return memnet.New(sysclock.New()) },
				Address: "127.0.0.1:0",
				Files:   fresh,
			})
		})
	}
}

func pair(t testing.TB, n *memnet.Network) (client, server transport.Conn) {
	t.Helper()
	l, err := n.Listen("node:0")
	if err != nil {
		t.Fatal(err)
	}
	client, err = n.Dial(l.Addr(), 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return client, server
}

// TestTimeoutsGoByTheClock moves the clock by hand, to the very instant.
func TestTimeoutsGoByTheClock(t *testing.T) {
	clk := manual.New()
	client, server := pair(t, memnet.New(clk))
	if err := client.SetReadTimeout(time.Second); err != nil {
		t.Fatal(err)
	}
	read := make(chan error)
	go func() {
		_, err := client.Read(make([]byte, 1))
		read <- err
	}()
	clk.AwaitPending(1)
	clk.Advance(time.Second - 1)
	select {
	case err := <-read:
		t.Fatalf("read ended early: %v", err)
	default:
	}
	clk.Advance(1)
	if err := <-read; !errors.Is(err, transport.ErrTimeout) {
		t.Errorf("read: %v", err)
	}
	if err := errors.Join(client.SetReadTimeout(0), server.SetWriteTimeout(time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if n, err := client.Read(make([]byte, 2)); n != 1 || err != nil {
		t.Errorf("read: %d, %v", n, err)
	}
	if clk.Pending() != 0 {
		t.Errorf("%d timers left", clk.Pending())
	}
}

func TestDirectionIsBounded(t *testing.T) {
	clk := manual.New()
	client, server := pair(t, memnet.New(clk))
	if err := client.SetWriteTimeout(time.Second); err != nil {
		t.Fatal(err)
	}
	type result struct {
		n   int
		err error
	}
	written := make(chan result)
	go func() {
		n, err := client.Write(make([]byte, 1<<20))
		written <- result{n, err}
	}()
	clk.AwaitPending(1)
	clk.Advance(time.Second)
	if r := <-written; r.n != 256<<10 || !errors.Is(r.err, transport.ErrTimeout) {
		t.Errorf("wrote %d bytes without a reader, %v", r.n, r.err)
	}
	_ = server.Close()
	if _, err := client.Write([]byte("x")); !errors.Is(err, memnet.ErrReset) {
		t.Errorf("write to a closed peer: %v", err)
	}
}

func TestBacklogIsBounded(t *testing.T) {
	clk := manual.New()
	n := memnet.New(clk)
	l, err := n.Listen("node:1")
	if err != nil {
		t.Fatal(err)
	}
	var clients []transport.Conn
	for range 128 {
		c, err := n.Dial("node:1", time.Second, nil)
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
	}
	dialed := make(chan error)
	go func() {
		_, err := n.Dial("node:1", time.Second, nil)
		dialed <- err
	}()
	clk.AwaitPending(1)
	clk.Advance(time.Second)
	if err := <-dialed; !errors.Is(err, transport.ErrTimeout) {
		t.Errorf("dial to a full backlog: %v", err)
	}
	stop := make(chan struct{})
	go func() {
		_, err := n.Dial("node:1", time.Second, stop)
		dialed <- err
	}()
	clk.AwaitPending(1)
	close(stop)
	if err := <-dialed; !errors.Is(err, transport.ErrClosed) {
		t.Errorf("stopped dial: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range clients {
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("read on a connection that nobody accepted: %v", err)
		}
	}
}

func TestAddressesWithoutHost(t *testing.T) {
	n := memnet.New(manual.New())
	for _, address := range []string{":7000", "0.0.0.0:7001", "[::]:7002", "127.0.0.1:7003"} {
		if _, err := n.Listen(address); err != nil {
			t.Fatal(err)
		}
	}
	for _, address := range []string{"a:7000", "localhost:7001", "127.0.0.1:7002", "localhost:7003"} {
		if _, err := n.Dial(address, 0, nil); err != nil {
			t.Error(err)
		}
	}
	for _, address := range []string{"a:7003", "a:7004"} {
		if _, err := n.Dial(address, 0, nil); !errors.Is(err, transport.ErrRefused) {
			t.Errorf("dial %s: %v", address, err)
		}
	}
	for _, address := range []string{"a", "a:b", "a:65536", "a:-1"} {
		if _, err := n.Listen(address); err == nil {
			t.Errorf("listen at %s passed", address)
		}
	}
}

// TestStreamIsAQueue interleaves writes, reads and sends of any size on one
// goroutine and compares with a queue of bytes.
func TestStreamIsAQueue(t *testing.T) {
	fsys := memfs.New()
	f, err := fsys.Create("/f")
	if err != nil {
		t.Fatal(err)
	}
	contents := make([]byte, 200_000)
	for i := range contents {
		contents[i] = byte(i * 7 / 3)
	}
	if _, err := f.WriteAt(contents, 0); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		client, server := pairRapid(t)
		var queue []byte
		room := func() int { return 256<<10 - len(queue) }
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				n := rapid.IntRange(0, min(room(), len(contents))).Draw(t, "n")
				at := rapid.IntRange(0, len(contents)-n).Draw(t, "at")
				if _, err := client.WriteVec([][]byte{contents[at : at+n/2], contents[at+n/2 : at+n]}); err != nil {
					t.Fatal(err)
				}
				queue = append(queue, contents[at:at+n]...)
			},
			"send": func(t *rapid.T) {
				n := rapid.IntRange(0, min(room(), len(contents))).Draw(t, "n")
				at := rapid.IntRange(0, len(contents)-n).Draw(t, "at")
				if _, err := client.SendFile(f, int64(at), int64(n)); err != nil {
					t.Fatal(err)
				}
				queue = append(queue, contents[at:at+n]...)
			},
			"read": func(t *rapid.T) {
				if len(queue) == 0 {
					t.Skip("nothing to read")
				}
				p := make([]byte, rapid.IntRange(1, 300_000).Draw(t, "n"))
				n, err := server.Read(p)
				if err != nil || n == 0 || !bytes.Equal(p[:n], queue[:n]) {
					t.Fatalf("read %d bytes, %v", n, err)
				}
				queue = queue[n:]
			},
		})
	})
}

func pairRapid(t *rapid.T) (client, server transport.Conn) {
	n := memnet.New(manual.New())
	l, err := n.Listen("node:0")
	if err != nil {
		t.Fatal(err)
	}
	if client, err = n.Dial(l.Addr(), 0, nil); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return client, server
}

func BenchmarkRoundTrip(b *testing.B) {
	client, server := pair(b, memnet.New(sysclock.New()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		p := make([]byte, 128)
		for {
			n, err := server.Read(p)
			if err != nil {
				return
			}
			if _, err := server.Write(p[:n]); err != nil {
				return
			}
		}
	}()
	b.ReportAllocs()
	p := make([]byte, 128)
	for b.Loop() {
		if _, err := client.Write(p); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(client, p); err != nil {
			b.Fatal(err)
		}
	}
	_ = client.Close()
	<-done
}
