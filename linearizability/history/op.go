package history

// Never is the Return of an operation whose answer never came.
const Never int64 = -1

// Unknown is a number of any type that the recorder does not have.
const Unknown = -1

// Kind says what an operation asked.
type Kind string

// The kinds, with the body that each carries.
const (
	KindProduce        Kind = "produce"          // Produce
	KindFetch          Kind = "fetch"            // Read: one fetch at a stated position
	KindPoll           Kind = "poll"             // Read: what a consumer got next
	KindScan           Kind = "scan"             // Read: a replica's whole log, uncommitted tail included
	KindListOffsets    Kind = "list-offsets"     // ListOffsets
	KindEpochEnd       Kind = "epoch-end"        // EpochEnd (OffsetForLeaderEpoch)
	KindSessionFetch   Kind = "session-fetch"    // Session
	KindCommitOffset   Kind = "commit-offset"    // Offset
	KindFetchOffset    Kind = "fetch-offset"     // Offset
	KindAssign         Kind = "assign"           // Group: joined, synced or heartbeat with an assignment
	KindLeaveGroup     Kind = "leave-group"      // Group
	KindDeleteGroup    Kind = "delete-group"     // Group
	KindSeek           Kind = "seek"             // none: the client moved its position in this partition itself
	KindCreateTopic    Kind = "create-topic"     // none
	KindDeleteTopic    Kind = "delete-topic"     // none
	KindAlterConfig    Kind = "alter-config"     // Config
	KindDescribeConfig Kind = "describe-config"  // Config
	KindInitProducerID Kind = "init-producer-id" // Producer
	KindDeleteRecords  Kind = "delete-records"   // Delete
	KindMetadata       Kind = "metadata"         // none
	KindEndTxn         Kind = "end-txn"          // Txn
)

// Outcome is what the client knows of an operation's effect.
type Outcome string

// The outcomes.
const (
	OutcomeOK     Outcome = "ok"
	OutcomeFailed Outcome = "failed" // definite: nothing happened, and nothing will
	OutcomeMaybe  Outcome = "maybe"  // it happened, will happen, or never will
)

// Op is one operation. Exactly the body of its kind is there, except in a read
// or answer that failed, which may do without.
type Op struct {
	ID      int64   `json:"id"`                // above 0, of this operation alone
	Request int64   `json:"request,omitempty"` // shared by operations that travelled together, 0 for none
	Client  string  `json:"client"`            // whoever waits for the answer
	Node    int32   `json:"node"`              // the broker that was asked, Unknown
	Kind    Kind    `json:"kind"`
	Invoke  int64   `json:"invoke"` // ns of true time
	Return  int64   `json:"return"` // ns of true time, not below Invoke, or Never
	Outcome Outcome `json:"outcome"`
	Code    int16   `json:"code"` // Kafka's error code, 0 if none came

	Topic     string `json:"topic,omitempty"` // topic id, "" where none is meant
	Partition int32  `json:"partition"`

	Produce     *Produce     `json:"produce,omitempty"`
	Read        *Read        `json:"read,omitempty"`
	ListOffsets *ListOffsets `json:"listOffsets,omitempty"`
	EpochEnd    *EpochEnd    `json:"epochEnd,omitempty"`
	Session     *Session     `json:"session,omitempty"`
	Offset      *Offset      `json:"offset,omitempty"`
	Group       *Group       `json:"group,omitempty"`
	Config      *Config      `json:"config,omitempty"`
	Producer    *Producer    `json:"producer,omitempty"`
	Delete      *Delete      `json:"delete,omitempty"`
	Txn         *Txn         `json:"txn,omitempty"`
}

// OK reports whether the client was told that the operation is done.
func (o *Op) OK() bool { return o.Outcome == OutcomeOK }

// Record is one record, as sent or as read. ProducerID and Sequence are Unknown
// without idempotence; Offset is Unknown in a batch to be sent, Epoch is the
// leader epoch of the record's batch, Unknown if the client did not see it.
type Record struct {
	Offset        int64  `json:"o"`
	Epoch         int32  `json:"e"`
	Key           string `json:"k,omitempty"`
	Value         uint64 `json:"v,string"` // hash of the value
	TimestampMs   int64  `json:"t"`
	ProducerID    int64  `json:"p"`
	ProducerEpoch int16  `json:"pe"`
	Sequence      int32  `json:"s"`
}

// Produce is one batch to one partition.
type Produce struct {
	Acks          int16    `json:"acks"` // -1 all, 1, 0
	ProducerID    int64    `json:"producerId"`
	ProducerEpoch int16    `json:"producerEpoch"`
	BaseSequence  int32    `json:"baseSequence"`
	Txn           string   `json:"txn,omitempty"`     // names one transaction of one transactional id
	Repeats       bool     `json:"repeats,omitempty"` // the client may have sent it again without idempotence
	Bytes         int64    `json:"bytes"`             // size of the batch as sent, 0 if unknown
	BaseOffset    int64    `json:"baseOffset"`        // as answered, Unknown
	LogStart      int64    `json:"logStart"`          // as answered, Unknown
	Records       []Record `json:"records"`
}

