package linearizability

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/moldau/moldau/linearizability/history"
)

// never is later than everything.
const never = int64(1)<<62 - 1

// index is a history laid out for its checkers. Nobody changes it once made.
type index struct {
	h       *history.History
	topics  map[string]*history.Topic
	parts   []*partition // by topic id and number
	byKey   map[history.TopicPartition]*partition
	appends map[uint64]*appended // by value
	ops     []*history.Op        // by invoke, then id
	events  []*history.Event     // by time
	alters  []*history.Op        // changes of settings that may have happened, by invoke
}

// partition is what was asked of one partition, each list by invoke.
type partition struct {
	key       history.TopicPartition
	topic     *history.Topic
	produces  []*history.Op
	reads     []*history.Op // fetches and polls that were ok
	scans     []*history.Op
	lists     []*history.Op // ok
	epochEnds []*history.Op // ok
	deletes   []*history.Op // whatever came of them
	appends   []*appended   // by first invoke
	deletedAt int64         // when the topic may first have gone, never if not
	final     finalLog
}

// appended is one record that clients tried to append, by one or more attempts.
type appended struct {
	part     *partition
	sent     *history.Record
	first    *history.Op // the attempt invoked first
	ack      *history.Op // the attempt acknowledged first, nil if none
	acks     int16       // of ack
	offset   int64       // as acknowledged, Unknown
	attempts int         // that may have appended
	repeats  bool        // may stand in the log more than once
	position int         // in its batch
}

// returned is when the first acknowledgement came, or never.
func (a *appended) returned() int64 {
	if a.ack == nil {
		return never
	}
	return a.ack.Return
}

// name of a partition in texts.
func (p *partition) String() string { return fmt.Sprintf("%s/%d", p.topic.Name, p.key.Partition) }

