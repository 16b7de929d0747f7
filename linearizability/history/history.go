package history

// Format and Version are what the first line of a history says.
const (
	Format  = "moldau-history"
	Version = 2
)

// History is one run.
type History struct {
	Header Header
	Topics []Topic
	Ops    []Op
	Events []Event
	End    int64 // ns of true time
}

// Header is what holds for the whole run.
type Header struct {
	Format    string `json:"format"`
	Version   int    `json:"version"`
	Seed      uint64 `json:"seed,string"`
	Scenario  string `json:"scenario,omitempty"`
	EpochMs   int64  `json:"epochMs"`   // wall clock, ms, at true time 0
	SkewMaxMs int64  `json:"skewMaxMs"` // no broker's wall clock was ever further from the true one
	// Elections says that each unclean election which lost records lawfully is an
	// EventUnclean: then power loss alone excuses nothing.
	Elections bool `json:"elections,omitempty"`
}

// Durability is a topic's promise about power loss.
type Durability string

// The durabilities.
const (
	DurabilitySync Durability = "sync"
	DurabilityOS   Durability = "os"
)

// Topic is a topic id and what was promised for it when it was made.
type Topic struct {
	ID             string     `json:"id"`
	Name           string     `json:"name"`
	Partitions     int32      `json:"partitions"`
	Durability     Durability `json:"durability"`
	RetentionMs    int64      `json:"retentionMs"`    // -1 for ever
	RetentionBytes int64      `json:"retentionBytes"` // -1 without limit
	AppendTime     bool       `json:"appendTime,omitempty"`
	Sparse         bool       `json:"sparse,omitempty"` // compacted or transactional: offsets may be missing
}

// EventKind is a fault, or a mark that a checker needs.
type EventKind string

// The events. Topic and Partition say what is struck; without a topic it is
// everything on the node, without a node (Unknown) everything.
const (
	EventCrash     EventKind = "crash"      // a process was killed; what it wrote stays
	EventPowerLoss EventKind = "power-loss" // what was not synced is gone
	EventRestart   EventKind = "restart"
	EventPause     EventKind = "pause"
	EventResume    EventKind = "resume"
	EventDamage    EventKind = "damage"           // more was destroyed than the promise must survive
	EventReplaced  EventKind = "replaced"         // the node's copy of the partition was thrown away, to be copied from others
	EventUnclean   EventKind = "unclean-election" // the operator allowed loss, or the last known leader led
	// EventLeader: Node leads the partition from now on. With the Name StaleLeader
	// it is the contrary: Node held itself for the leader until now, though another
	// one had begun to lead.
	EventLeader      EventKind = "leader-change"
	EventClock       EventKind = "clock"       // SkewMs of the node's wall clock from now on
	EventGroupReset  EventKind = "group-reset" // Name is a group that was forgotten lawfully
	EventHealed      EventKind = "healed"      // faults are over; Clients make progress within DeadlineNs
	EventCleanStop   EventKind = "clean-stop"  // Left was still there when the node had stopped
	EventOutlived    EventKind = "outlived"    // Left was still there long after the process Name had ended
	EventCorrupt     EventKind = "corrupt"     // a client was given bytes with a wrong checksum, and nothing struck that may do that
	EventPrompt      EventKind = "prompt"      // nothing that strikes holds an answer up: from now on each is there within DeadlineNs
	EventAvailable   EventKind = "available"   // whatever is cut or down, an append to the partition with acks -1 is acknowledged within DeadlineNs
	EventReadError   EventKind = "read-error"  // a read of the partition's files failed, and no other
	EventFlip        EventKind = "flip"        // a read of the partition's log returned a wrong bit, which the disk does not have
	EventNetworkCut  EventKind = "network-cut"
	EventNetworkHeal EventKind = "network-heal"
	EventFault       EventKind = "fault" // any other; Name says which
)

// Names that change what an event means.
const (
	// StaleLeader is the Name of an EventLeader.
	StaleLeader = "stale"
	// SparedCopies is the Name of an EventDamage of one copy, of which others are
	// left: clients may meet it, and nothing is lost by it.
	SparedCopies = "spared"
	// Misdirected is the Name of an EventDamage by a write that was meant for another
	// place: whole batches of another log may be read there.
	Misdirected = "misdirect"
)

// Event is one fault or mark.
type Event struct {
	Kind       EventKind  `json:"kind"`
	At         int64      `json:"at"` // ns of true time
	Node       int32      `json:"node"`
	Topic      string     `json:"topic,omitempty"`
	Partition  int32      `json:"partition"`
	Name       string     `json:"name,omitempty"`
	SkewMs     int64      `json:"skewMs,omitempty"`
	Clients    []string   `json:"clients,omitempty"`
	DeadlineNs int64      `json:"deadlineNs,omitempty"`
	Left       []Leftover `json:"left,omitempty"`
}

// Leftover is something that a process left behind.
type Leftover struct {
	What    string `json:"what"` // goroutines, descriptors, bytes, timers
	Count   int64  `json:"count"`
	Allowed int64  `json:"allowed"`
}
