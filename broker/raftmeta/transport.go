package raftmeta

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"github.com/moldau/moldau/internal/life"

	"github.com/moldau/moldau/net/transport"
)

const (
	// acceptedLenMax bounds the accepted connections that raft has not taken yet.
	acceptedLenMax = 16
	// raftPoolLenMax bounds the idle connections kept to one peer.
	raftPoolLenMax = 3
)

// TransportConfig describes one end of raft's connections.
type TransportConfig struct {
	Network   transport.Network
	ClusterID string
	Self      Peer
	// Resolve gives the addresses of a server's controller listener, the likeliest
	// first; there may be several while one changes.
	Resolve func(Peer) ([]string, error)
	// OnProgress hears the index of a follower's last log entry, from its answers.
	// It must not wait. Nil: nobody listens.
	OnProgress func(follower raft.ServerID, lastIndex uint64)
	// Store is the node's, to know what of a snapshot or of entries it has already.
	// Nil: raft is given every request as it came.
	Store *Store
	// OnParted hears that a snapshot took the place of a log that had gone another
	// way: raft must start anew on the store, and hears nothing until then. It must
	// not wait. Nil: nobody starts it.
	OnParted func()
	// Timeout bounds dialing, the preamble, and each call without a snapshot.
	Timeout time.Duration
	Logger  hclog.Logger
	// Life ends what waits when the node is gone; nil never ends.
	Life *life.Life
}

// Transport is raft's transport over the controller listener's port.
type Transport struct {
	*raft.NetworkTransport
	stream     *streamLayer
	incoming   *incoming
	onProgress func(raft.ServerID, uint64)
	forgetLife func()

	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup // of TimeoutNow, begun before closed
}

// AppendEntries sends entries or a heartbeat, and notes how far the follower is.
func (t *Transport) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	err := t.NetworkTransport.AppendEntries(id, target, args, resp)
	if err == nil && t.onProgress != nil && resp.Term == args.Term {
		t.onProgress(id, resp.LastLog)
	}
	return err
}

// AppendEntriesPipeline has raft send one request at a time to a follower: a
// turn of the controller fits into one, and each answer is seen.
func (t *Transport) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return nil, raft.ErrPipelineReplicationNotSupported
}

// TimeoutNow has a follower stand for election at once. Raft calls it on a
// goroutine that it does not wait for, while another waits for the answer alone,
// though raft has ended: Close waits for the call, and it always returns.
func (t *Transport) TimeoutNow(id raft.ServerID, target raft.ServerAddress, args *raft.TimeoutNowRequest, resp *raft.TimeoutNowResponse) error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return raft.ErrTransportShutdown
	}
	t.calls.Add(1)
	t.mu.Unlock()
	defer t.calls.Done()
	return outlive(func() error { return t.NetworkTransport.TimeoutNow(id, target, args, resp) })
}

// NewTransport starts a transport. It listens nowhere itself: the controller
// listener hands connections over with AcceptRaft. Close ends it.
func NewTransport(cfg TransportConfig) (*Transport, error) {
	if cfg.Network == nil || cfg.Resolve == nil || cfg.Logger == nil || cfg.Timeout <= 0 {
		return nil, errors.New("raft transport: network, resolver, logger or timeout is missing")
	}
	if len(cfg.ClusterID) > clusterIDBytesMax {
		return nil, fmt.Errorf("raft transport: cluster id of %d bytes, %d are allowed", len(cfg.ClusterID), clusterIDBytesMax)
	}
	stream := &streamLayer{
		cfg: cfg, accepted: make(chan *raftConn, acceptedLenMax),
		stop: make(chan struct{}), conns: map[*raftConn]struct{}{}, misses: map[int32]int{},
	}
	t := &Transport{stream: stream, onProgress: cfg.OnProgress, NetworkTransport: raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		ServerAddressProvider: idAsAddress{}, Logger: cfg.Logger, Stream: stream, MaxPool: raftPoolLenMax,
	})}
	t.incoming = &incoming{
		from: t.NetworkTransport.Consumer(), to: make(chan raft.RPC), stop: stream.stop, done: make(chan struct{}),
		store: cfg.Store, onParted: cfg.OnParted,
	}
	go t.incoming.run()
	t.forgetLife = cfg.Life.OnEnd(t.abandon)
	return t, nil
}

// Consumer is where raft takes the requests of its peers from.
func (t *Transport) Consumer() <-chan raft.RPC { return t.incoming.to }

// abandon ends what waits in the transport, without a call to the network.
func (t *Transport) abandon() {
	_ = t.NetworkTransport.Close() // which says so to who accepts, and never fails
}

// AcceptRaft takes over an accepted connection whose bytes read so far are
// first, at least four. It waits for the rest of the preamble, at most the
// timeout, answers it, and leaves the connection to raft or closes it.
func (t *Transport) AcceptRaft(conn transport.Conn, first []byte) error {
	return t.stream.accept(conn, first)
}

// Suspend closes all connections and refuses new ones until it is called with
// false: a leader whose disk hangs must not go on leading.
func (t *Transport) Suspend(suspended bool) { t.stream.suspend(suspended) }

// Close ends the transport, its connections, and the calls that raft does not
// wait for.
func (t *Transport) Close() error {
	err := t.NetworkTransport.Close()
	t.stream.suspend(true)
	t.CloseStreams()
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.calls.Wait() // their connections are closed
	<-t.incoming.done
	t.forgetLife()
	return err
}

// idAsAddress makes a server's id its address for raft, so that the address
// proper may change; the stream layer resolves it.
type idAsAddress struct{}

func (idAsAddress) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	return raft.ServerAddress(id), nil
}