func newIndex(h *history.History) (*index, error) {
	x := &index{
		h:       h,
		topics:  make(map[string]*history.Topic, len(h.Topics)),
		byKey:   map[history.TopicPartition]*partition{},
		appends: make(map[uint64]*appended, len(h.Ops)),
	}
	for i := range h.Topics {
		x.topics[h.Topics[i].ID] = &h.Topics[i]
	}
	for i := range h.Ops {
		x.ops = append(x.ops, &h.Ops[i])
	}
	slices.SortFunc(x.ops, func(a, b *history.Op) int {
		return cmp.Or(cmp.Compare(a.Invoke, b.Invoke), cmp.Compare(a.ID, b.ID))
	})
	for i := range h.Events {
		x.events = append(x.events, &h.Events[i])
	}
	slices.SortStableFunc(x.events, func(a, b *history.Event) int { return cmp.Compare(a.At, b.At) })
	for _, op := range x.ops {
		if err := x.place(op); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(x.parts, func(a, b *partition) int {
		return cmp.Or(cmp.Compare(a.key.Topic, b.key.Topic), cmp.Compare(a.key.Partition, b.key.Partition))
	})
	for _, p := range x.parts {
		p.deletedAt = never
	}
	for _, op := range x.ops {
		if op.Kind == history.KindAlterConfig && op.Outcome != history.OutcomeFailed {
			x.alters = append(x.alters, op)
		}
		if op.Kind == history.KindDeleteTopic && op.Outcome != history.OutcomeFailed {
			for _, p := range x.parts {
				if p.key.Topic == op.Topic {
					p.deletedAt = min(p.deletedAt, op.Invoke)
				}
			}
		}
	}
	for _, p := range x.parts {
		p.final = newFinalLog(p)
	}
	return x, nil
}

// place puts an operation into the lists of its partition.
func (x *index) place(op *history.Op) error {
	topic := x.topics[op.Topic]
	if topic == nil {
		return nil
	}
	key := history.TopicPartition{Topic: op.Topic, Partition: op.Partition}
	p := x.byKey[key]
	if p == nil {
		p = &partition{key: key, topic: topic}
		x.byKey[key] = p
		x.parts = append(x.parts, p)
	}
	switch op.Kind {
	case history.KindProduce:
		p.produces = append(p.produces, op)
		return x.placeAppends(p, op)
	case history.KindFetch, history.KindPoll:
		if op.OK() {
			p.reads = append(p.reads, op)
		}
	case history.KindScan:
		if op.OK() {
			p.scans = append(p.scans, op)
		}
	case history.KindListOffsets:
		if op.OK() {
			p.lists = append(p.lists, op)
		}
	case history.KindEpochEnd:
		if op.OK() {
			p.epochEnds = append(p.epochEnds, op)
		}
	case history.KindDeleteRecords:
		p.deletes = append(p.deletes, op)
	}
	return nil
}

func (x *index) placeAppends(p *partition, op *history.Op) error {
	for i := range op.Produce.Records {
		sent := &op.Produce.Records[i]
		a := x.appends[sent.Value]
		if a == nil {
			a = &appended{part: p, sent: sent, first: op, offset: history.Unknown, position: i}
			x.appends[sent.Value] = a
			p.appends = append(p.appends, a)
		} else if a.part != p {
			return fmt.Errorf("value %x stands for two records, of operations %d and %d", sent.Value, a.first.ID, op.ID)
		} else if a.first == op {
			return fmt.Errorf("value %x stands for two records of operation %d", sent.Value, op.ID)
		}
		if op.Outcome != history.OutcomeFailed {
			a.attempts++
		}
		a.repeats = a.repeats || op.Produce.Repeats || (a.attempts > 1 && !sameSequence(a.first.Produce, op.Produce))
		if op.OK() && op.Produce.Acks != 0 && (a.ack == nil || op.Return < a.ack.Return) {
			a.ack, a.acks = op, op.Produce.Acks
			a.offset = ackedOffset(op, i)
		}
	}
	return nil
}

// sameSequence reports whether a broker can tell that two attempts are one batch.
func sameSequence(a, b *history.Produce) bool {
	return a.ProducerID >= 0 && a.ProducerID == b.ProducerID && a.ProducerEpoch == b.ProducerEpoch && a.BaseSequence == b.BaseSequence
}

// ackedOffset is the offset that an answer gave the i-th record of its batch.
func ackedOffset(op *history.Op, i int) int64 {
	switch {
	case op.Produce.BaseOffset >= 0:
		return op.Produce.BaseOffset + int64(i)
	case op.Produce.Records[i].Offset >= 0:
		return op.Produce.Records[i].Offset
	}
	return history.Unknown
}

// excused reports whether something struck a partition between two times that
// lifts what an expectation promises.
func (x *index) excused(p *partition, e Expectation, from, to int64) bool {
	if !e.Kept || p.deletedAt <= to {
		return true
	}
	for _, event := range x.events {
		since := from
		if event.Kind == history.EventDamage && event.Topic != "" {
			since = 0 // what comes after damage may go with it when it is found
		}
		if event.At >= since && event.At <= to && strikes(event, p) && slices.Contains(e.LostBy, event.Kind) && x.tells(event) {
			return true
		}
	}
	return false
}

// staleLeader reports whether a node that answered at a time as a partition's
// leader was one no more: another had begun to lead. What it says of the log may
// lag, and what it acknowledged alone may be lost.
func (x *index) staleLeader(p *partition, node int32, at int64) bool {
	newest := node
	for _, event := range x.events {
		if event.At > at {
			break
		}
		if event.Kind == history.EventLeader && event.Name != history.StaleLeader && strikes(event, p) {
			newest = event.Node
		}
	}
	return newest != node
}

// tells reports whether an event may excuse a loss: where elections tell of those
// that power loss brought about, the power loss does not.
func (x *index) tells(event *history.Event) bool {
	if event.Kind == history.EventDamage && event.Name == history.SparedCopies {
		return false
	}
	return event.Kind != history.EventPowerLoss || !x.h.Header.Elections
}

// during reports whether an event of a kind struck a partition between two times.
func (x *index) during(kind history.EventKind, part history.TopicPartition, from, to int64) bool {
	for _, event := range x.events {
		if event.At > to {
			return false
		}
		if event.Kind == kind && event.At >= from && event.Topic == part.Topic && event.Partition == part.Partition {
			return true
		}
	}
	return false
}

// strikes reports whether an event is about a partition, or about all.
func strikes(event *history.Event, p *partition) bool {
	return event.Topic == "" || (event.Topic == p.key.Topic && event.Partition == p.key.Partition)
}

// committed is the expectation of what lies below the high watermark.
func (p *partition) committed() Expectation { return Expect(p.topic.Durability, -1) }

// sweep calls done for every operation that returned before another began, and
// begin for that other, in this order. done is called once per operation that
// returned at all.
func sweep(ops []*history.Op, done, begin func(*history.Op)) {
	byReturn := make([]*history.Op, 0, len(ops))
	for _, op := range ops {
		if op.Return != history.Never {
			byReturn = append(byReturn, op)
		}
	}
	slices.SortFunc(byReturn, func(a, b *history.Op) int {
		return cmp.Or(cmp.Compare(a.Return, b.Return), cmp.Compare(a.ID, b.ID))
	})
	next := 0
	for _, op := range ops { // by invoke
		for next < len(byReturn) && byReturn[next].Return < op.Invoke {
			done(byReturn[next])
			next++
		}
		begin(op)
	}
}

// sortOps sorts by invoke.
func sortOps(ops []*history.Op) {
	slices.SortFunc(ops, func(a, b *history.Op) int {
		return cmp.Or(cmp.Compare(a.Invoke, b.Invoke), cmp.Compare(a.ID, b.ID))
	})
}

func sortInts(s []int64) { slices.Sort(s) }

// searchInts is the index of the first element not below v.
func searchInts(s []int64, v int64) int {
	i, _ := slices.BinarySearch(s, v)
	return i
}
