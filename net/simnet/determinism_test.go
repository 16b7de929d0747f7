package simnet_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moldau/moldau/internal/simcore"
	"github.com/moldau/moldau/net/simnet"
	"github.com/moldau/moldau/net/transport"
)

// history runs one goroutine over a faulty network and prints all that it saw,
// with the virtual time of each step, and all faults that fired.
func history(t *testing.T, seed uint64, fare simnet.Link) (trace string) {
	synctest.Test(t, func(t *testing.T) {
		var b strings.Builder
		begin := time.Now()
		note := func(format string, args ...any) {
			fmt.Fprintf(&b, "%v %s\n", time.Since(begin), fmt.Sprintf(format, args...))
		}
		marks := simcore.NewMarks(func(name, detail string) { note("%s %s", name, detail) })
		fabric := simnet.New(simnet.Config{Timebase: simcore.ProcessTime{}, Streams: simcore.NewStreams(seed), Marks: marks})
		fabric.SetNormal(fare)
		a, server := fabric.Join("a", nil), fabric.Join("b", nil)
		l, err := server.Listen("b:1")
		if err != nil {
			t.Fatal(err)
		}
		draw := simcore.NewStreams(seed).Stream("test")
		connect := func() (client, served transport.Conn) {
			for {
				client, err := a.Dial("b:1", time.Second, nil)
				note("dial %v", err)
				if err == nil {
					served, _ = l.Accept()
					_ = served.SetReadTimeout(time.Second)
					_ = client.SetReadTimeout(time.Second)
					return client, served
				}
			}
		}
		client, served := connect()
		p := make([]byte, 4096)
		for i := range 300 {
			switch draw.IntN(12) {
			case 0:
				fabric.Clog("a")
			case 1:
				fabric.Unclog("a")
			case 2:
				fabric.PartitionOneWay("b", "a")
			case 3:
				fabric.Heal("a", "b")
			default:
				n, err := client.Write(p[:draw.IntN(3000)])
				note("%d: write %d %v", i, n, err)
				n, rerr := served.Read(p)
				note("read %d %v", n, rerr)
				m, werr := served.Write(p[:n/2])
				note("answer %d %v", m, werr)
				if err != nil || werr != nil || rerr == io.EOF {
					_, _ = client.Close(), served.Close()
					fabric.HealAll()
					fabric.SetNormal(fare)
					client, served = connect()
				}
				n, err = client.Read(p)
				note("read answer %d %v", n, err)
			}
		}
		_, _, _ = client.Close(), served.Close(), l.Close()
		note("%v", marks.All())
		trace = b.String()
	})
	return trace
}

func TestSameSeedSameHistory(t *testing.T) {
	fare := simnet.Link{
		Delay: time.Millisecond, Jitter: 5 * time.Millisecond, SpikeShare: 0.1, SpikeMax: time.Second, BytesPerSecond: 1 << 20,
		FragmentShare: 0.3, ResetShare: 0.05, LoseReplyShare: 0.05, RefuseShare: 0.1,
	}
	first := history(t, 7, fare)
	if again := history(t, 7, fare); again != first {
		for i, line := range strings.Split(first, "\n") {
			if other := strings.Split(again, "\n"); i >= len(other) || other[i] != line {
				t.Fatalf("line %d differs: %q", i, line)
			}
		}
		t.Fatal("the second history is longer")
	}
	if first == history(t, 8, fare) {
		t.Error("another seed gives the same history")
	}
}

// TestFaultsDrawApart: without fragments the delays stay as they were.
func TestFaultsDrawApart(t *testing.T) {
	times := func(fragments float64) (all []time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 3)
			w.SetNormal(simnet.Link{Jitter: time.Second, FragmentShare: fragments})
			client, server := w.pair()
			for range 100 {
				w.write(client, "some bytes")
				all = append(all, w.mustRead(server, "some bytes"))
			}
		})
		return all
	}
	if with, without := fmt.Sprint(times(0.5)), fmt.Sprint(times(0)); with != without {
		t.Errorf("delays changed: %s, then %s", with, without)
	}
}

// BenchmarkRoundTrip is a request and its answer, with delays of zero and of
// links that are slow as far as the clock of the machine can tell.
func BenchmarkRoundTrip(b *testing.B) {
	for name, fare := range map[string]simnet.Link{"instant": {}, "delayed": {Delay: 1}, "faults": {Delay: 1, FragmentShare: 0.1, BytesPerSecond: 1 << 40}} {
		b.Run(name, func(b *testing.B) {
			fabric := simnet.New(simnet.Config{Timebase: simcore.ProcessTime{}, Marks: simcore.NewMarks(nil)})
			fabric.SetNormal(fare)
			l, err := fabric.Join("b", simcore.NewFence(nil)).Listen("b:1")
			if err != nil {
				b.Fatal(err)
			}
			client, err := fabric.Join("a", simcore.NewFence(nil)).Dial("b:1", 0, nil)
			if err != nil {
				b.Fatal(err)
			}
			server, err := l.Accept()
			if err != nil {
				b.Fatal(err)
			}
			go func() {
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
		})
	}
}
