package quorum

import (
	"fmt"
	"strings"
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
	clusterLease   = 100 * time.Millisecond
	raftRPCTimeout = time.Second
	// never is for raft's own snapshot clock: the loop decides when.
	never = 1000 * time.Hour
)

// raftConfig is raft's configuration for a cluster of so many voters.
func raftConfig(self raftmeta.Peer, voters int, logger hclog.Logger) *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = raftmeta.ServerID(self.Node, self.Directory)
	c.Logger = logger
	c.BatchApplyCh = true
	c.MaxAppendEntries = raftBatchMax
	c.SnapshotInterval, c.SnapshotThreshold = never, 1<<62
	c.TrailingLogs = 0
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = 2*loneTimeout, 2*loneTimeout, loneTimeout
	if voters > 1 {
		c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = clusterTimeout, clusterTimeout, clusterLease
		c.TrailingLogs = 4 * raftBatchMax // a follower a little behind needs no snapshot
	}
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

// votersOf counts the voters of the configuration that the store ends with.
func votersOf(r *raft.Raft) (voters int, err error) {
	f := r.GetConfiguration()
	if err := f.Error(); err != nil {
		return 0, fmt.Errorf("raft's configuration: %w", err)
	}
	for _, s := range f.Configuration().Servers {
		if s.Suffrage == raft.Voter {
			voters++
		}
	}
	return voters, nil
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
