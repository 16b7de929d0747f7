package coord

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/internal/invariant"
)

// repliesWaitingMax bounds the requests that one coordinator has not answered
// yet: joins and syncs that wait for others, and answers that wait for the
// high watermark. Beyond it requests are refused as COORDINATOR_NOT_AVAILABLE.
const repliesWaitingMax = 1 << 20

// State is where a Runtime is in its life.
type State uint8

const (
	// Idle: this broker does not lead the partition. Requests: NOT_COORDINATOR.
	Idle State = iota
	// Loading: the log is being read. Requests: COORDINATOR_LOAD_IN_PROGRESS.
	Loading
	// Active: requests are decided.
	Active
	// Failed: an append failed; the log must be read anew (Begin). Requests:
	// COORDINATOR_NOT_AVAILABLE, which clients retry.
	Failed
)

func (s State) String() string {
	return [...]string{"idle", "loading", "active", "failed"}[s]
}

// Log is the partition in which the coordinator keeps its state. The shard
// that runs the Runtime leads it.
type Log interface {
	// Append appends records as one batch and returns the offset of the last
	// of them. It never waits, and takes nothing on an error: not the leader
	// any more, too large (ErrTooLarge), no space. records and the bytes under
	// them are not kept. Of the Runtime it may call Committed and Fail; what
	// they would answer comes with the call that appends.
	Append(t Times, records []Record) (last int64, err error)
}

// ErrTooLarge is what Log.Append answers to more than max.message.bytes: an
// Outcome is never split. Machines look first (see Fits); to meet it here is
// a failed append like any other.
var ErrTooLarge = errors.New("records of one decision exceed max.message.bytes")

// Config is what a Runtime is made of.
type Config struct {
	// New makes an empty machine.
	New func() Machine
	// Log takes the records.
	Log Log
	// Events takes what the machine tells of its decisions.
	Events event.Sink
}

// Runtime carries the coordinator of one partition through its life. Make it
// with NewRuntime. All methods return at once; slices of replies are valid
// until the next call.
type Runtime struct {
	cfg     Config
	state   State
	machine Machine
	err     error // why Failed

	end           int64 // one past the last record loaded or appended
	highWatermark int64
	requests      map[Token]Request // not answered yet
	waiting       []waiting         // by after, then by decision
	waitingFrom   int               // the first of waiting that is still there
	appending     bool              // Log.Append runs, and may call back
	failure       error             // that came while appending
	ready         []Reply           // the result of the call that runs
}

// waiting is a reply that leaves when the high watermark reaches after.
type waiting struct {
	after int64
	reply Reply
}

// NewRuntime returns an idle Runtime.
func NewRuntime(cfg Config) (*Runtime, error) {
	if cfg.New == nil || cfg.Log == nil || cfg.Events == nil {
		return nil, fmt.Errorf("coordinator runtime: a machine, a log and a sink of events are needed")
	}
	return &Runtime{cfg: cfg}, nil
}

// State is where the Runtime is in its life.
func (r *Runtime) State() State { return r.state }

// Err is why the Runtime failed, nil in other states.
func (r *Runtime) Err() error { return r.err }

// Machine is the machine, nil when idle or failed. It is for reading
// (metrics, tests); whoever changes it breaks the order of things.
func (r *Runtime) Machine() Machine { return r.machine }

// Census is how much the machine holds, nothing where there is none that
// serves.
func (r *Runtime) Census() []Count {
	if r.state != Active {
		return nil
	}
	return r.machine.Census()
}

// Waiting is the number of requests that are not answered yet.
func (r *Runtime) Waiting() int { return len(r.requests) }

// Begin starts to load, as the new leader or after a failure; the log begins
// at start. A machine that is there is dropped first.
func (r *Runtime) Begin(start int64) []Reply {
	invariant.Check(!r.appending, "begin from within an append")
	r.ready = r.ready[:0]
	r.drop(kafka.ErrNotCoordinator)
	r.machine = r.cfg.New()
	r.state, r.err = Loading, nil
	r.end, r.highWatermark = start, 0
	return r.ready
}

// Replay gives one record of the log to the machine, in the order of offsets,
// while loading. Control batches are not given; batches without a record of
// interest (compacted, control) may leave gaps. An error names a record that
// the machine does not understand: the caller decides whether to go on.
func (r *Runtime) Replay(rec Record, offset int64) error {
	invariant.Check(r.state == Loading, "replay in state %s", r.state)
	invariant.Check(offset >= r.end, "replay of offset %d after %d", offset, r.end)
	r.end = offset + 1
	return r.machine.Replay(rec, offset)
}

// Loaded ends the load: the log was given up to end (its log end offset), and
// its high watermark is highWatermark. Requests are decided from here on.
func (r *Runtime) Loaded(t Times, topics Topics, end, highWatermark int64) {
	invariant.Check(r.state == Loading, "loaded in state %s", r.state)
	invariant.Check(end >= r.end, "loaded up to %d, but records up to %d were given", end, r.end)
	r.end, r.highWatermark = end, highWatermark
	r.state = Active
	r.machine.Loaded(t, topics)
}

// Handle decides on one request.
func (r *Runtime) Handle(t Times, topics Topics, req Request) []Reply {
	r.ready = r.ready[:0]
	if code := r.refusal(); code != kafka.ErrNone {
		return append(r.ready, Reply{req.Token, r.refuser().Refuse(req.Body, code)})
	}
	_, taken := r.requests[req.Token]
	invariant.Check(!taken, "token %d is in use", req.Token)
	if r.requests == nil {
		r.requests = make(map[Token]Request)
	}
	r.requests[req.Token] = req
	r.take(t, r.machine.Handle(t, topics, req))
	return r.ready
}

