package coord

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/clock"
)

// Record is one record of an internal topic. A nil Value is a tombstone.
type Record struct{ Key, Value []byte }

// Times is one reading of both clocks: wall time in milliseconds for what is
// stored, monotonic time for sessions and timeouts.
type Times struct {
	Wall int64
	Mono clock.Mono
}

// Token names a request that waits for its answer. The caller chooses it,
// unique among the requests of a Runtime that are not answered yet; tokens
// that grow with arrival make the errors of a dropped machine come in the
// order of arrival.
type Token uint64

// Request is one client's request for the coordinator.
type Request struct {
	Token Token
	// Body is the request, which the caller gives away until it is answered.
	// Its strings are its own (kmsg's ReadFrom); memory under its byte slices
	// may be reused once Handle has returned.
	Body kmsg.Request
	// ClientID and ClientHost are the sender's, as the member of a group
	// carries them. Host has Kafka's form, "/127.0.0.1".
	ClientID, ClientHost string
	// Random is fresh entropy for an identity that the request may cause to
	// be made (a member id).
	Random kafka.UUID
}

// Reply answers one request.
type Reply struct {
	Token    Token
	Response kmsg.Response
}

// Outcome is what a Machine decided in one step.
type Outcome struct {
	// Records are appended as one batch, all or none.
	Records []Record
	// Replies leave when the high watermark has passed Records; at once when
	// there are none, unless Barrier is set. Their tokens may be of earlier
	// requests: one answer may release many.
	Replies []Reply
	// Barrier makes Replies wait for everything that was appended before this
	// step: they show state that may not be committed yet.
	Barrier bool
	// Immediate leave at once, whatever happens to Records: they show nothing
	// of the log (a heartbeat, a refused join).
	Immediate []Reply
	// Events tell log, metrics and trace what was decided.
	Events []event.Event
}

// Topics is what a coordinator needs of the metadata image.
type Topics interface {
	// Name is the name of the topic with that id.
	Name(id kafka.UUID) (string, bool)
	// ID is the id of the topic of that name.
	ID(name string) (kafka.UUID, bool)
	// Partitions is the topic's number of partitions, 0 when there is no such topic.
	Partitions(name string) int
}

// DeletedTopic is a topic that the metadata no longer has.
type DeletedTopic struct {
	Name string
	ID   kafka.UUID
}

// Machine is the coordinator of one partition. It is a plain value without
// goroutines or clocks; one caller at a time.
//
// Handle, Deleted and Tick change the state before their records are
// appended; see the package's comment for what follows.
type Machine interface {
	// Handle decides on one request. It may answer it now, in a later Outcome
	// (then the Machine remembers the token), and others with it.
	Handle(t Times, topics Topics, req Request) Outcome
	// Deleted tells of topics that are gone.
	Deleted(t Times, topics Topics, deleted []DeletedTopic) Outcome
	// Replay applies one record of the log, at load only, in the order of
	// offsets. Key and Value are valid during the call only. An error means
	// that the record cannot be understood; the Machine is as before it.
	Replay(rec Record, offset int64) error
	// Loaded says that the log was read to its end: timers start.
	Loaded(t Times, topics Topics)
	// Tick lets time pass. A Machine bounds the work of one Tick; if more is
	// due, Deadline is at or before t.
	Tick(t Times, topics Topics) Outcome
	// Deadline is when Tick is wanted next.
	Deadline() (at clock.Mono, ok bool)
	// Refuse is the answer to a request that the Machine does not decide:
	// code in every place where this request's answer carries one.
	Refuse(req kmsg.Request, code kafka.ErrorCode) kmsg.Response
	// Census is how much there is of what the Machine holds, for metrics: the
	// same names in the same order at every call. Its cost does not depend on
	// the numbers.
	Census() []Count
}

// Count is a number of things.
type Count struct {
	What string
	N    int
}