// Read is what came back from a partition.
type Read struct {
	Position      int64    `json:"position"`            // the offset asked for, Unknown in a poll
	Committed     bool     `json:"committed,omitempty"` // read_committed
	LeaderEpoch   int32    `json:"leaderEpoch"`         // of the partition, as the client knew it
	HighWatermark int64    `json:"highWatermark"`
	LastStable    int64    `json:"lastStable"`
	LogStart      int64    `json:"logStart"`
	Follower      bool     `json:"follower,omitempty"` // a follower answered (KIP-392)
	Final         bool     `json:"final,omitempty"`    // nothing was under way any more
	Txn           string   `json:"txn,omitempty"`      // the transaction that the reader was in
	Records       []Record `json:"records,omitempty"`
}

// The timestamps that ListOffsets gives a meaning.
const (
	Latest       int64 = -1
	Earliest     int64 = -2
	MaxTimestamp int64 = -3
)

// ListOffsets looks an offset up by time. Offset is Unknown if the answer was
// that there is none.
type ListOffsets struct {
	Target      int64 `json:"target"` // ms, or Latest, Earliest, MaxTimestamp
	Committed   bool  `json:"committed,omitempty"`
	Offset      int64 `json:"offset"`
	TimestampMs int64 `json:"timestamp"`
}

// EpochEnd asks where a leader epoch ended.
type EpochEnd struct {
	Asked     int32 `json:"asked"`
	Epoch     int32 `json:"epoch"` // of the answer, Unknown if there is none
	EndOffset int64 `json:"endOffset"`
}

// Session is one incremental fetch, with what sessionless fetches of the same
// partitions answered just before and just after it. Since is when the first of
// them was asked, Until when the last was answered, in ns of true time.
type Session struct {
	Since     int64            `json:"since"`
	Until     int64            `json:"until"`
	ID        int32            `json:"id"`    // 0 in the fetch that makes one
	Made      int32            `json:"made"`  // the id in the answer
	Epoch     int32            `json:"epoch"` // 0 makes it anew
	Requested []SessionPart    `json:"requested,omitempty"`
	Forgotten []TopicPartition `json:"forgotten,omitempty"`
	Answered  []SessionPart    `json:"answered,omitempty"`
	Before    []SessionPart    `json:"before,omitempty"`
	After     []SessionPart    `json:"after,omitempty"`
}

// SessionPart is one partition in a fetch or in its answer.
type SessionPart struct {
	TopicPartition
	Position      int64 `json:"position"`
	HighWatermark int64 `json:"highWatermark"`
	LogStart      int64 `json:"logStart"`
	First         int64 `json:"first"` // first offset that came back, Unknown for none
	Code          int16 `json:"code"`
}

// TopicPartition names a partition by topic id.
type TopicPartition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
}

// Offset is a committed offset, written or read. Value is Unknown if there is
// none. Metadata that is unique per commit makes the check sharper.
type Offset struct {
	Group            string `json:"group"`
	Member           string `json:"member,omitempty"`
	Generation       int32  `json:"generation"` // Unknown for a commit from outside the group
	Value            int64  `json:"value"`
	Metadata         string `json:"metadata,omitempty"`
	CoordinatorEpoch int32  `json:"coordinatorEpoch"` // Unknown
}

// Group is a member's place in a group.
type Group struct {
	Group      string           `json:"group"`
	Member     string           `json:"member,omitempty"`
	Generation int32            `json:"generation"`         // of the classic protocol, or the member epoch
	Consumer   bool             `json:"consumer,omitempty"` // the protocol of KIP-848
	Topics     []string         `json:"topics,omitempty"`   // topic ids subscribed to
	Partitions []TopicPartition `json:"partitions,omitempty"`
}

// Config is one setting of one resource, written or read. Unset says that there
// is no value of its own.
type Config struct {
	Resource string `json:"resource"` // "topic/<topic id>", "broker/1", "broker/"
	Name     string `json:"name"`
	Value    string `json:"value"`
	Unset    bool   `json:"unset,omitempty"`
}

// Producer is what init-producer-id answered.
type Producer struct {
	TransactionalID string `json:"transactionalId,omitempty"`
	ID              int64  `json:"id"`
	Epoch           int16  `json:"epoch"`
}

// Delete asks to delete the records below Before, Latest (-1) for all up to the
// high watermark; LowWatermark is the log start answered.
type Delete struct {
	Before       int64 `json:"before"`
	LowWatermark int64 `json:"lowWatermark"`
}

// Txn ends a transaction.
type Txn struct {
	Txn    string `json:"txn"`
	Commit bool   `json:"commit"`
}
