package workload

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/moldau/moldau/internal/simcore"
	"github.com/moldau/moldau/linearizability/history"
)

const (
	recorderBufferBytes = 64 << 10
	failuresMax         = 20 // kept as text; further ones are only counted
)

// Recorder writes a run's history, and trace lines between its lines, to one
// writer. All methods may be called concurrently; the lines come in the order of
// the calls. The first error of the writer stays and is Close's.
//
//	{"trace":{"t":ns,"lane":"c1","what":"text"}}
//
// are the trace lines; all others are history's.
type Recorder struct {
	base  simcore.Timebase
	begin time.Time

	mu       sync.Mutex
	buffer   *bufio.Writer
	writer   *history.Writer
	err      error
	closed   bool
	nextOp   int64
	nextReq  int64
	nextVal  uint64
	open     map[int64]*history.Op
	topics   []*Topic
	progress map[string]int64
	groups   []string // sorted
	counts   Counts
	damaged  map[history.TopicPartition]bool
	flipped  map[history.TopicPartition]int64 // the last time
	reported []Copy                           // of which damaged bytes came, not taken yet
	failures []string
	line     []byte
}

// Counts are the sums of a run so far.
type Counts struct {
	Ops      int64 // operations that ended
	OK       int64 // of which were acknowledged
	Acked    int64 // appends acknowledged with acks 1 or -1
	Records  int64 // read
	Rotten   int64 // answers with a batch whose checksum is wrong
	Failures int64 // what Fail was told
}

// NewRecorder begins a history at the present time of base, which no fault may
// touch.
func NewRecorder(out io.Writer, base simcore.Timebase, header history.Header) (*Recorder, error) {
	r := &Recorder{
		base: base, begin: base.Now(), buffer: bufio.NewWriterSize(out, recorderBufferBytes),
		open: map[int64]*history.Op{}, progress: map[string]int64{},
		damaged: map[history.TopicPartition]bool{}, flipped: map[history.TopicPartition]int64{},
	}
	w, err := history.NewWriter(r.buffer, header) // which takes a buffer of this size as its own
	if err != nil {
		return nil, fmt.Errorf("workload: %w", err)
	}
	r.writer = w
	return r, nil
}

// Now is true time: ns since the run began.
func (r *Recorder) Now() int64 { return int64(r.base.Now().Sub(r.begin)) }

// Trace writes a trace line. The lane is a node, a client, "net" or "inject".
func (r *Recorder) Trace(lane, what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	b := append(r.line[:0], `{"trace":{"t":`...)
	b = strconv.AppendInt(b, r.Now(), 10)
	b = append(b, `,"lane":`...)
	b = appendText(b, lane)
	b = append(b, `,"what":`...)
	b = appendText(b, what)
	b = append(b, "}}\n"...)
	r.line = b
	_, err := r.buffer.Write(b)
	r.keep(err)
}

// appendText appends s as a JSON string.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case c < ' ':
			b = append(b, `\u00`...)
			b = append(b, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		default:
			b = utf8.AppendRune(b, c)
		}
	}
	return append(b, '"')
}

// keep keeps the first error. The lock is held.
func (r *Recorder) keep(err error) {
	if r.err == nil {
		r.err = err
	}
}

// Event writes a fault or a mark; a time of 0 is now.
func (r *Recorder) Event(e history.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	if e.At == 0 {
		e.At = r.Now()
	}
	r.noteDamage(&e)
	r.keep(r.writer.Event(e))
}

// Fail notes what no history can say and no broker may do: an answer that cannot
// be decoded, or that nobody asked for. A run with failures is not ok.
func (r *Recorder) Fail(lane, what string) {
	r.Trace(lane, "FAILURE "+what)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.Failures++
	if len(r.failures) < failuresMax {
		r.failures = append(r.failures, lane+": "+what)
	}
}

// noteDamage keeps which bytes that nobody wrote a client may be given: of a
// partition whose log was damaged from then on, of one of which a read was
// flipped by whoever waits for an answer then. The lock is held.
func (r *Recorder) noteDamage(e *history.Event) {
	at := history.TopicPartition{Topic: e.Topic, Partition: e.Partition}
	switch {
	case e.Topic == "":
	case e.Kind == history.EventDamage:
		r.damaged[at] = true
	case e.Kind == history.EventFlip:
		r.flipped[at] = e.At
	}
}

// flips reports whether a read of an operation's partition was flipped since it
// began: of what its answer says outside of checksums nobody can say whether it
// is so on the disk.
func (r *Recorder) flips(op *history.Op) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, any := r.flipped[history.TopicPartition{Topic: op.Topic, Partition: op.Partition}]
	return any && at >= op.Invoke
}

// doubted reports whether a fault may have given an operation bytes of its
// partition that nobody wrote.
func (r *Recorder) doubted(op *history.Op) bool {
	if r.flips(op) {
		return true
	}
	return r.damagedAt(history.TopicPartition{Topic: op.Topic, Partition: op.Partition})
}

