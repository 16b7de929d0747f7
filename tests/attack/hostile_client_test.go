package attack

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The attackers are a process of their own with one thread of Go, in a session
// of its own, and what they send is prepared: on another machine their work
// would cost this one nothing, so it must not be taken for the node's.
const (
	hostileConns = 2000
	halfSent     = 800 // of them: frames of halfSentBytes declared
	tricklers    = 100 // frames that are declared small and come byte by byte
	slowReaders  = 400 // large answers asked for, none read
	// halfSentBytes are declared by half-sent frames; up to nine tenths of them
	// are sent if the node takes them.
	halfSentBytes = 90 << 20
	// againAfterMax is how long an attacker waits before it comes again, at most.
	againAfterMax = time.Second
	// preparedMax garbage frames are sent again and again.
	preparedMax = 4096

	// attackNice is the attackers' priority, as nice has it.
	attackNice = 5

	attackEnv = "MOLDAU_TEST_ATTACK"
)

// attackers runs the attacking process against addr until the test, or end, ends it.
type attackers struct {
	stdin io.Closer
	cmd   *exec.Cmd
}

func startAttackers(t *testing.T, addr string) *attackers {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestAttackers$")
	cmd.Env = append(os.Environ(), attackEnv+"="+addr, "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	a := &attackers{stdin: in, cmd: cmd}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended where the test passed
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "begun\n" {
		t.Fatalf("the attackers say %q, %v", line, err)
	}
	return a
}

// end ends the process, and all of its connections.
func (a *attackers) end() {
	_ = a.stdin.Close()
	_ = a.cmd.Wait() // what it said does not matter any more
}

// TestAttackers is the attacking process.
func TestAttackers(t *testing.T) {
	addr := os.Getenv(attackEnv)
	if addr == "" {
		t.Skip("runs as a process of TestHostileConnections")
	}
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, 0, attackNice); err != nil {
		t.Fatal(err)
	}
	runtime.GOMAXPROCS(1)
	h := prepare(addr)
	for i := range hostileConns {
		go h.attack(i)
	}
	for h.begun.Load() < hostileConns {
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Println("begun")
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// hostile opens connections that mean no good.
type hostile struct {
	addr    string
	begun   atomic.Int64
	garbage [][]byte
	asking  []byte // requests with large answers
}

func prepare(addr string) *hostile {
	h := &hostile{addr: addr}
	rng := rand.New(rand.NewPCG(1, 1))
	for range preparedMax {
		h.garbage = append(h.garbage, garbageFrame(rng))
	}
	w := &wire{}
	for i := range 60 {
		h.asking = append(h.asking, w.frame(largeAnswer(i))...)
	}
	return h
}

// largeAnswer is a request whose answer is much larger than itself.
func largeAnswer(i int) kmsg.Request {
	switch i % 3 {
	case 0:
		m := kmsg.NewPtrMetadataRequest()
		m.Version = 9
		return m
	case 1:
		d := kmsg.NewPtrDescribeConfigsRequest()
		d.Version, d.IncludeSynonyms, d.IncludeDocumentation = 4, true, true
		for range 50 {
			r := kmsg.NewDescribeConfigsRequestResource()
			r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, "wide"
			d.Resources = append(d.Resources, r)
		}
		return d
	default:
		l := kmsg.NewPtrDescribeLogDirsRequest()
		l.Version = 4
		return l
	}
}

// attack is one hostile client; whenever its connection ends it comes again.
func (h *hostile) attack(i int) {
	rng := rand.New(rand.NewPCG(uint64(i), 2))
	for first := true; ; first = false {
		c, err := net.DialTimeout("tcp", h.addr, patience)
		if first {
			h.begun.Add(1)
		}
		if err == nil {
			switch {
			case i < halfSent:
				h.halfFrame(c, rng)
			case i < halfSent+tricklers:
				h.trickle(c)
			case i < halfSent+tricklers+slowReaders:
				h.slowReader(c)
			default:
				h.noise(c, rng)
			}
			_ = c.Close()
		}
		time.Sleep(time.Duration(rng.Int64N(int64(againAfterMax))))
	}
}

// halfFrame sends a part of a frame as far as the node takes it, and then holds
// the connection until the node ends it.
func (h *hostile) halfFrame(c net.Conn, rng *rand.Rand) {
	if _, err := c.Write(binary.BigEndian.AppendUint32(nil, halfSentBytes)); err != nil {
		return
	}
	for sent, upTo := 0, rng.IntN(halfSentBytes/10*9); sent < upTo; sent += len(zeros) {
		if _, err := c.Write(zeros[:]); err != nil {
			return
		}
	}
	_, _ = io.Copy(io.Discard, c)
}

var zeros [64 << 10]byte

// trickle keeps a frame of a megabyte from ever being whole, and from stalling.
func (h *hostile) trickle(c net.Conn) {
	if _, err := c.Write(binary.BigEndian.AppendUint32(nil, 1<<20)); err != nil {
		return
	}
	for sent := 0; sent < 1<<20-len(zeros); sent += len(zeros) {
		if _, err := c.Write(zeros[:]); err != nil {
			return
		}
	}
	for range len(zeros) - 1 {
		if _, err := c.Write(zeros[:1]); err != nil {
			return
		}
		time.Sleep(300 * time.Millisecond)
	}
}

// slowReader asks for large answers again and again, and reads none. A write
// that fails says that the node has ended the connection.
func (h *hostile) slowReader(c net.Conn) {
	if tc, ok := c.(*net.TCPConn); ok {
		_ = tc.SetReadBuffer(4 << 10)
	}
	for {
		if _, err := c.Write(h.asking); err != nil {
			return
		}
	}
}

// noise sends what no client would, until the node has had enough of it.
func (h *hostile) noise(c net.Conn, rng *rand.Rand) {
	for range 1 + rng.IntN(20) {
		if _, err := c.Write(h.garbage[rng.IntN(len(h.garbage))]); err != nil {
			return
		}
	}
	_ = c.SetReadDeadline(time.Now().Add(time.Duration(rng.IntN(500)) * time.Millisecond))
	_, _ = io.Copy(io.Discard, c)
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
