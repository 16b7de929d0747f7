package transporttest

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/net/transport"
)

// file makes a file with contents, closed at the end of the test.
func (s suite) file(t *testing.T, data []byte) vfs.File {
	t.Helper()
	f, err := s.fsys.Create(s.dir + "/segment")
	must(t, err)
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	_, err = f.WriteAt(data, 0)
	must(t, err)
	return f
}

// sent is the result of a SendFile.
type sent struct {
	n   int64
	err error
}

func send(c transport.Conn, f vfs.File, off, n int64) <-chan sent {
	result := make(chan sent, 1)
	go func() {
		done, err := c.SendFile(f, off, n)
		result <- sent{done, err}
	}()
	return result
}

func testSendFile(t *testing.T, s suite) {
	client, server := s.pair(t)
	data := pattern(5<<20, 1)
	f := s.file(t, data)
	for _, c := range []struct{ off, n int64 }{{0, 0}, {0, 10}, {4095, 2}, {1000, 1 << 20}, {0, 5 << 20}, {5<<20 - 1, 1}, {5 << 20, 0}} {
		_, err := client.Write([]byte("head"))
		must(t, err)
		result := send(client, f, c.off, c.n)
		mustRead(t, server, append([]byte("head"), data[c.off:c.off+c.n]...))
		if r := <-result; r.err != nil || r.n != c.n {
			t.Errorf("send %d from %d: %d, %v", c.n, c.off, r.n, r.err)
		}
		_, err = client.WriteVec([][]byte{[]byte("ta"), []byte("il")})
		must(t, err)
		mustRead(t, server, []byte("tail"))
	}
}

func testSendShort(t *testing.T, s suite) {
	for _, c := range []struct{ off, n, want int64 }{{0, 5001, 5000}, {4999, 2, 1}, {5000, 1, 0}, {9000, 1, 0}} {
		client, server := s.pair(t)
		f := s.file(t, pattern(5000, 2))
		r := <-send(client, f, c.off, c.n)
		mustBe(t, "send", r.err, transport.ErrShortFile)
		if r.n != c.want {
			t.Errorf("send %d from %d: %d bytes sent", c.n, c.off, r.n)
		}
		must(t, client.Close())
		got, err := io.ReadAll(server)
		must(t, err)
		if !bytes.Equal(got, pattern(5000, 2)[5000-len(got):]) || int64(len(got)) != c.want {
			t.Errorf("send %d from %d: %d bytes came", c.n, c.off, len(got))
		}
	}
}

// testSendConcurrently has 64 connections send overlapping ranges of one open
// file while a writer appends to it: a shared file position would mix them up.
func testSendConcurrently(t *testing.T, s suite) {
	const senders, span, step = 64, 600_000, 4097
	data := pattern(senders*step+span, 3)
	f := s.file(t, data)
	var all sync.WaitGroup
	for i := range senders {
		client, server := s.pair(t)
		off := int64(i * step)
		all.Go(func() {
			for range 3 {
				if n, err := client.SendFile(f, off, span); err != nil || n != span {
					t.Errorf("sender %d: %d, %v", i, n, err)
				}
			}
		})
		all.Go(func() {
			got := make([]byte, span)
			for range 3 {
				if _, err := io.ReadFull(server, got); err != nil || !bytes.Equal(got, data[off:off+span]) {
					t.Errorf("receiver %d: other bytes than the range, %v", i, err)
				}
			}
		})
	}
	all.Go(func() {
		for i := range 100 {
			if _, err := f.WriteAt(pattern(1000, 4), int64(len(data)+i*1000)); err != nil {
				t.Error(err)
			}
		}
	})
	all.Wait()
}

func testSendDeleted(t *testing.T, s suite) {
	client, server := s.pair(t)
	f := s.file(t, pattern(1<<20, 5))
	must(t, s.fsys.Remove(s.dir+"/segment"))
	result := send(client, f, 0, 1<<20)
	mustRead(t, server, pattern(1<<20, 5))
	if r := <-result; r.err != nil {
		t.Error(r.err)
	}
}

func testSendTruncated(t *testing.T, s suite) {
	client, server := s.pair(t)
	f := s.file(t, pattern(10_000, 6))
	must(t, f.Truncate(4000))
	r := <-send(client, f, 1000, 9000)
	mustBe(t, "send", r.err, transport.ErrShortFile)
	if r.n != 3000 {
		t.Errorf("%d bytes sent", r.n)
	}
	mustRead(t, server, pattern(10_000, 6)[1000:4000])
}

// testSendTruncatedMidway cuts the file while the socket is full: what comes
// is a part of the range, and the sender knows.
func testSendTruncatedMidway(t *testing.T, s suite) {
	client, server := s.pair(t)
	data := pattern(manyBytes, 7)
	f := s.file(t, data)
	result := send(client, f, 0, manyBytes)
	mustRead(t, server, data[:1])
	must(t, f.Truncate(10))
	received := make(chan []byte)
	go func() {
		got, err := io.ReadAll(server)
		if err != nil {
			t.Error(err)
		}
		received <- got
	}()
	r := <-result
	mustBe(t, "send", r.err, transport.ErrShortFile)
	must(t, client.Close())
	got := <-received
	if int64(len(got))+1 != r.n || r.n >= manyBytes {
		t.Errorf("%d bytes came, %d sent", len(got)+1, r.n)
	}
	// Pages already handed to the socket may show the cut, others must not differ.
	for i, b := range got {
		if b != data[i+1] && b != 0 {
			t.Fatalf("byte %d is neither of the file nor cut", i+1)
		}
	}
}

func testSendClosed(t *testing.T, s suite) {
	client, server := s.pair(t)
	f := s.file(t, pattern(manyBytes, 8))
	result := send(client, f, 0, manyBytes)
	mustRead(t, server, pattern(1, 8))
	must(t, client.Close())
	mustBe(t, "send", (<-result).err, transport.ErrClosed)

	client, server = s.pair(t)
	result = send(client, f, 0, manyBytes)
	mustRead(t, server, pattern(1, 8))
	must(t, server.Close())
	if r := <-result; r.err == nil || errors.Is(r.err, transport.ErrShortFile) {
		t.Errorf("send to a peer that left: %v", r.err)
	}
}

func testSendTimeout(t *testing.T, s suite) {
	client, server := s.pair(t)
	f := s.file(t, pattern(manyBytes, 9))
	must(t, client.SetWriteTimeout(soon))
	r := <-send(client, f, 0, manyBytes)
	mustBe(t, "send", r.err, transport.ErrTimeout)
	must(t, client.SetWriteTimeout(0))
	mustRead(t, server, pattern(manyBytes, 9)[:r.n])
}
