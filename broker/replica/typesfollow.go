package replica

import (
	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
)

// Position is what a follower says of itself to the leader, in a fetch or in a
// DurableReport.
type Position struct {
	Broker      int32
	BrokerEpoch int64 // -1 for unknown: then it counts for nothing
	LeaderEpoch int32 // under which it was sent
	LEO         int64
	LastEpoch   int32 // of the last batch, NoEpoch for an empty log
	// Durable is D; -1 for unknown. DurableEpoch is the epoch of the batch below it.
	Durable      int64
	DurableEpoch int32
	LogStart     int64 // the durable one; -1 for unknown
}

// Member is a replica of a proposed ISR, and the broker epoch of the
// incarnation that is meant.
type Member struct {
	Broker int32
	Epoch  int64
}

// Proposal is an ISR that the leader asks the controller for (AlterPartition).
type Proposal struct {
	ID                          kafka.TopicPartition
	LeaderEpoch, PartitionEpoch int32
	ISR                         []Member
	// Whole are members of ISR whose doubt mark this proposal takes off.
	Whole []int32
	// Recovered is the LeaderRecoveryState to send: RECOVERED, or RECOVERING.
	Recovered bool
	Attempt   uint64 // comes back in ProposalResult
}

// ProposalResult is what became of a Proposal.
type ProposalResult struct {
	Attempt uint64
	Code    kafka.ErrorCode
	// Unanswered: the connection broke, or the time was up. The request may
	// have been taken, or may yet be.
	Unanswered bool
	// PartitionEpoch is the one that an accepted proposal begins.
	PartitionEpoch int32
}

// Ask is what a follower fetches next, and the state that it asks under.
type Ask struct {
	Leader        int32
	LeaderEpoch   int32
	Offset        int64 // LEO
	LastEpoch     int32 // of the last batch, NoEpoch for an empty log
	Durable       int64
	DurableEpoch  int32 // of the batch below Durable
	LogStart      int64 // the durable one
	HighWatermark int64
	Incarnation   uint64
}

// Answer is a leader's answer to an Ask, for one partition.
type Answer struct {
	Ask                     Ask
	Code                    kafka.ErrorCode
	HighWatermark, LogStart int64
	Diverging               EpochEnd // Epoch >= 0 where the log left the leader's
	// Batches are whole, their checksums right; Data holds exactly these, and
	// belongs to the machine from here on.
	Batches []seglog.Batch
	Data    buffer.Slice
}

// FollowerState is what the leader knows of a follower.
type FollowerState struct {
	Broker   int32
	LEO      int64 // -1 for unknown, like the next two
	Durable  int64
	LogStart int64
	InISR    bool
}