// refusal is the code with which every request is refused now, or ErrNone.
func (r *Runtime) refusal() kafka.ErrorCode {
	switch {
	case r.state == Idle:
		return kafka.ErrNotCoordinator
	case r.state == Loading:
		return kafka.ErrCoordinatorLoadInProgress
	case r.state == Failed, len(r.requests) >= repliesWaitingMax:
		return kafka.ErrCoordinatorNotAvailable
	}
	return kafka.ErrNone
}

// refuser is a machine that shapes refusals; its state does not matter.
func (r *Runtime) refuser() Machine {
	if r.machine != nil {
		return r.machine
	}
	return r.cfg.New()
}

// Deleted tells the machine of topics that are gone.
func (r *Runtime) Deleted(t Times, topics Topics, deleted []DeletedTopic) []Reply {
	r.ready = r.ready[:0]
	if r.state == Active {
		r.take(t, r.machine.Deleted(t, topics, deleted))
	}
	return r.ready
}

// Tick lets time pass. It is wanted at Deadline.
func (r *Runtime) Tick(t Times, topics Topics) []Reply {
	r.ready = r.ready[:0]
	if r.state == Active {
		r.take(t, r.machine.Tick(t, topics))
	}
	return r.ready
}

// Deadline is when Tick is wanted next.
func (r *Runtime) Deadline() (at clock.Mono, ok bool) {
	if r.state != Active {
		return 0, false
	}
	return r.machine.Deadline()
}

// Committed says that the high watermark is now hw: every record below it is
// committed.
func (r *Runtime) Committed(hw int64) []Reply {
	if r.state != Active || hw <= r.highWatermark {
		return nil
	}
	r.highWatermark = hw
	if r.appending {
		return nil
	}
	r.ready = r.ready[:0]
	r.release()
	return r.ready
}

// release lets go the replies that the high watermark has passed.
func (r *Runtime) release() {
	hw := r.highWatermark
	for r.waitingFrom < len(r.waiting) && r.waiting[r.waitingFrom].after <= hw {
		w := &r.waiting[r.waitingFrom]
		r.answer(w.reply)
		*w = waiting{}
		r.waitingFrom++
	}
	switch {
	case r.waitingFrom == len(r.waiting):
		r.waiting, r.waitingFrom = r.waiting[:0], 0
	case r.waitingFrom > len(r.waiting)/2:
		n := copy(r.waiting, r.waiting[r.waitingFrom:])
		clear(r.waiting[n:])
		r.waiting, r.waitingFrom = r.waiting[:n], 0
	}
}

// Fail says that an append which was taken will never be committed (a failed
// write), or that loading failed. The machine is dropped; its requests get
// COORDINATOR_NOT_AVAILABLE. Begin loads anew.
func (r *Runtime) Fail(err error) []Reply {
	if r.appending {
		r.failure = err
		return nil
	}
	r.ready = r.ready[:0]
	r.fail(err)
	return r.ready
}

// Unload says that this broker leads the partition no more. The machine is
// dropped; its requests get NOT_COORDINATOR.
func (r *Runtime) Unload() []Reply {
	invariant.Check(!r.appending, "unload from within an append")
	r.ready = r.ready[:0]
	r.drop(kafka.ErrNotCoordinator)
	r.state, r.err = Idle, nil
	return r.ready
}

// take carries out what the machine decided.
func (r *Runtime) take(t Times, out Outcome) {
	for _, ev := range out.Events {
		r.cfg.Events.Emit(ev)
	}
	for _, reply := range out.Immediate {
		r.answer(reply)
	}
	if len(out.Records) > 0 {
		if err := r.appendRecords(t, out.Records); err != nil {
			r.fail(fmt.Errorf("append %d coordinator records at offset %d: %w", len(out.Records), r.end, err))
			return
		}
	}
	if len(out.Records) == 0 && (!out.Barrier || r.end <= r.highWatermark) {
		for _, reply := range out.Replies {
			r.answer(reply)
		}
		return
	}
	for _, reply := range out.Replies {
		r.waiting = append(r.waiting, waiting{after: r.end, reply: reply})
	}
	r.release()
}

// appendRecords gives records to the log.
func (r *Runtime) appendRecords(t Times, records []Record) error {
	r.appending = true
	last, err := r.cfg.Log.Append(t, records)
	r.appending = false
	if err = errors.Join(err, r.failure); err != nil {
		r.failure = nil
		return err
	}
	invariant.Check(last >= r.end, "appended up to %d, below the end %d", last, r.end)
	r.end = last + 1
	return nil
}

// answer lets a reply leave.
func (r *Runtime) answer(reply Reply) {
	_, ok := r.requests[reply.Token]
	invariant.Check(ok, "reply for token %d, which nobody waits for", reply.Token)
	delete(r.requests, reply.Token)
	r.ready = append(r.ready, reply)
}

// fail drops the machine until the log is read anew.
func (r *Runtime) fail(err error) {
	if r.state == Idle || r.state == Failed {
		return
	}
	r.drop(kafka.ErrCoordinatorNotAvailable)
	r.state, r.err = Failed, err
}

// drop forgets the machine and answers whoever waits, in the order of tokens.
func (r *Runtime) drop(code kafka.ErrorCode) {
	left := make([]Request, 0, len(r.requests))
	for _, req := range r.requests { //det:ok sorted below
		left = append(left, req)
	}
	slices.SortFunc(left, func(a, b Request) int { return cmp.Compare(a.Token, b.Token) })
	for _, req := range left {
		r.ready = append(r.ready, Reply{req.Token, r.machine.Refuse(req.Body, code)})
	}
	r.machine, r.requests, r.waiting, r.waitingFrom = nil, nil, nil, 0
}
