package simnet_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/internal/simcore"
	"github.com/moldau/moldau/net/simnet"
	"github.com/moldau/moldau/net/transport"
)

// world is a network of a client and two servers in virtual time.
type world struct {
	*testing.T
	*simnet.Fabric
	marks  *simcore.Marks
	fences map[string]*simcore.Fence
	views  map[string]*simnet.View
}

const way = 10 * time.Millisecond // delay of a link, of most tests

// bubble runs f in virtual time, on links that take 10 ms.
func bubble(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.SetNormal(simnet.Link{Delay: way})
		f(w)
		for _, name := range []string{"a", "b", "c"} {
			w.fences[name].Crash(simcore.Kill)
		}
		synctest.Wait()
		if w.Open() != 0 {
			t.Errorf("%d connections are left", w.Open())
		}
	})
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{T: t, marks: simcore.NewMarks(nil), fences: map[string]*simcore.Fence{}, views: map[string]*simnet.View{}}
	w.Fabric = simnet.New(simnet.Config{Timebase: simcore.ProcessTime{}, Streams: simcore.NewStreams(seed), Marks: w.marks})
	for _, name := range []string{"a", "b", "c"} {
		w.boot(name)
	}
	return w
}

func (w *world) boot(name string) {
	w.fences[name] = simcore.NewFence(w.marks)
	w.views[name] = w.Join(name, w.fences[name])
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) mustBe(what string, err, want error) {
	w.Helper()
	if !errors.Is(err, want) {
		w.Errorf("%s: got %v, want %v", what, err, want)
	}
}

func (w *world) mustFire(names ...string) {
	w.Helper()
	for _, name := range names {
		if w.marks.Fired(name) == 0 {
			w.Errorf("%s never fired: %v", name, w.marks.All())
		}
	}
}

// listen opens a listener at a host's port 1.
func (w *world) listen(host string) transport.Listener {
	w.Helper()
	l, err := w.views[host].Listen(host + ":1")
	w.must(err)
	return l
}

// pair connects a to b.
func (w *world) pair() (client, server transport.Conn) {
	w.Helper()
	l := w.listen("b")
	client, err := w.views["a"].Dial("b:1", time.Minute, nil)
	w.must(err)
	server, err = l.Accept()
	w.must(err)
	w.must(l.Close())
	return client, server
}

func (w *world) write(c transport.Conn, data string) {
	w.Helper()
	_, err := c.Write([]byte(data))
	w.must(err)
}

// mustRead reads exactly want and returns how long it took.
func (w *world) mustRead(c transport.Conn, want string) time.Duration {
	w.Helper()
	begin := time.Now()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != want {
		w.Fatalf("read %q, %v; want %q", got[:n], err, want)
	}
	return time.Since(begin)
}

func TestDelayAndBandwidth(t *testing.T) {
	bubble(t, func(w *world) {
		begin := time.Now()
		client, server := w.pair()
		if took := time.Since(begin); took != 2*way {
			w.Errorf("connecting took %v", took)
		}
		w.write(client, "x")
		if took := w.mustRead(server, "x"); took != way {
			w.Errorf("a byte took %v", took)
		}
		w.SetLink("a", "b", simnet.Link{Delay: way, BytesPerSecond: 1000})
		w.write(client, string(make([]byte, 500)))
		w.write(client, string(make([]byte, 500)))
		if took := w.mustRead(server, string(make([]byte, 1000))); took != time.Second+way {
			w.Errorf("1000 bytes took %v", took)
		}
		w.SetLink("a", "b", simnet.Link{BytesPerSecond: 8 << 10})
		w.write(client, string(make([]byte, 80<<10)))
		for i := range 10 { // not all of it after ten seconds
			if took := w.mustRead(server, string(make([]byte, 8<<10))); took != time.Second {
				w.Errorf("part %d took %v", i, took)
			}
		}
		w.write(server, "y") // the way back is as before
		if took := w.mustRead(client, "y"); took != way {
			w.Errorf("a byte back took %v", took)
		}
		w.mustFire("net.delay", "net.throttle")
	})
}

