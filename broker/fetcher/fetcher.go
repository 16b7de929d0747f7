package fetcher

import (
	"net"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/shard"
	"github.com/moldau/moldau/net/transport"
)

// Fetcher fetches for the replicas of a broker that follow. It implements
// shard.Fetcher.
type Fetcher struct {
	cfg   Config
	image atomic.Pointer[metaimage.Image]
	stop  chan struct{}
	wg    sync.WaitGroup

	mu     sync.Mutex
	peers  map[int32]*peer
	conns  map[transport.Conn]struct{}
	closed bool

	bytesIn    atomic.Uint64
	corrupt    atomic.Uint64
	forgetLife func()
}

// Stats are what a Fetcher did, and how far its replicas are behind.
type Stats struct {
	// BytesIn are bytes of records fetched, Corrupt the answers for a replica
	// whose records were not sound. Both only grow.
	BytesIn, Corrupt uint64
	// MaxLag is the most records that a replica lacks to its leader's high watermark.
	MaxLag int64
	// Failed are replicas that were refused, or wait after a failure.
	Failed int
	// Partitions are the replicas that follow.
	Partitions int
	// Disconnected are the leaders to which there is no connection.
	Disconnected int
}

// New returns a Fetcher, which waits to be told of replicas.
func New(cfg Config) (*Fetcher, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	f := &Fetcher{
		cfg: cfg, stop: make(chan struct{}), peers: make(map[int32]*peer),
		conns: make(map[transport.Conn]struct{}),
	}
	f.forgetLife = cfg.Life.OnEnd(func() { f.end() })
	return f, nil
}

// Moved implements shard.Fetcher.
func (f *Fetcher) Moved(leader int32, list []shard.Move) {
	if p := f.peer(leader); p != nil {
		p.in.Offer(&moves{list})
	}
}

// peer is the leader's; it is made when it is first named.
func (f *Fetcher) peer(leader int32) *peer {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	p := f.peers[leader]
	if p == nil {
		p = newPeer(f, leader)
		f.peers[leader] = p
		f.wg.Add(1)
		go p.run()
	}
	return p
}

// Apply takes a newer image: a broker may be reached elsewhere now.
func (f *Fetcher) Apply(img *metaimage.Image) {
	old := f.image.Swap(img)
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, p := range f.peers { //det:ok each peer for itself
		if old == nil || old.Broker(id) != img.Broker(id) {
			p.in.Offer(imageChanged{})
		}
	}
}

// address is where a broker is reached by other brokers.
func (f *Fetcher) address(broker int32) (string, bool) {
	img := f.image.Load()
	if img == nil {
		return "", false
	}
	b := img.Broker(broker)
	if b == nil {
		return "", false
	}
	e, ok := b.EndPoint(f.cfg.Listener)
	return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))), ok
}

// Close ends all connections, and waits until what they did has ended.
func (f *Fetcher) Close() {
	for _, c := range f.end() {
		_ = c.Close() // ends its reader; nothing on it matters any more
	}
	f.wg.Wait()
	f.forgetLife()
}

// end ends what waits, once, and returns the open connections.
func (f *Fetcher) end() []transport.Conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	close(f.stop)
	for _, p := range f.peers { //det:ok all end
		p.in.Close()
	}
	open := make([]transport.Conn, 0, len(f.conns))
	for c := range f.conns { //det:ok all are closed
		open = append(open, c)
	}
	return open
}

// keep notes an open connection; false if the fetcher has been closed.
func (f *Fetcher) keep(c transport.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.conns[c] = struct{}{}
	}
	return !f.closed
}

// drop closes a connection.
func (f *Fetcher) drop(c transport.Conn) {
	f.mu.Lock()
	delete(f.conns, c)
	f.mu.Unlock()
	_ = c.Close() // nothing on it matters any more
}

// Stats are those of now.
func (f *Fetcher) Stats() Stats {
	s := Stats{BytesIn: f.bytesIn.Load(), Corrupt: f.corrupt.Load()}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.peers { //det:ok sums and a maximum
		p.addTo(&s)
	}
	return s
}
