package quorum

import (
	"errors"
	"fmt"
	"time"

	"github.com/moldau/moldau/broker/controller"
	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage/published"
	"github.com/moldau/moldau/broker/raftmeta"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/internal/life"
	"github.com/moldau/moldau/net/transport"
)

// Bounds, and times without a name in Kafka.
const (
	inboxLenMax       = 1024             // messages that wait for the loop
	proposalsMax      = 256              // raft entries in flight
	raftBatchMax      = 512              // entries that raft takes at once; above proposalsMax, so that proposing never waits
	parkedFetchMax    = 1024             // fetches that wait for records
	observersMax      = 4096             // replicas whose fetches are remembered
	raftTrailingLen   = 4 * raftBatchMax // entries kept behind a snapshot, for voters a little late
	feedTrailingBytes = 1 << 20          // committed records kept behind a snapshot, for observers a little late
	fetchBytesMax     = 8 << 20          // bytes of one fetch answer, whatever is asked
	observerExpiry    = 5 * time.Minute  // an observer that fetches no more is forgotten
	stopWaitMax       = time.Second      // a clean stop waits so long for what is in flight
	progressMax       = 64               // voters, former ones among them, whose log ends are remembered
	snapshotRetry     = time.Second      // after a snapshot that failed
)

// Endpoint is where the controller listener is reached.
type Endpoint struct {
	Name             string // of the listener
	Host             string
	Port             uint16
	SecurityProtocol int16
}

// Config of the controller role. All fields are needed but where noted.
type Config struct {
	Clock   clock.Clock
	Network transport.Network
	Events  event.Sink
	Holder  *published.Holder
	// Store is open; the Quorum closes it.
	Store *raftmeta.Store
	// Machine configures the controller; its node and cluster are this node's.
	Machine controller.Config
	// Directory is the metadata directory's id.
	Directory kafka.UUID
	// Incarnation is this start's id.
	Incarnation kafka.UUID
	// Endpoints are the controller listener's advertised addresses.
	Endpoints []Endpoint
	// Alone: no other controller is known but from the metadata log itself.
	Alone bool
	// Addresses are those where a node's controller listener may be reached, the
	// likeliest first. Nil where no other node is known.
	Addresses func(node int32) []string
	// SnapshotBytes of records since the last snapshot make a new one
	// (metadata.log.max.record.bytes.between.snapshots).
	SnapshotBytes int64
	// SnapshotInterval makes a new one when it has passed since the last and
	// anything was committed (metadata.log.max.snapshot.interval.ms); 0 for never.
	SnapshotInterval time.Duration
	// StallLimit: a call of the metadata store that takes longer closes raft's
	// connections until it returns (moldau.disk.stall.ms).
	StallLimit time.Duration
	// Raft's times among several voters: the silence of the leader after which a
	// voter stands for election (moldau.raft.heartbeat.ms), how long an election
	// takes at most (controller.quorum.election.timeout.ms), and how long a leader
	// goes on without a majority (moldau.raft.lease.ms). Zero for the defaults.
	RaftHeartbeat, RaftElection, RaftLease time.Duration
	// TrailingLen is how many entries raft keeps behind a snapshot, so that a voter
	// a little late needs none, and TrailingBytes how much is kept for observers.
	// Zero for the defaults, below zero for nothing.
	TrailingLen   int
	TrailingBytes int64
	// OnFailure hears that the role cannot go on (the store failed, a record
	// is unknown): the node must stop. It must not wait.
	OnFailure func(error)
	// Life ends what waits when the node is gone; nil never ends.
	Life *life.Life
}

func (c *Config) validate() error {
	switch {
	case c.Clock == nil, c.Network == nil, c.Events == nil, c.Holder == nil, c.Store == nil, c.OnFailure == nil:
		return errors.New("quorum config: clock, network, events, holder, store and failure callback are required")
	case c.SnapshotBytes <= 0 || c.StallLimit <= 0:
		return fmt.Errorf("quorum config: snapshot bytes %d and stall limit %s must be positive", c.SnapshotBytes, c.StallLimit)
	case len(c.Endpoints) == 0:
		return errors.New("quorum config: no endpoint")
	}
	return c.Machine.Validate()
}

// self is this node as a raft peer.
func (c *Config) self() raftmeta.Peer {
	return raftmeta.Peer{Node: c.Machine.NodeID, Directory: c.Directory}
}