func TestSlowDrainBoundsTheWriter(t *testing.T) {
	bubble(t, func(w *world) {
		w.SetLink("a", "b", simnet.Link{Delay: way, WindowBytes: 1000})
		client, server := w.pair()
		w.must(client.SetWriteTimeout(time.Second))
		n, err := client.Write(make([]byte, 5000))
		w.mustBe("write", err, transport.ErrTimeout)
		if n != 1000 {
			w.Errorf("%d bytes under way", n)
		}
		w.must(client.SetWriteTimeout(0))
		go func() { _, _ = client.Write(make([]byte, 5000)) }()
		w.mustRead(server, string(make([]byte, 6000)))
		w.mustFire("net.slowdrain")
	})
}

// TestOrder: one connection keeps its order, several overtake each other.
func TestOrder(t *testing.T) {
	bubble(t, func(w *world) {
		w.SetNormal(simnet.Link{Jitter: time.Second, SpikeShare: 0.2, SpikeMax: time.Minute, FragmentShare: 0.5})
		first, firstEnd := w.pair()
		second, secondEnd := w.pair()
		var want []byte
		for i := range 200 {
			b := []byte{byte(i), byte(i >> 4), byte(i * 3)}
			want = append(want, b...)
			w.write(first, string(b))
			w.write(second, string(b))
			time.Sleep(time.Millisecond)
		}
		w.mustRead(firstEnd, string(want))
		w.mustRead(secondEnd, string(want))
		w.mustFire("net.reorder", "net.fragment", "net.spike")
	})
}

func TestCutsHoldAndHeal(t *testing.T) {
	type fault struct {
		mark       string
		cut, heal  func(w *world)
		there, ret bool // whether the way is cut
	}
	for _, f := range []fault{
		{"net.partition", func(w *world) { w.Partition("a", "b") }, func(w *world) { w.Heal("b", "a") }, true, true},
		{"net.partition", func(w *world) { w.Split([]string{"a"}, []string{"b", "c"}) }, func(w *world) { w.HealAll() }, true, true},
		{"net.oneway", func(w *world) { w.PartitionOneWay("a", "b") }, func(w *world) { w.Heal("a", "b") }, true, false},
		{"net.oneway", func(w *world) { w.PartitionOneWay("b", "a") }, func(w *world) { w.Heal("a", "b") }, false, true},
		{"net.isolate", func(w *world) { w.Isolate("b") }, func(w *world) { w.Rejoin("b") }, true, true},
		{"net.clog", func(w *world) { w.Clog("a") }, func(w *world) { w.Unclog("a") }, true, true},
	} {
		t.Run(f.mark, func(t *testing.T) {
			bubble(t, func(w *world) {
				client, server := w.pair()
				w.write(client, "arrived ")
				w.write(server, "arrived ")
				time.Sleep(way)
				w.write(client, "in flight ")
				w.write(server, "in flight ")
				time.Sleep(way / 2)
				f.cut(w)
				w.write(client, "later")
				w.write(server, "later")
				for _, end := range []struct {
					transport.Conn
					cut bool
				}{{server, f.there}, {client, f.ret}} {
					w.mustRead(end, "arrived ")
					w.must(end.SetReadTimeout(time.Hour))
					n, err := end.Read(make([]byte, 1))
					if end.cut {
						w.mustBe("read over a cut link", err, transport.ErrTimeout)
					} else if n != 1 {
						w.Errorf("read over the open way: %v", err)
					}
					w.must(end.SetReadTimeout(0))
				}
				_, err := w.views["a"].Dial("b:1", 3*time.Second, nil)
				w.mustBe("dial", err, transport.ErrTimeout)
				_, err = w.views["a"].Dial("c:1", 3*time.Second, nil)
				if f.mark != "net.clog" && !errors.Is(err, transport.ErrRefused) && w.marks.Fired(f.mark) == 0 {
					w.Errorf("dial to a third host: %v", err)
				}
				f.heal(w)
				for _, end := range []struct {
					transport.Conn
					cut bool
				}{{server, f.there}, {client, f.ret}} {
					want := "in flight later"
					if !end.cut {
						want = want[1:]
					}
					if took := w.mustRead(end, want); took > time.Second {
						w.Errorf("held bytes came %v after healing", took)
					}
				}
				w.must(client.Close())
				_, err = server.Read(make([]byte, 1))
				w.mustBe("read after close", err, io.EOF)
				w.mustFire(f.mark)
			})
		})
	}
}

