package replica

import (
	"fmt"
	"slices"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
)

// Apply takes the role that a metadata image gives; one that is older than the
// role in force is ignored.
func (r *Replica) Apply(now Times, role Role, ready *Ready) {
	if role.LeaderEpoch < r.role.LeaderEpoch || role.PartitionEpoch < r.role.PartitionEpoch || r.offline {
		return
	}
	led, newEpoch := r.leading, role.LeaderEpoch > r.role.LeaderEpoch
	r.role = role
	r.role.ISR, r.role.Replicas = slices.Clone(role.ISR), slices.Clone(role.Replicas)
	if role.MinISR <= 0 {
		r.role.MinISR = r.cfg.MinISR
	}
	switch r.leading = role.Leader == r.cfg.NodeID; {
	case r.leading && (newEpoch || !led):
		r.lead(now, ready)
	case led && !r.leading:
		r.failAll(kafka.ErrNotLeaderOrFollower, "the leader changed while the request waited", ready)
		ready.Events = append(ready.Events, LeadEnded{Source: r.source(), Epoch: role.LeaderEpoch, Leader: role.Leader})
		ready.Advanced = true
	}
	r.advance(ready)
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
	r.epochStart = r.log.Next()
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
	r.offline, r.leading = true, false
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
