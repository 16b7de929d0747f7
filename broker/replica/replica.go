package replica

import (
	"slices"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/internal/invariant"
	"github.com/moldau/moldau/internal/ring"
)

// Replica is one partition on one broker. One shard owns it.
type Replica struct {
	cfg      Config
	log      *seglog.Log
	standing seglog.Standing

	role       Role
	leading    bool
	epochStart int64      // offset at which this leader epoch began
	followers  []follower // of the leader: the other Replicas, in their order
	isr        isrChange

	leaderHW int64 // of a follower: what its leader last said, -1 for unknown in this epoch
	cutting  bool  // a truncation to the LEO is under way

	hw      int64
	leo     int64 // one past the last offset written
	durable int64 // D under durability sync

	startDurable int64        // the log start that is on disk
	deleted      []deletion   // orders to delete that may not be carried out yet
	waits        [2]waitQueue // of acks=1 and acks=all, see queueOf
	deletes      ring.Ring[deleteWait]

	offline  bool
	full     bool // appends are refused: no space
	resumeAt clock.Mono

	ticking       bool // the times below are set
	nextRetention clock.Mono
	nextProducers clock.Mono
	nextRest      clock.Mono
	restNext      int64 // Next at the last look, to see whether the log rests
	retentionSoon bool  // the active segment was rolled to be deleted
}

// New makes the replica that recovery found. It leads nothing until Apply.
// Everything that recovery left in the log is durable: it synced what it kept.
func New(cfg Config, st seglog.State) *Replica {
	if cfg.RetentionCheck <= 0 {
		cfg.RetentionCheck = RetentionCheckDefault
	}
	if cfg.LagMax <= 0 {
		cfg.LagMax = LagMaxDefault
	}
	hw := min(max(st.HighWatermark, st.LogStart), st.End)
	r := &Replica{
		cfg: cfg, log: seglog.NewLog(cfg.Log, st), standing: seglog.Classify(cfg.Durability, st.Evidence),
		role: Role{Leader: -1, LeaderEpoch: NoEpoch, PartitionEpoch: -1},
		hw:   hw, leo: st.End, durable: st.End, startDurable: st.LogStart, leaderHW: -1,
	}
	r.log.Producers().HighWatermark(hw)
	return r
}

// SetConfig takes the topic's changed configuration. Identity and durability
// stay what they are.
func (r *Replica) SetConfig(cfg Config) {
	cfg.ID, cfg.Topic, cfg.NodeID, cfg.Durability = r.cfg.ID, r.cfg.Topic, r.cfg.NodeID, r.cfg.Durability
	cfg.Incarnation, cfg.Out = r.cfg.Incarnation, r.cfg.Out
	if cfg.RetentionCheck <= 0 {
		cfg.RetentionCheck = RetentionCheckDefault
	}
	if cfg.LagMax <= 0 {
		cfg.LagMax = LagMaxDefault
	}
	r.cfg = cfg
	r.log.SetConfig(cfg.Log)
}

// committable is D: one past the last offset of which this replica may say
// that it has it.
func (r *Replica) committable() int64 {
	if r.cfg.Durability == kafka.DurabilityOS {
		return r.leo
	}
	return r.durable
}

// lastStable is the last stable offset.
func (r *Replica) lastStable() int64 {
	if first := r.log.Producers().FirstUnstable(); first >= 0 {
		return min(first, r.hw)
	}
	return r.hw
}

// advance moves the high watermark (rules L3, F5) and answers whom that concerns.
func (r *Replica) advance(ready *Ready) {
	end, ok := r.isrEnd()
	if !r.leading {
		end, ok = min(r.leaderHW, r.leo), r.leaderHW >= 0
	}
	if ok && end > r.hw {
		r.hw = end
		r.log.Producers().HighWatermark(end)
		ready.Advanced = true
	}
	if r.hw > r.leo { // an if: the arguments of a Check would be allocated
		invariant.Unreachable("%s: high watermark %d above LEO %d", r.cfg.ID, r.hw, r.leo)
	}
	r.release(ready)
}

// HighWatermark is one past the last committed offset.
func (r *Replica) HighWatermark() int64 { return r.hw }

// Next is the offset that the next append gets.
func (r *Replica) Next() int64 { return r.log.Next() }

// LogStart is the first offset that may be read.
func (r *Replica) LogStart() int64 { return r.log.LogStart() }

// EpochOf is the leader epoch of the batch at offset, -1 if unknown.
func (r *Replica) EpochOf(offset int64) int32 { return r.log.EpochOf(offset) }

// Status is a snapshot.
func (r *Replica) Status() Status {
	return Status{
		Leader: r.leading, LeaderEpoch: r.role.LeaderEpoch, PartitionEpoch: r.role.PartitionEpoch,
		LogStart: r.log.LogStart(), HighWatermark: r.hw, LastStable: r.lastStable(), Durable: r.committable(),
		LEO: r.leo, Next: r.log.Next(), Segments: len(r.log.Segments()), Bytes: r.log.Size(),
		Producers: r.log.Producers().Len(), Waiting: r.waiting(), Offline: r.offline, Full: r.full, Standing: r.standing,
	}
}

// Clone copies the machine and only reads it; data under way is not part of it.
func (r *Replica) Clone() *Replica {
	c := *r
	c.log = r.log.Clone()
	c.followers, c.deleted = slices.Clone(r.followers), slices.Clone(r.deleted)
	for i := range r.waits {
		c.waits[i].ring = r.waits[i].ring.Clone()
	}
	c.deletes = r.deletes.Clone()
	return &c
}