// damagedAt reports whether the log of a partition was damaged.
func (r *Recorder) damagedAt(at history.TopicPartition) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.damaged[at]
}

// Copy is a node's copy of a partition.
type Copy struct {
	Node int32
	At   history.TopicPartition
}

// Report keeps a copy, of which somebody was given bytes that nobody wrote, for
// whoever takes care of it.
func (r *Recorder) Report(c Copy) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.damaged[c.At] && !slices.Contains(r.reported, c) {
		r.reported = append(r.reported, c)
	}
}

// TakeReported returns the copies that were reported since it was asked last.
func (r *Recorder) TakeReported() []Copy {
	r.mu.Lock()
	defer r.mu.Unlock()
	reported := r.reported
	r.reported = nil
	return reported
}

// rotten notes an answer with bytes that nobody wrote. If no fault of the run may
// have done that, the checkers are told.
func (r *Recorder) rotten(op *history.Op, what string) {
	r.mu.Lock()
	r.counts.Rotten++
	r.mu.Unlock()
	if r.doubted(op) {
		r.Trace(op.Client, "rotten: "+what)
		r.Report(Copy{op.Node, history.TopicPartition{Topic: op.Topic, Partition: op.Partition}})
		return
	}
	r.Event(history.Event{Kind: history.EventCorrupt, At: r.Now(), Node: op.Node, Topic: op.Topic, Partition: op.Partition, Name: what})
}

// Failures are the first that Fail was told; Counts has their number.
func (r *Recorder) Failures() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.failures)
}

// Counts returns the sums so far.
func (r *Recorder) Counts() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts
}

// Progressed reports whether a client has begun and finished something since a
// true time that was acknowledged and did move it, as the liveness checker sees it.
func (r *Recorder) Progressed(client string, since int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, any := r.progress[client]
	return any && at >= since
}

// NewRequest returns the number that operations share which travel together.
func (r *Recorder) NewRequest() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nextReq++
	return r.nextReq
}

// NewValue returns a number that no other record of the run has.
func (r *Recorder) NewValue() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nextVal++
	return r.nextVal
}

// Begin opens an operation: it gets its id and the present time. The caller
// fills in answers before End, and touches it no more then.
func (r *Recorder) Begin(op *history.Op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nextOp++
	op.ID, op.Invoke, op.Return, op.Outcome = r.nextOp, r.Now(), history.Never, history.OutcomeMaybe
	r.open[op.ID] = op
}

// End closes an operation and writes it. at is the true time of the answer, or
// of giving up; what came is what its answer said.
func (r *Recorder) End(op *history.Op, outcome history.Outcome, code int16, at int64) {
	op.Outcome, op.Code, op.Return = outcome, code, max(at, op.Invoke)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open[op.ID] != op {
		return // the run is over
	}
	delete(r.open, op.ID)
	r.counts.Ops++
	r.noteGroup(op)
	if op.OK() {
		r.counts.OK++
		if op.Produce != nil && op.Produce.Acks != 0 {
			r.counts.Acked++
		}
		if op.Read != nil {
			r.counts.Records += int64(len(op.Read.Records))
		}
		if !idle(op) {
			r.progress[op.Client] = max(r.progress[op.Client], op.Invoke)
		}
	}
	r.keep(r.writer.Op(op))
}

// Drop forgets an operation that turned out to be none.
func (r *Recorder) Drop(op *history.Op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, op.ID)
}

// noteGroup keeps the name of an operation's group. The lock is held.
func (r *Recorder) noteGroup(op *history.Op) {
	name := ""
	switch {
	case op.Group != nil:
		name = op.Group.Group
	case op.Offset != nil:
		name = op.Offset.Group
	}
	if i, known := slices.BinarySearch(r.groups, name); name != "" && !known {
		r.groups = slices.Insert(r.groups, i, name)
	}
}

// Groups are the groups that operations were about so far, sorted.
func (r *Recorder) Groups() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.groups)
}

// Answered closes an operation by the code of its answer.
func (r *Recorder) Answered(op *history.Op, code int16, at int64) {
	r.End(op, history.Classify(op.Kind, code), code, at)
}

// idle reports whether an operation is no progress although it was answered: a
// read of nothing below a high watermark that has more.
func idle(op *history.Op) bool {
	return op.Read != nil && len(op.Read.Records) == 0 && op.Read.Position >= 0 && op.Read.Position < op.Read.HighWatermark
}

// Close writes the operations that are still open, the topics and the last line,
// and flushes. Actors have returned.
func (r *Recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return r.err
	}
	r.closed = true
	ids := make([]int64, 0, len(r.open))
	for id := range r.open { //det:ok sorted below
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		r.keep(r.writer.Op(r.open[id]))
	}
	clear(r.open)
	for _, t := range r.topics {
		r.keep(r.writer.Topic(t.declared()))
	}
	r.keep(r.writer.End(r.Now()))
	if r.err != nil {
		return fmt.Errorf("workload: %w", r.err)
	}
	return nil
}