func TestCloseInACutArrivesAfterHealing(t *testing.T) {
	bubble(t, func(w *world) {
		client, server := w.pair()
		w.Partition("a", "b")
		w.write(client, "last words")
		w.must(client.Close())
		w.must(server.SetReadTimeout(time.Hour))
		_, err := server.Read(make([]byte, 1))
		w.mustBe("read in the cut", err, transport.ErrTimeout)
		w.must(server.SetReadTimeout(0))
		w.Heal("a", "b")
		w.mustRead(server, "last words")
		_, err = server.Read(make([]byte, 1))
		w.mustBe("read after the last words", err, io.EOF)
		w.write(server, "unheard")
		time.Sleep(time.Second)
		_, err = server.Write([]byte("x"))
		w.mustBe("write to who left", err, simnet.ErrReset)
	})
}

func TestResetInMidFrame(t *testing.T) {
	bubble(t, func(w *world) {
		client, server := w.pair()
		w.SetLink("a", "b", simnet.Link{Delay: way, ResetShare: 1})
		frame := bytes.Repeat([]byte("frame"), 100)
		n, err := client.Write(frame)
		w.mustBe("write", err, simnet.ErrReset)
		if n >= len(frame) {
			w.Error("the whole frame was written")
		}
		got, err := io.ReadAll(server)
		w.mustBe("read", err, simnet.ErrReset)
		if !bytes.Equal(got, frame[:n]) {
			w.Errorf("%d of %d bytes came", len(got), n)
		}
		for _, c := range []transport.Conn{client, server} {
			_, err = c.Read(make([]byte, 1))
			w.mustBe("read again", err, simnet.ErrReset)
			_, err = c.Write(frame)
			w.mustBe("write again", err, simnet.ErrReset)
		}
		w.SetLink("a", "b", simnet.Link{})
		client, server = w.pair()
		w.write(client, "request")
		w.mustRead(server, "request")
		w.write(server, "answer")
		if n := w.Reset("b", "a"); n != 2 { // the first one is not closed yet
			w.Errorf("%d connections reset", n)
		}
		_, err = client.Read(make([]byte, 1))
		w.mustBe("read", err, simnet.ErrReset)
		w.mustFire("net.reset")
	})
}

func TestHalfOpen(t *testing.T) {
	bubble(t, func(w *world) {
		client, server := w.pair()
		w.write(client, "lost")
		if n := w.HalfOpen("a", "b"); n != 1 {
			w.Errorf("%d connections half-open", n)
		}
		w.must(server.Close())
		w.write(client, "unheard")
		w.must(client.SetReadTimeout(time.Hour))
		_, err := client.Read(make([]byte, 1))
		w.mustBe("read", err, transport.ErrTimeout)
		w.pair() // others can be made
		w.mustFire("net.halfopen")
	})
}

