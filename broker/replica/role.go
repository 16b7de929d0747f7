package replica

import (
	"fmt"
	"slices"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/internal/guard"
)

// Apply takes the role that a metadata image gives; one that is older than the
// role in force is ignored, and so is one from an image in which this broker is
// another incarnation (rule L1).
func (r *Replica) Apply(now Times, role Role, ready *Ready) {
	if role.LeaderEpoch < r.role.LeaderEpoch || role.PartitionEpoch < r.role.PartitionEpoch || r.offline || r.foreign(&role) {
		return
	}
	newEpoch := role.LeaderEpoch > r.role.LeaderEpoch
	newPartition := newEpoch || role.PartitionEpoch > r.role.PartitionEpoch
	r.role = role.clone()
	if role.MinISR <= 0 {
		r.role.MinISR = r.cfg.MinISR
	}
	if newPartition {
		r.isr = isrChange{attempt: r.isr.attempt} // what was proposed is void (rule C2), or part of the image
	}
	r.takeRole(now, newEpoch, ready)
	if r.inISR(r.cfg.NodeID) && !slices.Contains(r.role.Doubted, r.cfg.NodeID) {
		r.standing = seglog.Intact // taken in, or elected
	}
	r.advance(ready)
	r.propose(now, ready)
}

// clone is a copy that shares nothing with the image. Its slices are never
// changed, so that clones of the replica may share them.
func (role *Role) clone() Role {
	c := *role
	c.ISR, c.ELR, c.Replicas, c.Doubted = slices.Clone(role.ISR), slices.Clone(role.ELR), slices.Clone(role.Replicas), slices.Clone(role.Doubted)
	c.BrokerEpochs, c.Addable = slices.Clone(role.BrokerEpochs), slices.Clone(role.Addable)
	return c
}

// epochOf is the image's epoch of a replica's broker, -1 for none.
func (role *Role) epochOf(broker int32) int64 {
	if i := slices.Index(role.Replicas, broker); i >= 0 && i < len(role.BrokerEpochs) {
		return role.BrokerEpochs[i]
	}
	return -1
}

// foreign reports whether a role comes from an image without this
// incarnation's registration.
func (r *Replica) foreign(role *Role) bool {
	return role.BrokerEpoch > 0 && !r.cfg.Out.Out(guard.L1Broker) &&
		slices.Contains(role.Replicas, r.cfg.NodeID) && role.epochOf(r.cfg.NodeID) != role.BrokerEpoch
}

func (r *Replica) inISR(broker int32) bool { return slices.Contains(r.role.ISR, broker) }

// takeRole begins or ends what the role asks for. A truncation under way is
// waited for before the log is led.
func (r *Replica) takeRole(now Times, newEpoch bool, ready *Ready) {
	led := r.leading
	r.leading = r.role.Leader == r.cfg.NodeID && !r.cutting
	switch {
	case r.leading && (newEpoch || !led):
		r.lead(now, ready)
	case r.leading:
		r.renewFollowers(now)
	case led:
		r.failAll(kafka.ErrNotLeaderOrFollower, "the leader changed while the request waited", ready)
		ready.Events = append(ready.Events, LeadEnded{Source: r.source(), Epoch: r.role.LeaderEpoch, Leader: r.role.Leader})
		ready.Advanced = true
	}
	if !r.leading && (led || newEpoch) {
		r.follow(now, ready)
	}
	ready.Advanced = ready.Advanced || newEpoch
}

// lead begins the leader epoch of the role. Its entry is in memory until the
// first append carries it to disk (a leader of many partitions starts without
// a write).
func (r *Replica) lead(now Times, ready *Ready) {
	epoch := r.role.LeaderEpoch
	if last := r.log.LatestEpoch(); last.Epoch > epoch {
		r.stop(fmt.Sprintf("leader epoch %d is granted, the log has epoch %d at offset %d", epoch, last.Epoch, last.Offset), ready)
		return
	}
	r.log.AssignEpoch(epoch)
	r.epochStart, r.leaderHW = r.log.Next(), -1
	r.followers = nil // what was proved in another epoch counts no more (rule L4)
	r.renewFollowers(now)
	r.schedule(now)
	ready.Events = append(ready.Events, LeaderEpochStarted{
		Source: r.source(), Epoch: epoch, Start: r.epochStart, HighWatermark: r.hw, Standing: r.standing,
	})
	r.standing = seglog.Intact // the record that elects a replica takes its mark off
	ready.Advanced = true
}

// stop takes the replica offline: it answers KAFKA_STORAGE_ERROR from now on.
func (r *Replica) stop(reason string, ready *Ready) {
	if r.offline {
		return
	}
	r.offline, r.leading, ready.Follow = true, false, true
	r.failAll(kafka.ErrKafkaStorageError, reason, ready)
	ready.Events = append(ready.Events, ReplicaOffline{Source: r.source(), Reason: reason})
	ready.Advanced = true
}

// standsFor checks a request's leader epoch against the role (KIP-320), and
// that the replica is online and, with leader, the leader.
func (r *Replica) standsFor(epoch int32, leader bool) kafka.ErrorCode {
	switch {
	case r.offline:
		return kafka.ErrKafkaStorageError
	case epoch != NoEpoch && epoch < r.role.LeaderEpoch:
		return kafka.ErrFencedLeaderEpoch
	case epoch != NoEpoch && epoch > r.role.LeaderEpoch:
		return kafka.ErrUnknownLeaderEpoch
	case leader && !r.leading:
		return kafka.ErrNotLeaderOrFollower
	}
	return kafka.ErrNone
}
