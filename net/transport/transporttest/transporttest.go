// Package transporttest is the contract of transport.Network as tests, run
// against every implementation.
package transporttest

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/net/transport"
)

const (
	// far is a limit that no test waits for; soon is one that it does.
	far  = time.Hour
	soon = 5 * time.Millisecond
	// manyBytes is more than any connection holds under way.
	manyBytes = 32 << 20
)

// Config says what to test.
type Config struct {
	// New returns a network.
	New func(t *testing.T) transport.Network
	// Address to listen on, with port 0.
	Address string
	// Files returns a file system for what is sent, and a directory in it.
	Files func(t *testing.T) (fsys vfs.FS, dir string)
}

// Run tests the contract.
func Run(t *testing.T, config Config) {
	cases := []struct {
		name string
		run  func(t *testing.T, s suite)
	}{
		{"addresses", testAddresses},
		{"nobody listens", testRefused},
		{"a dial ends with stop", testDialStopped},
		{"bytes arrive in order both ways", testBothWays},
		{"vectored writes", testWriteVec},
		{"the rest arrives before the end", testCloseDrains},
		{"writes to a closed peer fail", testPeerClosed},
		{"close wakes readers, writers and accept", testCloseWakes},
		{"read timeout", testReadTimeout},
		{"a timeout set while a read waits", testTimeoutWhileReading},
		{"write timeout", testWriteTimeout},
		{"send a range of a file", testSendFile},
		{"send more than the file has", testSendShort},
		{"64 concurrent sends of one file", testSendConcurrently},
		{"deletion between plan and send", testSendDeleted},
		{"truncation between plan and send", testSendTruncated},
		{"truncation during the send", testSendTruncatedMidway},
		{"close during a send", testSendClosed},
		{"timeout during a send", testSendTimeout},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := suite{Config: config, network: config.New(t)}
			if config.Files != nil {
				s.fsys, s.dir = config.Files(t)
			}
			c.run(t, s)
		})
	}
}

type suite struct {
	Config
	network transport.Network
	fsys    vfs.FS
	dir     string
}

// pair returns the two ends of a new connection, closed at the end of the test.
func (s suite) pair(t *testing.T) (client, server transport.Conn) {
	t.Helper()
	l, err := s.network.Listen(s.Address)
	must(t, err)
	client, err = s.network.Dial(l.Addr(), far, nil)
	must(t, err)
	server, err = l.Accept()
	must(t, err)
	must(t, l.Close())
	t.Cleanup(func() {
		_ = client.Close() // the test may have closed them
		_ = server.Close()
	})
	return client, server
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mustBe fails unless err is want, by errors.Is.
func mustBe(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

// pattern is n bytes that differ by place and by seed.
func pattern(n int, seed byte) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i) ^ byte(i>>8) ^ byte(i>>16) ^ seed
	}
	return p
}

// mustRead fails unless exactly want comes next.
func mustRead(t *testing.T, c transport.Conn, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil {
		t.Fatalf("read %d of %d bytes: %v", n, len(want), err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("read other bytes than were written, of %d", len(want))
	}
}

func testAddresses(t *testing.T, s suite) {
	l, err := s.network.Listen(s.Address)
	must(t, err)
	other, err := s.network.Listen(s.Address)
	must(t, err)
	if l.Addr() == other.Addr() || l.Addr() == s.Address {
		t.Errorf("listeners at %s and %s", l.Addr(), other.Addr())
	}
	if again, err := s.network.Listen(l.Addr()); err == nil {
		t.Error("two listeners at one address", again.Addr())
	}
	client, err := s.network.Dial(l.Addr(), far, nil)
	must(t, err)
	server, err := l.Accept()
	must(t, err)
	if client.RemoteAddr() != l.Addr() || server.LocalAddr() != l.Addr() || client.LocalAddr() != server.RemoteAddr() {
		t.Errorf("client %s to %s, server %s to %s", client.LocalAddr(), client.RemoteAddr(), server.LocalAddr(), server.RemoteAddr())
	}
	must(t, errors.Join(client.Close(), server.Close(), l.Close(), other.Close()))
	_, err = l.Accept()
	mustBe(t, "accept after close", err, transport.ErrClosed)
}

func testRefused(t *testing.T, s suite) {
	l, err := s.network.Listen(s.Address)
	must(t, err)
	must(t, l.Close())
	_, err = s.network.Dial(l.Addr(), far, nil)
	mustBe(t, "dial", err, transport.ErrRefused)
	if _, err = s.network.Dial("no port", far, nil); err == nil {
		t.Error("dial to an address without a port passed")
	}
}

func testDialStopped(t *testing.T, s suite) {
	l, err := s.network.Listen(s.Address)
	must(t, err)
	stop := make(chan struct{})
	close(stop)
	_, err = s.network.Dial(l.Addr(), far, stop)
	mustBe(t, "stopped dial", err, transport.ErrClosed)
	must(t, l.Close())
}

// writeAll writes data in parts of many sizes.
func writeAll(c transport.Conn, data []byte) error {
	for size := 1; len(data) > 0; size = size*3%70_001 + 1 {
		part := data[:min(size, len(data))]
		if n, err := c.Write(part); err != nil || n != len(part) {
			return errors.Join(err, errors.New("short write"))
		}
		data = data[len(part):]
	}
	return nil
}

func testBothWays(t *testing.T, s suite) {
	client, server := s.pair(t)
	there, back := pattern(3<<20, 1), pattern(3<<20, 2)
	written := make(chan error, 2)
	read := make(chan struct{})
	go func() { written <- writeAll(client, there) }()
	go func() { written <- writeAll(server, back) }()
	go func() {
		defer close(read)
		mustRead(t, server, there)
	}()
	mustRead(t, client, back)
	<-read
	must(t, errors.Join(<-written, <-written))
	if n, err := client.Write(nil); n != 0 || err != nil {
		t.Errorf("write of nothing: %d, %v", n, err)
	}
}

func testWriteVec(t *testing.T, s suite) {
	client, server := s.pair(t)
	for _, c := range []struct{ count, length int }{{0, 0}, {1, 9}, {2, 0}, {3, 100_000}, {1025, 7}, {3000, 300}} {
		bufs := make([][]byte, c.count)
		for i := range bufs {
			bufs[i] = pattern(c.length, byte(i))
		}
		want := bytes.Join(bufs, nil)
		written := make(chan error)
		go func() {
			n, err := client.WriteVec(bufs)
			if n != int64(len(want)) {
				err = errors.Join(err, errors.New("short write"))
			}
			written <- err
		}()
		mustRead(t, server, want)
		must(t, <-written)
	}
}

func testCloseDrains(t *testing.T, s suite) {
	client, server := s.pair(t)
	_, err := client.Write(pattern(1000, 3))
	must(t, err)
	must(t, client.Close())
	mustRead(t, server, pattern(1000, 3))
	for range 2 {
		if n, err := server.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("read at the end: %d, %v", n, err)
		}
	}
}