func TestRefusedAndBacklog(t *testing.T) {
	bubble(t, func(w *world) {
		l := w.listen("b")
		w.Refuse("b", true)
		_, err := w.views["a"].Dial("b:1", time.Second, nil)
		w.mustBe("dial", err, transport.ErrRefused)
		w.Refuse("b", false)
		w.SetBacklog("b", 1)
		_, err = w.views["a"].Dial("b:1", time.Second, nil)
		w.must(err)
		_, err = w.views["a"].Dial("b:1", time.Second, nil)
		w.mustBe("dial to a full backlog", err, transport.ErrTimeout)
		go func() {
			time.Sleep(time.Second)
			_, err := l.Accept()
			w.must(err)
		}()
		_, err = w.views["a"].Dial("b:1", time.Minute, nil)
		w.must(err)
		w.mustFire("net.refused", "net.backlog")
		if _, err = w.views["a"].Dial("d:1", time.Second, nil); err == nil {
			w.Error("dial to a host that is not there passed")
		}
		if _, err = w.views["a"].Listen("b:2"); err == nil {
			w.Error("listening at another host's name passed")
		}
	})
}

// TestReplyIsLost: the server believes that it answered.
func TestReplyIsLost(t *testing.T) {
	ends := map[string]bool{}
	for seed := range uint64(8) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, seed)
			client, server := w.pair()
			w.LoseReplies("b", 1)
			w.write(client, "request")
			w.mustRead(server, "request")
			w.write(server, "reply")
			w.must(client.SetReadTimeout(time.Second))
			_, err := client.Read(make([]byte, 1))
			if !errors.Is(err, simnet.ErrReset) && !errors.Is(err, transport.ErrTimeout) {
				w.Errorf("read: %v", err)
			}
			ends[fmt.Sprint(err)] = true
			w.mustFire("net.losereply")
		})
	}
	if len(ends) != 2 {
		t.Errorf("replies were lost in these ways only: %v", ends)
	}
}

// TestFileIsReadWhenTheLinkTakesIt cuts and rewrites the file while a slow
// link has not come to it.
func TestFileIsReadWhenTheLinkTakesIt(t *testing.T) {
	bubble(t, func(w *world) {
		client, server := w.pair()
		w.SetLink("a", "b", simnet.Link{BytesPerSecond: 1000})
		f, err := memfs.New().Create("f")
		w.must(err)
		_, err = f.WriteAt([]byte("old contents"), 0)
		w.must(err)
		w.write(client, string(make([]byte, 1000)))
		sent := make(chan error)
		go func() {
			_, err := client.SendFile(f, 0, 12)
			sent <- err
		}()
		time.Sleep(time.Millisecond)
		_, err = f.WriteAt([]byte("new"), 0)
		w.must(err)
		w.mustRead(server, string(make([]byte, 1000))+"new contents")
		w.must(<-sent)

		w.Clog("b")
		go func() {
			_, err := client.SendFile(f, 0, 12)
			sent <- err
		}()
		time.Sleep(time.Minute)
		w.must(f.Truncate(3))
		w.Unclog("b")
		w.mustBe("send", <-sent, transport.ErrShortFile)
		w.mustRead(server, "new")
		w.mustFire("net.shortfile", "net.clog")
	})
}

func TestKillClosesAndPowerLossIsSilent(t *testing.T) {
	for _, how := range []simcore.Ending{simcore.Kill, simcore.PowerLoss} {
		bubble(t, func(w *world) {
			l := w.listen("b")
			client, err := w.views["a"].Dial("b:1", time.Minute, nil)
			w.must(err)
			server, err := l.Accept()
			w.must(err)
			w.write(server, "answer")
			ended := make(chan struct{}, 4)
			for _, f := range []func(){
				func() { _, _ = server.Read(make([]byte, 1)) },
				func() { _, _ = server.Write(make([]byte, 1<<20)) },
				func() { _, _ = l.Accept() },
				func() { _, _ = w.views["b"].Dial("b:9999", 0, nil); _, _ = w.views["b"].Dial("c:1", 0, nil) },
			} {
				go func() {
					defer func() { ended <- struct{}{} }()
					f()
					w.Error("a call returned to a crashed incarnation")
				}()
			}
			time.Sleep(way / 2)
			w.fences["b"].Crash(how)
			for range 4 {
				<-ended
			}
			w.must(client.SetReadTimeout(time.Minute))
			n, err := io.ReadAll(client)
			dial := func() error { _, err := w.views["a"].Dial("b:1", time.Second, nil); return err }
			if how == simcore.Kill {
				w.must(err)
				if len(n) < len("answer") {
					w.Errorf("the last answer is gone")
				}
				w.mustBe("dial", dial(), transport.ErrRefused)
			} else {
				w.mustBe("read", err, transport.ErrTimeout)
				w.mustBe("dial", dial(), transport.ErrTimeout)
				w.write(client, "hello?")
			}
			w.boot("b")
			w.listen("b")
			w.must(dial())
			time.Sleep(time.Second)
			_, _ = client.Write([]byte("still there?"))
			time.Sleep(time.Second)
			_, err = client.Write([]byte("still there?"))
			w.mustBe("write to an earlier life after a "+how.String(), err, simnet.ErrReset)
			w.mustFire("process.cut")
		})
	}
}

