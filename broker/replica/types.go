package replica

import (
	"time"

	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/internal/guard"
)

// Config is what a replica is made with. SetConfig changes the topic's part.
type Config struct {
	ID         kafka.TopicPartition
	Topic      string
	NodeID     int32
	Log        seglog.Config
	Durability kafka.Durability
	// MinISR is min.insync.replicas, for a Role that does not say it.
	MinISR int
	// RetentionCheck is how often retention is looked at
	// (log.retention.check.interval.ms); 0 means RetentionCheckDefault.
	RetentionCheck time.Duration
	// LagMax is how long a follower may stay behind before it leaves ISR
	// (replica.lag.time.max.ms); 0 means LagMaxDefault.
	LagMax time.Duration
	// Incarnation counts the replica's lives in this process: an answer to an
	// Ask of an earlier one is dropped (rule F2).
	Incarnation uint64
	// Out has the rules that the explorer takes out; none in a program.
	Out guard.Set
}

// Intervals of Tick.
const (
	// RetentionCheckDefault is Kafka's.
	RetentionCheckDefault = 5 * time.Minute
	// ProducerCheck is how often idle producer ids are forgotten
	// (producer.id.expiration.check.interval.ms).
	ProducerCheck = 10 * time.Minute
	// FullRetry is how long appends are refused before space is tried again.
	FullRetry = time.Second
	// LagMaxDefault is how long a follower may stay behind.
	LagMaxDefault = 5 * time.Second
	// ProposalRetry is how long after a refusal, or after a request that went
	// unanswered, ISR is proposed again.
	ProposalRetry = 500 * time.Millisecond
)

// Bounds of what may wait in one replica.
const (
	// AcksWaitingMax is how many produce requests wait for their ack.
	AcksWaitingMax = 1 << 17
	// DeletesWaitingMax is how many DeleteRecords requests wait.
	DeletesWaitingMax = 1 << 10
)

// Times is one reading of both clocks.
type Times struct {
	Wall int64 // ms since the epoch
	Mono clock.Mono
}

// Role is what one metadata image says of the partition. What it says of
// brokers may change while the partition's epochs stand: then it is applied
// again.
type Role struct {
	Leader         int32 // -1 for none
	LeaderEpoch    int32
	PartitionEpoch int32
	ISR            []int32
	// ELR has the replicas that may be elected though they are not in ISR (KIP-966).
	ELR      []int32
	Replicas []int32
	// BrokerEpochs are those of Replicas, in their order; -1 for a broker that
	// is not registered. Replicas beyond its end have none.
	BrokerEpochs []int64
	// Addable says of Replicas, in their order, which of their brokers are
	// registered, unfenced and not shutting down: they may be proposed for ISR.
	Addable []bool
	// Doubted has the replicas with a doubt mark.
	Doubted []int32
	// Recovering: LeaderRecoveryState is RECOVERING.
	Recovering bool
	// BrokerEpoch is the epoch that this process was registered under, 0 for
	// unknown. An image in which this broker has another one gives no role (rule L1).
	BrokerEpoch int64
	// MinISR is min.insync.replicas from the same image as ISR (rule L3). Where
	// it changes alone, the role is applied again. 0: as Config says.
	MinISR int
}

// NoEpoch stands for a request's missing leader epoch.
const NoEpoch int32 = -1

// Acks as the protocol has them.
const (
	AcksNone   int8 = 0
	AcksLeader int8 = 1
	AcksAll    int8 = -1
)

// Produce is one validated batch for this partition.
type Produce struct {
	Batch seglog.Batch
	Data  buffer.Slice // the batch's bytes; base offset and leader epoch are patched in place
	Acks  int8
	Token uint64 // comes back in the Ack
	// LeaderEpoch is the epoch that the writer believes in, NoEpoch for
	// clients. A coordinator names the one it was loaded under.
	LeaderEpoch int32
	// Coordinator marks a batch that the broker made itself: no sequence check.
	Coordinator bool
}

// Ack ends a Produce or a DeleteRecords. One of acks=0 gets an Ack only when
// it failed, so that the connection can be closed, as Kafka does.
type Ack struct {
	Token         uint64
	Code          kafka.ErrorCode
	Message       string // for people, when Code is an error
	BaseOffset    int64  // -1 on errors
	LastOffset    int64  // -1 on errors
	LogAppendTime int64  // ms, -1 unless the timestamps are of append or the batch is a duplicate
	LogStart      int64  // for DeleteRecords: the low watermark
}

