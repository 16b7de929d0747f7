package observe

// Source gives the node's numbers.
type Source interface {
	// Snapshot fills s, which is empty. It is called at every scrape, from
	// several goroutines at most one at a time, and must not wait for a disk.
	Snapshot(s *Snapshot)
}

// Snapshot is what the node counted and measured, at one time. Counters only
// grow. Fields that are left at zero are shown as zero; empty lists show
// nothing.
type Snapshot struct {
	Version     string // of the program
	BrokerState int    // Kafka's: 1 starting, 2 recovery, 3 running, 6 pending controlled shutdown, 7 shutting down

	Topics        []Topic
	BytesRejected uint64
	FailedProduce uint64 // partitions of Produce requests that failed
	FailedFetch   uint64 // partitions of Fetch requests that failed
	FetchSessions int    // incremental fetch sessions
	Listeners     []Listener
	Requests      []Request
	MemoryUsed    int64  // bytes of requests under way
	MemoryMax     int64  // their budget
	MemoryEvicted uint64 // connections closed to free memory
	Partitions    []Partition
	Replication   Replication
	Dirs          []Dir
	Controller    Controller
	Raft          Raft
	GroupsByState []GroupCount
	GroupOffsets  int // committed offsets that are held
	ImageOffset   int64

	LogLinesDropped uint64 // of the process's log
}

// Topic counts what went through a topic on this broker.
type Topic struct {
	Name                     string
	MessagesIn               uint64
	BytesIn, BytesOut        uint64
	ProduceRequests, Fetches uint64
}

// Listener counts the connections of one listener.
type Listener struct {
	Name              string
	Connections       int64
	Accepted, Refused uint64 // refused: closed for a malformed or unserved request
	OverHost          uint64 // closed for the limit of their address
	BlockedNanos      uint64 // time that accepting waited for a connection to end
	ThrottledNanos    uint64 // time that it waited for the rates of new connections
	BytesIn, BytesOut uint64
}

// Request counts the requests of one API.
type Request struct {
	Name  string // as Kafka's exporter has it: Produce, Fetch, ApiVersions
	Count uint64
	Nanos uint64 // time from the request's arrival to its answer
	Bytes uint64
}

// Partition is one replica on this broker.
type Partition struct {
	Topic     string
	Partition int32
	Leader    bool
	Offline   bool
	Replicas  int
	InSync    int
	MinInSync int
	LogStart  int64
	LogEnd    int64
	Segments  int
	Bytes     int64
}

// Replication is what goes between this broker and others.
type Replication struct {
	BytesIn, BytesOut   uint64 // of records, fetched as a follower and sent as a leader
	MaxLag              int64  // most records that a follower here lacks to its leader's high watermark
	FailedPartitions    int    // followers here that wait after a failure
	CorruptAnswers      uint64
	DisconnectedLeaders int
	Shrinks, Expands    uint64 // of ISRs led here
	RefusedISRs         uint64 // changes of ISR that the controller refused, or did not answer
}

// Dir is one log directory.
type Dir struct {
	Path            string
	Offline         bool
	Turns           uint64 // of the append lane
	Appends         uint64
	AppendedBytes   uint64
	DirectSyncs     uint64 // files synced for acknowledgements
	JournalCommits  uint64
	JournalBytes    uint64
	BackgroundSyncs uint64
	PendingBytes    int64 // written and not yet durable
	OpenFiles       int
	SyncMillis      int64 // how long the sync under way has taken, 0 for none
}

// Controller is what the controller on this node knows; only the active one
// has numbers of the cluster.
type Controller struct {
	Active            bool
	ActiveBrokers     int
	FencedBrokers     int
	Topics            int
	Partitions        int
	OfflinePartitions int
	PreferredAway     int // partitions whose leader is not the preferred replica
	UncleanElections  uint64
}

// Raft is the metadata quorum as this node sees it.
type Raft struct {
	State         string // leader, follower, candidate, observer; empty shows nothing
	Leader        int32  // -1 for none
	Epoch         int32
	HighWatermark int64
	LogEnd        int64
	Voters        int
}

// GroupCount is how many groups of this coordinator are in a state.
type GroupCount struct {
	State string // Empty, PreparingRebalance, CompletingRebalance, Stable
	Count int
}