func TestPausedHostKeepsItsConnections(t *testing.T) {
	bubble(t, func(w *world) {
		client, server := w.pair()
		w.fences["b"].Pause()
		read := make(chan string)
		go func() {
			p := make([]byte, 10)
			n, _ := server.Read(p)
			read <- string(p[:n])
		}()
		w.write(client, "hello")
		time.Sleep(time.Hour)
		select {
		case <-read:
			w.Error("a paused host read")
		default:
		}
		w.fences["b"].Resume()
		if got := <-read; got != "hello" {
			w.Errorf("read %q", got)
		}
		w.mustFire("process.frozen")
	})
}

// TestTraps: kills before, within and after a write.
func TestTraps(t *testing.T) {
	for where, want := range map[simcore.Where]string{simcore.Before: "", simcore.Within: "repl", simcore.After: "reply..."} {
		bubble(t, func(w *world) {
			client, server := w.pair()
			w.fences["b"].Arm(simcore.Trap{Ops: []simcore.Op{simnet.OpWrite}, Nth: 2, Where: where})
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_, _ = server.Write(nil)
				_, _ = server.WriteVec([][]byte{[]byte("re"), []byte("ply"), []byte("...")})
				w.Error("the write returned")
			}()
			<-ended
			got, err := io.ReadAll(client)
			if string(got) != want || err != nil {
				w.Errorf("trap at %v: %q came, %v", where, got, err)
			}
			w.mustFire("process.trap")
		})
	}
}

func TestSwizzle(t *testing.T) {
	hosts := []string{"a", "b", "c", "d"}
	counts := map[int]int{}
	for seed := range uint64(50) {
		steps := simnet.Swizzle(simcore.NewStreams(seed).Stream("swizzle"), hosts, time.Second)
		clogged := map[string]bool{}
		for i, step := range steps {
			if step.Clog != (i < len(steps)/2) || clogged[step.Host] == step.Clog || step.After > time.Second {
				t.Fatalf("steps %v", steps)
			}
			clogged[step.Host] = step.Clog
		}
		counts[len(steps)/2]++
	}
	if len(counts) != len(hosts) {
		t.Errorf("subsets by size: %v", counts)
	}
	bubble(t, func(w *world) {
		client, server := w.pair()
		stop := make(chan struct{})
		go func() {
			w.Play(simnet.Swizzle(simcore.NewStreams(1).Stream("s"), []string{"a"}, time.Second), nil)
			close(stop)
		}()
		for range 1000 {
			w.write(client, "x")
			w.mustRead(server, "x")
		}
		<-stop
		w.mustFire("net.clog")
	})
}

// TestThousandCrashesLeaveNothing behind but the host.
func TestThousandCrashesLeaveNothing(t *testing.T) {
	bubble(t, func(w *world) {
		for i := range 1000 {
			w.listen("b")
			client, err := w.views["a"].Dial("b:1", time.Minute, nil)
			w.must(err)
			w.write(client, "x")
			w.fences["b"].Crash(simcore.Ending(i % 2))
			w.must(client.Close())
			w.boot("b")
		}
		if w.Open() != 0 {
			w.Errorf("%d connections are open", w.Open())
		}
	})
}
