package attack

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/tests/node"
)

const (
	hostileConns = 2000
	halfSent     = 800 // of them: frames of halfSentBytes declared, half of it sent at most
	slowReaders  = 400
	// lonePerPhase records are sent by the good producer before, and then under attack.
	lonePerPhase = 100
	// rssMax is what a node may take at its peak.
	rssMax = 300 << 20
	// halfSentBytes is declared by half-sent frames.
	halfSentBytes = 90 << 20
)

// procStatus reads one size of /proc/PID/status in bytes.
func procStatus(t *testing.T, pid int, key string) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skipf("no /proc: %v", err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatalf("no %s in /proc/%d/status", key, pid)
	return 0
}

// goodProducer sends lone records and keeps their latencies.
type goodProducer struct {
	w    *wire
	next int64
}

func (g *goodProducer) run(t *testing.T, topic string, until func(done int) bool) (took []time.Duration) {
	t.Helper()
	raw := oneBatch("good")
	for done := 0; !until(done); done++ {
		began := time.Now()
		code, base, err := g.w.produce(topic, 0, raw)
		if err != nil || code != 0 || base != g.next {
			t.Errorf("the good producer: error %d, offset %d of %d, %v", code, base, g.next, err)
			return took
		}
		g.next++
		took = append(took, time.Since(began))
	}
	return took
}

func p99(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)*99/100]
}

// TestHostileConnections: strangers cost the node bounded memory and do not
// stop a good producer, and nothing of them stays.
func TestHostileConnections(t *testing.T) {
	n := node.Start(t, node.Options{})
	admin := mustDial(t, n.Kafka)
	admin.createTopic(t, "good", 1)
	admin.createTopic(t, "wide", 200)
	good := &goodProducer{w: mustDial(t, n.Kafka)}
	quiet := good.run(t, "good", func(done int) bool { return done >= lonePerPhase })
	before := goroutines(t, n)

	var stop atomic.Bool
	var flood sync.WaitGroup
	h := &hostile{addr: n.Kafka, stop: &stop}
	for i := range hostileConns {
		flood.Add(1)
		go func() {
			defer flood.Done()
			h.attack(i)
		}()
	}
	busy := good.run(t, "good", func(done int) bool { return h.begun.Load() >= hostileConns && done >= lonePerPhase || t.Failed() })
	// The half-sent frames are held open all this time; more of everything else.
	busy = append(busy, good.run(t, "good", func(done int) bool { return done >= lonePerPhase })...)
	stop.Store(true)
	h.closeAll()
	flood.Wait()

	if t.Failed() {
		return
	}
	peak := procStatus(t, n.PID, "VmHWM")
	t.Logf("peak RSS %d MB; p99 of the good producer %s, undisturbed %s: %.1f times", peak>>20, p99(busy), p99(quiet), float64(p99(busy))/float64(p99(quiet)))
	if peak > rssMax {
		t.Errorf("peak RSS %d MB, at most %d are allowed", peak>>20, rssMax>>20)
	}
	waitGoroutines(t, n, before)
}

// hostile opens connections that mean no good.
type hostile struct {
	addr  string
	stop  *atomic.Bool
	begun atomic.Int64
	mu    sync.Mutex
	open  map[net.Conn]struct{}
}

func (h *hostile) dial() net.Conn {
	c, err := net.DialTimeout("tcp", h.addr, patience)
	if err != nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open == nil {
		h.open = make(map[net.Conn]struct{})
	}
	if h.stop.Load() {
		_ = c.Close()
		return nil
	}
	h.open[c] = struct{}{}
	return c
}

func (h *hostile) forget(c net.Conn) {
	_ = c.Close()
	h.mu.Lock()
	delete(h.open, c)
	h.mu.Unlock()
}

func (h *hostile) closeAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.open {
		_ = c.Close()
	}
}

// attack is one hostile client; it goes on until it is stopped.
func (h *hostile) attack(i int) {
	rng := rand.New(rand.NewPCG(uint64(i), 1))
	first := true
	for !h.stop.Load() {
		c := h.dial()
		if c == nil {
			return
		}
		if first {
			h.begun.Add(1)
			first = false
		}
		var err error
		switch {
		case i < halfSent:
			err = h.halfFrame(c, rng)
		case i < halfSent+slowReaders:
			err = h.slowReader(c, rng)
		default:
			err = h.garbage(c, rng)
		}
		if err == nil {
			_, _ = io.Copy(io.Discard, c) // held open until the node or the test ends it
		}
		h.forget(c)
	}
}

// halfFrame sends a part of a frame that is declared to be large.
func (h *hostile) halfFrame(c net.Conn, rng *rand.Rand) error {
	b := binary.BigEndian.AppendUint32(nil, halfSentBytes)
	b = append(b, make([]byte, rng.IntN(256<<10))...)
	_, err := c.Write(b)
	return err
}

