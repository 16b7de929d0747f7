package simnet_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moldau/moldau/internal/simcore"
	"github.com/moldau/moldau/net/simnet"
	"github.com/moldau/moldau/net/transport"
)

// soakTime is the virtual time of a soak; each client's dials take at most soakDial.
const (
	soakTime = time.Minute
	soakDial = 2 * time.Second
)

// TestSoak lets clients talk to an echo server that crashes, pauses and comes
// back, over a network on which everything happens. Whatever does: what comes
// back on a connection is a prefix of what was sent on it, every goroutine of
// a crashed server ends, and after healing all clients make progress.
func TestSoak(t *testing.T) {
	for seed := range uint64(2) {
		synctest.Test(t, func(t *testing.T) { soak(t, seed) })
	}
}

func soak(t *testing.T, seed uint64) {
	s := &soaking{T: t, w: newWorld(t, seed), stop: make(chan struct{})}
	s.serve()
	for i := range 4 {
		view := s.w.Join(fmt.Sprint("client", i), nil)
		s.clients.Go(func() { s.client(view, rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	s.inject(simcore.NewStreams(seed).Stream("injector"))
	s.mu.Lock()
	s.rounds = 0
	s.mu.Unlock()
	time.Sleep(10 * time.Second)
	s.mu.Lock()
	if s.rounds < 500 {
		t.Errorf("seed %d: %d rounds in ten seconds after healing", seed, s.rounds)
	}
	s.mu.Unlock()
	close(s.stop)
	s.clients.Wait()
	s.w.fences["b"].Crash(simcore.Kill)
	s.servers.Wait()
	if s.w.Open() != 0 {
		t.Errorf("seed %d: %d connections left", seed, s.w.Open())
	}
	for _, mark := range []string{"net.reset", "net.clog", "net.isolate", "net.fragment", "process.cut"} {
		if s.w.marks.Fired(mark) == 0 {
			t.Errorf("seed %d: %s never fired", seed, mark)
		}
	}
}

// soaking is a soak under way.
type soaking struct {
	*testing.T
	w                *world
	clients, servers sync.WaitGroup
	stop             chan struct{}

	mu     sync.Mutex
	rounds int
}

// serve starts an incarnation of the server.
func (s *soaking) serve() {
	l, err := s.w.views["b"].Listen("b:1")
	if err != nil {
		s.Error(err)
		return
	}
	s.servers.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.servers.Go(func() { echo(c) })
		}
	})
}

func echo(c transport.Conn) {
	defer func() { _ = c.Close() }()
	p := make([]byte, 3000)
	for {
		_ = c.SetReadTimeout(10 * time.Second)
		_ = c.SetWriteTimeout(10 * time.Second)
		n, err := c.Read(p)
		if err != nil {
			return
		}
		if _, err := c.WriteVec([][]byte{p[:n/3], p[n/3 : n]}); err != nil {
			return
		}
	}
}

// client sends and reads back until stop.
func (s *soaking) client(view *simnet.View, draw *rand.Rand) {
	for {
		select {
		case <-s.stop:
			return
		default:
		}
		c, err := view.Dial("b:1", soakDial, nil)
		if err != nil {
			time.Sleep(time.Millisecond)
			continue
		}
		s.talk(c, draw)
		if err := c.Close(); err != nil {
			s.Error(err)
		}
	}
}

func (s *soaking) talk(c transport.Conn, draw *rand.Rand) {
	sent := byte(0)
	for range 50 {
		frame := make([]byte, 1+draw.IntN(5000))
		for i := range frame {
			frame[i] = sent
			sent++
		}
		_ = c.SetWriteTimeout(time.Second)
		_ = c.SetReadTimeout(time.Second)
		n, err := c.Write(frame)
		got := make([]byte, n)
		m, readErr := io.ReadFull(c, got)
		if !bytes.Equal(got[:m], frame[:m]) {
			s.Errorf("read back other bytes than were sent, after %v, %v", err, readErr)
		}
		if err = errors.Join(err, readErr); err != nil {
			return
		}
		s.mu.Lock()
		s.rounds++
		s.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
}

// inject lets things happen for soakTime, and then heals all.
func (s *soaking) inject(draw *rand.Rand) {
	for begin := time.Now(); time.Since(begin) < soakTime; {
		time.Sleep(time.Duration(draw.Int64N(int64(time.Second))))
		who := fmt.Sprint("client", draw.IntN(4))
		switch draw.IntN(12) {
		case 0:
			s.w.SetNormal(simnet.Link{
				Delay: time.Millisecond, Jitter: 10 * time.Millisecond, FragmentShare: 0.3, ResetShare: 0.02,
				LoseReplyShare: 0.02, RefuseShare: 0.1, BytesPerSecond: 1 << 20, WindowBytes: 2000,
			})
		case 1:
			s.w.Partition("b", who)
		case 2:
			s.w.PartitionOneWay("b", who)
		case 3:
			s.w.Isolate(who)
		case 4:
			s.w.Clog(who)
		case 5:
			s.w.Reset("b", who)
		case 6:
			s.w.HalfOpen("b", who)
		case 7:
			s.w.SetBacklog("b", draw.IntN(3))
		case 8:
			s.w.fences["b"].Pause()
			time.Sleep(time.Second)
			s.w.fences["b"].Resume()
		case 9:
			s.w.fences["b"].Crash(simcore.Ending(draw.IntN(2)))
			time.Sleep(time.Second)
			s.w.boot("b")
			s.serve()
		default:
			s.w.HealAll()
		}
	}
	s.w.HealAll()
	s.w.SetNormal(simnet.Link{Delay: time.Millisecond})
}