// streamLayer is raft's view of the listener and the network.
type streamLayer struct {
	cfg      TransportConfig
	accepted chan *raftConn
	stop     chan struct{}
	stopOnce sync.Once

	mu        sync.Mutex
	suspended bool
	conns     map[*raftConn]struct{}
	misses    map[int32]int // by node: how often its address was wrong
}

var errSuspended = errors.New("raft's connections are suspended")

func (s *streamLayer) Accept() (net.Conn, error) {
	select {
	case c := <-s.accepted:
		return c, nil
	case <-s.stop:
		return nil, transport.ErrClosed
	}
}

func (s *streamLayer) Close() error {
	s.stopOnce.Do(func() { close(s.stop) })
	return nil
}

func (s *streamLayer) Addr() net.Addr { return address(s.cfg.Self.String()) }

// Dial connects to the server whose id the address is.
func (s *streamLayer) Dial(to raft.ServerAddress, _ time.Duration) (net.Conn, error) {
	node, directory, err := ParseServerID(raft.ServerID(to))
	if err != nil {
		return nil, err
	}
	target := Peer{Node: node, Directory: directory}
	hostPort, err := s.address(target)
	if err != nil {
		return nil, fmt.Errorf("raft: address of %s: %w", target, err)
	}
	c, err := s.connect(target, hostPort)
	if err != nil {
		s.missed(node)
	}
	return c, err
}

// address is where a server is tried next: each failure moves on to another
// of its addresses.
func (s *streamLayer) address(p Peer) (string, error) {
	list, err := s.cfg.Resolve(p)
	if err != nil {
		return "", err
	}
	if len(list) == 0 {
		return "", errors.New("none is known")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return list[s.misses[p.Node]%len(list)], nil
}

func (s *streamLayer) missed(node int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.misses[node]++
}

func (s *streamLayer) connect(target Peer, hostPort string) (net.Conn, error) {
	conn, err := s.cfg.Network.Dial(hostPort, s.cfg.Timeout, s.stop)
	if err != nil {
		return nil, fmt.Errorf("raft: dial %s at %s: %w", target, hostPort, err)
	}
	c, err := s.track(conn, nil, true)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if err := s.introduce(c, target); err != nil {
		return nil, errors.Join(fmt.Errorf("raft: %s at %s: %w", target, hostPort, err), c.Close())
	}
	return c, nil
}

// introduce sends the preamble and reads its answer.
func (s *streamLayer) introduce(c *raftConn, to Peer) error {
	p := preamble{from: s.cfg.Self, to: to, clusterID: s.cfg.ClusterID}
	if _, err := c.Write(p.append(nil)); err != nil {
		return err
	}
	var answer [1]byte
	if _, err := io.ReadFull(c, answer[:]); err != nil {
		return err
	}
	switch answer[0] {
	case preambleAccepted:
		return nil
	case preambleUnavailable:
		return errors.New("raft does not run there now")
	default:
		return errors.New("another cluster, node or directory is there")
	}
}

func (s *streamLayer) accept(conn transport.Conn, first []byte) (err error) {
	c, err := s.track(conn, bytes.Clone(first), false)
	if err != nil {
		_, _ = conn.Write([]byte{preambleUnavailable}) // it is closed in any case
		return errors.Join(err, conn.Close())
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if err := c.SetReadTimeout(s.cfg.Timeout); err != nil {
		return err
	}
	p, err := readPreamble(c, conn.RemoteAddr())
	if err != nil {
		return err
	}
	if p.isQuestion() {
		return s.answer(c, p)
	}
	if p.clusterID != s.cfg.ClusterID || p.to != s.cfg.Self {
		_, _ = c.Write([]byte{preambleRefused}) // it is closed in any case
		return fmt.Errorf("raft connection of %s in cluster %q to %s: this is %s in cluster %q",
			p.from, p.clusterID, p.to, s.cfg.Self, s.cfg.ClusterID)
	}
	if err := c.SetReadTimeout(0); err != nil {
		return err
	}
	if _, err := c.Write([]byte{preambleAccepted}); err != nil {
		return err
	}
	select {
	case s.accepted <- c:
		return nil
	case <-s.stop:
		return transport.ErrClosed
	}
}

// answer tells a node without a cluster who is here, and ends the connection.
func (s *streamLayer) answer(c *raftConn, p preamble) error {
	reply := Answer{Self: s.cfg.Self, ClusterID: s.cfg.ClusterID}.append(nil)
	var refused error
	if p.to.Node != AnyNode && p.to.Node != s.cfg.Self.Node {
		reply = []byte{preambleRefused}
		refused = fmt.Errorf("node %d takes this node, %d, for node %d: see controller.quorum.voters", p.from.Node, s.cfg.Self.Node, p.to.Node)
	}
	_, err := c.Write(reply)
	return errors.Join(refused, err, c.Close())
}

// track counts a connection in, so that suspend can close it.
func (s *streamLayer) track(conn transport.Conn, first []byte, dialed bool) (*raftConn, error) {
	c := &raftConn{Conn: conn, first: first, dialed: dialed, timeout: s.cfg.Timeout, closed: s.forget}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.suspended {
		return nil, errSuspended
	}
	s.conns[c] = struct{}{}
	return c, nil
}

func (s *streamLayer) forget(c *raftConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

func (s *streamLayer) suspend(suspended bool) {
	s.mu.Lock()
	s.suspended = suspended
	var open []*raftConn
	if suspended {
		for c := range s.conns { //det:ok all are closed
			open = append(open, c)
		}
	}
	s.mu.Unlock()
	for _, c := range open {
		_ = c.Close() // nobody uses it any more
	}
}