func testPeerClosed(t *testing.T, s suite) {
	client, server := s.pair(t)
	must(t, client.Close())
	var err error
	for range manyBytes / 1024 {
		if _, err = server.Write(pattern(1024, 0)); err != nil {
			break
		}
	}
	if err == nil || errors.Is(err, transport.ErrClosed) || errors.Is(err, transport.ErrTimeout) {
		t.Errorf("writing to a peer that is gone: %v", err)
	}
}

func testCloseWakes(t *testing.T, s suite) {
	l, err := s.network.Listen(s.Address)
	must(t, err)
	accepted := make(chan error)
	go func() {
		_, err := l.Accept()
		accepted <- err
	}()
	must(t, l.Close())
	mustBe(t, "waiting accept", <-accepted, transport.ErrClosed)

	client, _ := s.pair(t)
	read, written := make(chan error), make(chan error)
	go func() {
		_, err := client.Read(make([]byte, 1))
		read <- err
	}()
	go func() {
		_, err := client.Write(make([]byte, manyBytes))
		written <- err
	}()
	must(t, client.Close())
	mustBe(t, "waiting read", <-read, transport.ErrClosed)
	mustBe(t, "waiting write", <-written, transport.ErrClosed)
	_, err = client.Read(make([]byte, 1))
	mustBe(t, "read after close", err, transport.ErrClosed)
	_, err = client.Write([]byte("x"))
	mustBe(t, "write after close", err, transport.ErrClosed)
	_, err = client.WriteVec([][]byte{{1}, {2}})
	mustBe(t, "vectored write after close", err, transport.ErrClosed)
}

func testReadTimeout(t *testing.T, s suite) {
	client, server := s.pair(t)
	must(t, client.SetReadTimeout(soon))
	for range 2 {
		_, err := client.Read(make([]byte, 1))
		mustBe(t, "read", err, transport.ErrTimeout)
	}
	must(t, client.SetReadTimeout(0))
	_, err := server.Write([]byte("after"))
	must(t, err)
	mustRead(t, client, []byte("after"))
	must(t, client.SetReadTimeout(far))
	_, err = server.Write([]byte("again"))
	must(t, err)
	mustRead(t, client, []byte("again"))
	_, err = client.Write([]byte("back"))
	must(t, err)
	mustRead(t, server, []byte("back"))
}

func testTimeoutWhileReading(t *testing.T, s suite) {
	client, _ := s.pair(t)
	must(t, client.SetReadTimeout(far))
	read := make(chan error)
	go func() {
		_, err := client.Read(make([]byte, 1))
		read <- err
	}()
	must(t, client.SetReadTimeout(soon))
	mustBe(t, "read", <-read, transport.ErrTimeout)
}

func testWriteTimeout(t *testing.T, s suite) {
	client, server := s.pair(t)
	data := pattern(manyBytes, 6)
	must(t, client.SetWriteTimeout(soon))
	n, err := client.Write(data)
	mustBe(t, "write", err, transport.ErrTimeout)
	if n >= manyBytes {
		t.Errorf("wrote %d bytes to a peer that does not read", n)
	}
	must(t, client.SetWriteTimeout(0))
	mustRead(t, server, data[:n])
	_, err = client.Write([]byte("after"))
	must(t, err)
	mustRead(t, server, []byte("after"))
}
