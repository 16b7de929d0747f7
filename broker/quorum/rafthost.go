package quorum

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/raftmeta"
)

// Raft's times. A lone voter has nobody to wait for: it elects itself at once
// (see electAtOnce), and its lease only wakes it up.
const (
	loneTimeout    = 50 * time.Millisecond
	clusterTimeout = 150 * time.Millisecond
	// A leader without answers of a majority decides nothing, lease or not; so the
	// lease is as long as raft takes it, and a process that is starved for a moment
	// keeps its office.
	clusterLease   = clusterTimeout
	raftRPCTimeout = time.Second
	// never is for raft's own snapshot clock: the loop decides when.
	never = 1000 * time.Hour
)

// instance is one life of raft on the node's stores. A lone voter's ends when
// another server comes: the times of raft cannot be changed while it runs.
type instance struct {
	life      int // counts them
	lone      bool
	transport *raftmeta.Transport
	raft      *raft.Raft
	shutdown  func() raft.Future // begins raft's shutdown, once
	started   atomic.Bool        // the newest checkpoint of this node's own is restored
}

// startRaft starts the first instance. A node that its configuration calls
// alone finds in its log whether it still is.
func (q *Quorum) startRaft() error {
	inst, err := q.newInstance(1, q.cfg.Alone)
	if err != nil {
		return err
	}
	servers, err := inst.servers()
	if err == nil && inst.lone && len(servers) == 0 {
		err = errors.New("the metadata log names no voter, and no other controller is known")
	}
	if err == nil && inst.lone && (len(servers) != 1 || servers[0].Suffrage != raft.Voter) {
		if err = inst.shutdown().Error(); err == nil {
			inst, err = q.newInstance(2, false)
		}
		if err != nil {
			return err
		}
	}
	if err == nil && inst.lone {
		err = electAtOnce(inst.raft)
	}
	if err != nil {
		return errors.Join(err, inst.shutdown().Error())
	}
	q.inst.Store(inst)
	return nil
}

// newInstance restores the newest snapshot into the image and starts raft.
func (q *Quorum) newInstance(life int, lone bool) (*instance, error) {
	inst := &instance{life: life, lone: lone}
	fsm, err := raftmeta.NewFSM(raftmeta.FSMConfig{
		Holder:     q.cfg.Holder,
		OnApplied:  func(entries []raftmeta.Applied, handled uint64) { q.inbox.Offer(applied{life, entries, handled}) },
		OnRestored: func(id raftmeta.SnapshotID) { q.inbox.Offer(restored{life, id, inst.started.Load()}) },
		OnFailure:  q.cfg.OnFailure,
	})
	if err != nil {
		return nil, err
	}
	logger := raftLogger(q.cfg.Events, lone)
	inst.transport, err = raftmeta.NewTransport(raftmeta.TransportConfig{
		Network: q.cfg.Network, ClusterID: q.cfg.Machine.ClusterID, Self: q.cfg.self(),
		Resolve: q.resolve, OnProgress: q.noteProgress, Timeout: raftRPCTimeout, Logger: logger, Life: q.cfg.Life,
		Store: q.cfg.Store, OnParted: func() { q.inbox.Offer(parted{life}) },
	})
	if err != nil {
		return nil, err
	}
	inst.raft, err = newRaft(raftConfig(&q.cfg, lone, logger), fsm, q.cfg.Store, inst.transport)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start raft: %w", err), inst.transport.Close())
	}
	inst.started.Store(true)
	inst.shutdown = sync.OnceValue(inst.raft.Shutdown)
	return inst, nil
}

func (q *Quorum) resolve(p raftmeta.Peer) ([]string, error) {
	if q.cfg.Addresses == nil {
		return nil, fmt.Errorf("no address of %s is known", p)
	}
	return q.cfg.Addresses(p.Node), nil
}

// servers are those of the configuration that the log ends with.
func (i *instance) servers() ([]raft.Server, error) {
	f := i.raft.GetConfiguration()
	if err := f.Error(); err != nil {
		return nil, fmt.Errorf("raft's configuration: %w", err)
	}
	return f.Configuration().Servers, nil
}

// voters counts the voters; 0 if they are not known.
func (i *instance) voters() (n int) {
	servers, _ := i.servers()
	for _, s := range servers {
		if s.Suffrage == raft.Voter {
			n++
		}
	}
	return n
}

// votes reports whether a server is a voter.
func (i *instance) votes(p raftmeta.Peer) bool {
	servers, _ := i.servers()
	id := raftmeta.ServerID(p.Node, p.Directory)
	return slices.ContainsFunc(servers, func(s raft.Server) bool { return s.ID == id && s.Suffrage == raft.Voter })
}

// handOver gives the office to another voter, if there is one to take it: a
// clean stop need not cost an election's timeout.
func (i *instance) handOver() {
	if i.raft.State() == raft.Leader && i.voters() > 1 {
		_ = i.raft.LeadershipTransfer().Error() // else the others elect one when they hear no more
	}
}

// raftConfig is raft's configuration for a lone voter or for a cluster.
func raftConfig(cfg *Config, lone bool, logger hclog.Logger) *raft.Config {
	self := cfg.self()
	c := raft.DefaultConfig()
	c.LocalID = raftmeta.ServerID(self.Node, self.Directory)
	c.Logger = logger
	c.BatchApplyCh = true
	c.MaxAppendEntries = raftBatchMax
	c.SnapshotInterval, c.SnapshotThreshold = never, 1<<62
	c.ShutdownOnRemove = false // it goes on as an observer
	if lone {
		c.TrailingLogs = 0
		c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = 2*loneTimeout, 2*loneTimeout, loneTimeout
		return c
	}
	c.HeartbeatTimeout, c.ElectionTimeout = cmp.Or(cfg.RaftHeartbeat, clusterTimeout), cmp.Or(cfg.RaftElection, clusterTimeout)
	c.LeaderLeaseTimeout = cmp.Or(cfg.RaftLease, clusterLease)
	c.TrailingLogs = uint64(max(0, cmp.Or(cfg.TrailingLen, raftTrailingLen)))
	return c
}

// electAtOnce lets a lone voter begin its election now: raft looks at its
// heartbeat timer anew when that is made shorter.
func electAtOnce(r *raft.Raft) error {
	c := r.ReloadableConfig()
	c.HeartbeatTimeout = loneTimeout
	if err := r.ReloadConfig(c); err != nil {
		return fmt.Errorf("shorten raft's heartbeat: %w", err)
	}
	return nil
}

// raftLogger brings raft's warnings into the event stream. A lone voter warns
// at every start that it heard of no leader, so only its errors count.
func raftLogger(events event.Sink, lone bool) hclog.Logger {
	level := hclog.Warn
	if lone {
		level = hclog.Error
	}
	return hclog.New(&hclog.LoggerOptions{Name: "raft", Level: level, Output: raftLines{events}, DisableTime: true})
}

type raftLines struct{ events event.Sink }

func (w raftLines) Write(p []byte) (int, error) {
	w.events.Emit(RaftSays{Text: strings.TrimSpace(string(p))})
	return len(p), nil
}