// Ready is what a step wants done. The caller keeps one, passes it in, carries
// its content out in order and calls Reset.
type Ready struct {
	Ops    []seglog.Op
	Acks   []Ack
	Events []event.Event
	// Proposals are to be sent to the controller as AlterPartition, each once;
	// ProposalDone tells what came of it.
	Proposals []Proposal
	// Advanced: high watermark, LEO, log start or role moved, so that waiting
	// fetches have to look again.
	Advanced bool
	// Reports: this follower's durable end moved, so that Report has news for
	// the leader.
	Reports bool
	// Follow: what NextAsk says may have changed.
	Follow bool
	// Backoff: the answer given to Fetched could not be applied, and the same
	// request would get the same answer: ask again later.
	Backoff bool
}

// Reset empties r and keeps its memory.
func (r *Ready) Reset() {
	clear(r.Ops)
	clear(r.Acks)
	clear(r.Events)
	clear(r.Proposals)
	r.Ops, r.Acks, r.Events, r.Proposals = r.Ops[:0], r.Acks[:0], r.Events[:0], r.Proposals[:0]
	r.Advanced, r.Reports, r.Follow, r.Backoff = false, false, false, false
}

// Fetch asks for records.
type Fetch struct {
	Offset             int64
	CurrentLeaderEpoch int32 // NoEpoch for none (KIP-320)
	LastFetchedEpoch   int32 // NoEpoch for none (KIP-595)
	MaxBytes           int
	AtLeastOne         bool // one batch may exceed MaxBytes
	ReadCommitted      bool
	// LeaderOnly: the client knows no fetching from followers (Fetch below version 11).
	LeaderOnly bool
}

// FetchAnswer says what may be read now. It is valid in this turn; the I/O
// side reads by Plan when Available is above 0.
type FetchAnswer struct {
	Code          kafka.ErrorCode
	HighWatermark int64
	// LastStable is the last stable offset, at most HighWatermark.
	LastStable int64
	LogStart   int64
	// Diverging is set (Epoch >= 0) when the fetcher's log left this one.
	Diverging EpochEnd
	// Available is the number of bytes that Plan covers without regard to
	// MaxBytes, 0 when there is nothing to read. Exact for recent appends,
	// else estimated, never 0 for something.
	Available int64
	Plan      seglog.ReadPlan
	// Aborted: transactions of the log may have been aborted; a read_committed
	// fetch collects them from the transaction indexes.
	Aborted bool
}

// EpochEnd is an answer to OffsetForLeaderEpoch.
type EpochEnd struct {
	Code   kafka.ErrorCode
	Epoch  int32 // -1 undefined
	Offset int64 // end offset, -1 undefined
}

// The special timestamps of ListOffsets.
const (
	TimestampLatest                = -1
	TimestampEarliest              = -2
	TimestampMax                   = -3
	TimestampEarliestLocal         = -4
	TimestampLatestTiered          = -5
	TimestampEarliestPendingUpload = -6
)

// ListOffset asks for an offset by timestamp.
type ListOffset struct {
	Timestamp          int64 // ms, or one of the special ones
	CurrentLeaderEpoch int32 // NoEpoch for none
	ReadCommitted      bool
	Debug              bool // replica id -2: any replica answers, up to its LEO
}

// ListOffsetAnswer is the answer, or the search that finds it.
type ListOffsetAnswer struct {
	Code        kafka.ErrorCode
	Offset      int64 // -1 for none
	Timestamp   int64 // -1 where the protocol says none
	LeaderEpoch int32 // -1 for unknown
	// Search counts, instead of the fields above, when Searches is set: the
	// I/O side has to look into segments.
	Search   TimeSearch
	Searches bool
}

// TimeSearch looks for the first record, in offset order, of at least
// Timestamp, or the first record with the largest timestamp (Max), from From on
// and below UpTo. If none is found the answer is offset -1, timestamp -1, and
// the code NotFound.
type TimeSearch struct {
	Timestamp int64
	Max       bool
	From      int64
	UpTo      int64
	NotFound  kafka.ErrorCode
}

// Status is a snapshot of the replica for people, metrics and registration.
type Status struct {
	Leader         bool
	LeaderEpoch    int32
	PartitionEpoch int32
	LogStart       int64
	HighWatermark  int64
	LastStable     int64
	Durable        int64
	LEO            int64
	Next           int64
	Segments       int
	Bytes          int64
	Producers      int
	Waiting        int // acks not yet given
	Offline        bool
	Full           bool // refusing appends until space returns
	Standing       seglog.Standing
}