// slowReader asks for large answers again and again, and reads none.
func (h *hostile) slowReader(c net.Conn, rng *rand.Rand) error {
	if tc, ok := c.(*net.TCPConn); ok {
		_ = tc.SetReadBuffer(4 << 10)
	}
	w := &wire{conn: c}
	for range 2000 {
		var req kmsg.Request
		switch rng.IntN(3) {
		case 0:
			m := kmsg.NewPtrMetadataRequest()
			m.Version = 9
			req = m
		case 1:
			d := kmsg.NewPtrDescribeConfigsRequest()
			d.Version, d.IncludeSynonyms, d.IncludeDocumentation = 4, true, true
			for range 50 {
				r := kmsg.NewDescribeConfigsRequestResource()
				r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, "wide"
				d.Resources = append(d.Resources, r)
			}
			req = d
		case 2:
			l := kmsg.NewPtrDescribeLogDirsRequest()
			l.Version = 4
			req = l
		}
		if h.stop.Load() {
			return io.EOF
		}
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		if err := w.send(req); err != nil {
			break // its answers fill every buffer: now it holds
		}
	}
	for !h.stop.Load() {
		// Not one byte is read; an error means that the node ended it.
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := c.Write([]byte{0}); err != nil && !os.IsTimeout(err) {
			return err
		}
	}
	return io.EOF
}

// garbage sends what no client would.
func (h *hostile) garbage(c net.Conn, rng *rand.Rand) error {
	for range 1 + rng.IntN(20) {
		if _, err := c.Write(garbageFrame(rng)); err != nil {
			return err
		}
	}
	_ = c.SetReadDeadline(time.Now().Add(time.Duration(rng.IntN(500)) * time.Millisecond))
	_, _ = io.Copy(io.Discard, c)
	return io.EOF
}

// garbageFrame is a frame with something wrong in it.
func garbageFrame(rng *rand.Rand) []byte {
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	head := func(key, version int16) []byte {
		b := binary.BigEndian.AppendUint16(nil, uint16(key))
		b = binary.BigEndian.AppendUint16(b, uint16(version))
		b = binary.BigEndian.AppendUint32(b, rng.Uint32())
		return binary.BigEndian.AppendUint16(b, 0xffff)
	}
	framed := func(b []byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...) }
	key := int16(rng.IntN(95))
	switch rng.IntN(7) {
	case 0: // a wrong length
		return binary.BigEndian.AppendUint32(nil, rng.Uint32()|0x70000000)
	case 1: // shorter than a header
		return framed(noise(rng.IntN(10)))
	case 2: // an unknown key or version
		return framed(append(head(int16(rng.Uint32()), int16(rng.Uint32())), noise(rng.IntN(64))...))
	case 3: // noise as the body of a known key
		return framed(append(head(key, int16(rng.IntN(14))), noise(rng.IntN(2048))...))
	case 4: // a giant count, in old and in compact form
		b := head(key, int16(rng.IntN(14)))
		b = append(b, 0, 0xff, 0xff, 0xff, 0xff, 0x07)
		b = append(b, 0x7f, 0xff, 0xff, 0xff)
		return framed(append(b, noise(256)...))
	case 5: // a whole request, one byte of it changed
		b := framed(mutated(rng, key))
		b[4+rng.IntN(len(b)-4)] ^= byte(1 << rng.IntN(8))
		return b
	default: // noise without any frame
		return noise(rng.IntN(4096))
	}
}

// mutated is a request of the key with default fields and one giant array.
func mutated(rng *rand.Rand, key int16) []byte {
	req := kmsg.RequestForKey(key)
	if req == nil {
		req = kmsg.NewPtrMetadataRequest()
	}
	req.SetVersion(int16(rng.IntN(int(req.MaxVersion()) + 1)))
	return kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)[4:]
}

// goroutines asks the node how many it runs.
func goroutines(t *testing.T, n *node.Node) int {
	t.Helper()
	for line := range strings.Lines(httpGet(t, "http://"+n.HTTP+"/metrics")) {
		if rest, ok := strings.CutPrefix(line, "go_goroutines "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				t.Fatal(err)
			}
			return int(v)
		}
	}
	t.Fatal("no go_goroutines among the metrics")
	return 0
}

// waitGoroutines waits until the node runs no more goroutines than before,
// but for a few of connections that the test itself keeps.
func waitGoroutines(t *testing.T, n *node.Node, before int) {
	t.Helper()
	const spare = 10
	deadline := time.Now().Add(patience)
	now := 0
	for time.Now().Before(deadline) {
		if now = goroutines(t, n); now <= before+spare {
			return
		}
	}
	t.Errorf("%d goroutines, %d before the attack:\n%.6000s", now, before, httpGet(t, "http://"+n.HTTP+"/debug/pprof/goroutine?debug=1"))
}
