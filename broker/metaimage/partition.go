package metaimage

import (
	"slices"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metarecord"
)

// NoLeader is the leader of a partition that has none.
const NoLeader int32 = -1

// The leader recovery states (KIP-704).
const (
	Recovered  int8 = 0
	Recovering int8 = 1 // set by an election that may have lost records
)

// Partition is one partition's metadata. It must not be changed.
//
// Invariants: ISR and ELR are disjoint subsets of Replicas; Leader is in ISR or
// NoLeader; Directories is empty or as long as Replicas; Adding and Removing are
// subsets of Replicas, and one in both was added by a reassignment that another
// one took the place of.
type Partition struct {
	ID             int32
	Leader         int32
	LeaderEpoch    int32
	PartitionEpoch int32
	Recovery       int8

	Replicas     []int32 // the first is the preferred leader
	ISR          []int32
	ELR          []int32 // eligible leader replicas (KIP-966)
	LastKnownELR []int32 // struck out as damaged, or the last known leader
	Removing     []int32
	Adding       []int32
	Directories  []kafka.UUID // by position in Replicas

	// Doubtful are the members of ISR or ELR whose recovery cut bytes, with
	// the last epoch and end of what they kept.
	Doubtful []metarecord.DoubtfulReplica

	unknown []metarecord.Tag // of the partition's record
}

// HasReplica reports whether the broker holds a replica.
func (p *Partition) HasReplica(broker int32) bool { return slices.Contains(p.Replicas, broker) }

// Reassigned reports whether a reassignment is under way (KIP-455).
func (p *Partition) Reassigned() bool { return len(p.Adding)+len(p.Removing) > 0 }

// Factor is the replication factor: the replicas without those that a
// reassignment under way adds.
func (p *Partition) Factor() int { return len(p.Replicas) - len(p.Adding) }

// InISR reports whether the broker is in sync.
func (p *Partition) InISR(broker int32) bool { return slices.Contains(p.ISR, broker) }

// InELR reports whether the broker is an eligible leader.
func (p *Partition) InELR(broker int32) bool { return slices.Contains(p.ELR, broker) }

// DoubtOf finds the mark of a broker.
func (p *Partition) DoubtOf(broker int32) (metarecord.DoubtfulReplica, bool) {
	for _, d := range p.Doubtful {
		if d.BrokerID == broker {
			return d, true
		}
	}
	return metarecord.DoubtfulReplica{}, false
}

// DirectoryOf is the directory of the broker's replica, DirUnassigned if the
// metadata names none.
func (p *Partition) DirectoryOf(broker int32) kafka.UUID {
	if i := slices.Index(p.Replicas, broker); i >= 0 && i < len(p.Directories) {
		return p.Directories[i]
	}
	return kafka.DirUnassigned
}

// partitionOf makes a partition from its record.
func partitionOf(r *metarecord.Partition) *Partition {
	return &Partition{
		ID: r.PartitionID, Leader: r.Leader, LeaderEpoch: r.LeaderEpoch, PartitionEpoch: r.PartitionEpoch,
		Recovery: r.LeaderRecoveryState, Replicas: r.Replicas, ISR: r.ISR, ELR: r.EligibleLeaderReplicas,
		LastKnownELR: r.LastKnownELR, Removing: r.RemovingReplicas, Adding: r.AddingReplicas,
		Directories: r.Directories, Doubtful: r.Doubtful, unknown: r.Unknown,
	}
}

// record is the inverse of partitionOf.
func (p *Partition) record(topic kafka.UUID) *metarecord.Partition {
	return &metarecord.Partition{
		PartitionID: p.ID, TopicID: topic, Replicas: p.Replicas, ISR: p.ISR,
		RemovingReplicas: p.Removing, AddingReplicas: p.Adding, Leader: p.Leader,
		LeaderRecoveryState: p.Recovery, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch,
		Directories: p.Directories, EligibleLeaderReplicas: nilIfEmpty(p.ELR), LastKnownELR: nilIfEmpty(p.LastKnownELR),
		Doubtful: nilIfEmpty(p.Doubtful), Unknown: p.unknown,
	}
}

// noLeaderChange is the Leader of a change record that leaves the leader alone.
const noLeaderChange int32 = -2

// change is the partition after a change record. A record that names a leader,
// or no leader, begins a leader epoch; every record begins a partition epoch.
func (p *Partition) change(r *metarecord.PartitionChange) *Partition {
	q := *p
	q.PartitionEpoch++
	if r.Leader != noLeaderChange {
		q.Leader = r.Leader
		q.LeaderEpoch++
	}
	if r.LeaderRecoveryState >= 0 {
		q.Recovery = r.LeaderRecoveryState
	}
	setUnlessNil(&q.ISR, r.ISR)
	setUnlessNil(&q.Replicas, r.Replicas)
	setUnlessNil(&q.Removing, r.RemovingReplicas)
	setUnlessNil(&q.Adding, r.AddingReplicas)
	setUnlessNil(&q.Directories, r.Directories)
	setUnlessNil(&q.ELR, r.EligibleLeaderReplicas)
	setUnlessNil(&q.LastKnownELR, r.LastKnownELR)
	setUnlessNil(&q.Doubtful, r.Doubtful)
	return &q
}

func setUnlessNil[T any](dst *[]T, v []T) {
	if v != nil {
		*dst = nilIfEmpty(v)
	}
}

func nilIfEmpty[T any](v []T) []T {
	if len(v) == 0 {
		return nil
	}
	return v
}
