package hostile

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// conns are in the crowd; of them
	conns       = 2000
	halfSent    = 800 // send a part of a frame of halfSentBytes,
	tricklers   = 100 // declare a small frame and send it byte by byte,
	slowReaders = 400 // ask for large answers and read none; the others send garbage.
	// halfSentBytes are declared by half-sent frames; up to nine tenths of them
	// are sent if the node takes them.
	halfSentBytes = 90 << 20
	// pieceBytes of a frame are written at once.
	pieceBytes = 64 << 10
	// againAfterMax is how long an attacker waits before it comes again, at most.
	againAfterMax = time.Second
	// trickleEvery is the time between two bytes of a frame that comes byte by byte.
	trickleEvery = 300 * time.Millisecond
	// listenMax is how long who sent garbage waits for an answer.
	listenMax = 500 * time.Millisecond
	// dialTimeout bounds the wait for a connection.
	dialTimeout = 60 * time.Second
	// preparedMax garbage frames are sent again and again, up to garbageMax of
	// them on one connection.
	preparedMax = 4096
	garbageMax  = 20
	// askedAtOnce large answers are asked for in one write.
	askedAtOnce = 60
)

// WideTopic is what the large answers are about: whoever runs the node makes
// it, with many partitions.
const WideTopic = "wide"

// Crowd is the attackers of one node. Make it with Prepare.
type Crowd struct {
	addr    string
	garbage [][]byte
	asking  []byte // requests with large answers
	zeros   []byte // a piece of a frame
}

// Prepare makes what the crowd sends to addr.
func Prepare(addr string) *Crowd {
	h := &Crowd{addr: addr, zeros: make([]byte, pieceBytes)}
	rng := rand.New(rand.NewPCG(1, 1))
	for range preparedMax {
		h.garbage = append(h.garbage, GarbageFrame(rng))
	}
	for i := range askedAtOnce {
		h.asking = kmsg.NewRequestFormatter().AppendRequest(h.asking, largeAnswer(i), int32(i))
	}
	return h
}

// Begin starts the crowd, which goes on until the process ends, and returns
// when each of it has tried to connect.
func (h *Crowd) Begin() {
	var tried sync.WaitGroup
	tried.Add(conns)
	for i := range conns {
		go h.attack(i, tried.Done)
	}
	tried.Wait()
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
			r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, WideTopic
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
// tried is called once, when it has tried to connect.
func (h *Crowd) attack(i int, tried func()) {
	rng := rand.New(rand.NewPCG(uint64(i), 2))
	for first := true; ; first = false {
		c, err := net.DialTimeout("tcp", h.addr, dialTimeout)
		if first {
			tried()
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
			_ = c.Close() // the node may have been first
		}
		// Nothing is waited for: how often an attacker comes again is part of the attack.
		time.Sleep(time.Duration(rng.Int64N(int64(againAfterMax))))
	}
}

// halfFrame sends a part of a frame as far as the node takes it, and then holds
// the connection until the node ends it.
func (h *Crowd) halfFrame(c net.Conn, rng *rand.Rand) {
	if _, err := c.Write(binary.BigEndian.AppendUint32(nil, halfSentBytes)); err != nil {
		return
	}
	for sent, upTo := 0, rng.IntN(halfSentBytes/10*9); sent < upTo; sent += len(h.zeros) {
		if _, err := c.Write(h.zeros); err != nil {
			return
		}
	}
	_, _ = io.Copy(io.Discard, c) // until the node ends it
}

// trickle keeps a frame of a megabyte from ever being whole, and from stalling.
func (h *Crowd) trickle(c net.Conn) {
	if _, err := c.Write(binary.BigEndian.AppendUint32(nil, 1<<20)); err != nil {
		return
	}
	for sent := 0; sent < 1<<20-len(h.zeros); sent += len(h.zeros) {
		if _, err := c.Write(h.zeros); err != nil {
			return
		}
	}
	for range len(h.zeros) - 1 {
		if _, err := c.Write(h.zeros[:1]); err != nil {
			return
		}
		time.Sleep(trickleEvery) // nothing is waited for: being slow is the attack
	}
}

// slowReader asks for large answers again and again, and reads none. A write
// that fails says that the node has ended the connection.
func (h *Crowd) slowReader(c net.Conn) {
	if tc, ok := c.(*net.TCPConn); ok {
		_ = tc.SetReadBuffer(4 << 10) // an answer is stuck all the sooner
	}
	for {
		if _, err := c.Write(h.asking); err != nil {
			return
		}
	}
}

// noise sends what no client would, until the node has had enough of it.
func (h *Crowd) noise(c net.Conn, rng *rand.Rand) {
	for range 1 + rng.IntN(garbageMax) {
		if _, err := c.Write(h.garbage[rng.IntN(len(h.garbage))]); err != nil {
			return
		}
	}
	_ = c.SetReadDeadline(time.Now().Add(time.Duration(rng.Int64N(int64(listenMax))))) // one that is closed is read to its end at once
	_, _ = io.Copy(io.Discard, c)                                                      // whatever comes, it is not wanted
}
