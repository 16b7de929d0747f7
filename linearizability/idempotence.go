package linearizability

import (
	"github.com/moldau/moldau/linearizability/history"
)

// checkIdempotence holds producer ids, epochs and sequences against what the
// logs hold: one value each, each value once, in order; and the ids handed out
// against each other and against the ids found in logs.
func checkIdempotence(r *run) {
	for _, p := range r.parts {
		r.sequences(p)
		r.answers(p)
		r.finalSequences(p)
	}
	r.producerIDs()
}

// producing is one life of a producer.
type producing struct {
	id    int64
	epoch int16
}

type sequenced struct {
	producing
	sequence int32
}

// sequences: in all reads, a producer's sequence number stands for one value at
// one offset, and it is the one under which the value was sent.
func (r *run) sequences(p *partition) {
	seen := map[sequenced]sighting{}
	for _, op := range p.reads {
		for _, record := range op.Read.Records {
			if a := r.appends[record.Value]; a != nil {
				r.sentUnder(p, a, &record, op)
			}
			if record.ProducerID < 0 || record.Sequence < 0 {
				continue
			}
			key := sequenced{producing{record.ProducerID, record.ProducerEpoch}, record.Sequence}
			s := sighting{value: record.Value, offset: record.Offset, op: op}
			before, there := seen[key]
			if !there {
				seen[key] = s
				continue
			}
			if (before.value != s.value || before.offset != s.offset) && !r.lostBetween(p, before, s) {
				anomaly := "sequence-reused"
				if before.value == s.value {
					anomaly = "duplicate"
				}
				r.violation(anomaly, []*history.Op{before.op, op}, "%s: producer %d/%d sequence %d is %x at offset %d and %x at offset %d",
					p, key.id, key.epoch, key.sequence, before.value, before.offset, s.value, s.offset)
			}
		}
	}
}

// sentUnder: a record has the producer and sequence that it was sent with.
func (r *run) sentUnder(p *partition, a *appended, record *history.Record, op *history.Op) {
	sent := a.first.Produce
	if sent.BaseSequence < 0 || sent.ProducerID < 0 || a.attempts > 1 {
		return
	}
	if want := wrap(sent.BaseSequence, a.position); record.ProducerID != sent.ProducerID || record.ProducerEpoch != sent.ProducerEpoch || record.Sequence != want {
		r.violation("altered-sequence", []*history.Op{a.first, op}, "%s: value %x was sent by producer %d/%d sequence %d and read as of %d/%d sequence %d",
			p, record.Value, sent.ProducerID, sent.ProducerEpoch, want, record.ProducerID, record.ProducerEpoch, record.Sequence)
	}
}

// wrap is the n-th sequence number after base: after the greatest int32 comes 0.
func wrap(base int32, n int) int32 {
	return int32((int64(base) + int64(n)) % (1 << 31))
}

func (r *run) lostBetween(p *partition, one, other sighting) bool {
	from := min(one.op.Invoke, other.op.Invoke)
	for _, s := range []sighting{one, other} {
		if a := r.appends[s.value]; a != nil {
			from = min(from, a.first.Invoke)
		}
	}
	return r.excused(p, p.committed(), from, max(one.op.Return, other.op.Return))
}

// answers: a batch that was sent again under its sequence is acknowledged with
// the offset that it has, and no two batches get one sequence number accepted.
func (r *run) answers(p *partition) {
	acked := map[sequenced]*history.Op{}
	for _, op := range p.produces {
		if !op.OK() || op.Produce.ProducerID < 0 || op.Produce.BaseSequence < 0 || op.Produce.BaseOffset < 0 || op.Produce.Acks == 0 {
			continue
		}
		key := sequenced{producing{op.Produce.ProducerID, op.Produce.ProducerEpoch}, op.Produce.BaseSequence}
		before := acked[key]
		acked[key] = op
		if before == nil || r.excused(p, Expect(p.topic.Durability, before.Produce.Acks), before.Invoke, op.Return) ||
			r.excused(p, Expect(p.topic.Durability, op.Produce.Acks), before.Invoke, op.Return) {
			continue
		}
		switch {
		case before.Produce.Records[0].Value != op.Produce.Records[0].Value:
			r.violation("sequence-accepted-twice", []*history.Op{before, op}, "%s: producer %d/%d sequence %d was accepted for two batches", p, key.id, key.epoch, key.sequence)
		case before.Produce.BaseOffset != op.Produce.BaseOffset:
			r.violation("duplicate-answer", []*history.Op{before, op}, "%s: producer %d/%d sequence %d was acknowledged at offset %d and at %d", p, key.id, key.epoch, key.sequence, before.Produce.BaseOffset, op.Produce.BaseOffset)
		}
	}
}

// finalSequences: in the log, by offset, a producer's epochs do not fall, its
// sequences go on one by one from the first that is left, from 0 in a new
// epoch, and a value stands there once unless its client may have repeated it.
func (r *run) finalSequences(p *partition) {
	f := &p.final
	if !f.whole {
		return
	}
	at, last := map[uint64]int{}, map[int64]int{}
	for i, record := range f.records {
		if first, there := at[record.Value]; there {
			if a := r.appends[record.Value]; a == nil || !a.repeats {
				r.violation("duplicate", []*history.Op{f.from[first], f.from[i]}, "%s: value %x stands at offsets %d and %d", p, record.Value, f.records[first].Offset, record.Offset)
			}
		} else {
			at[record.Value] = i
		}
		if record.ProducerID < 0 || record.Sequence < 0 {
			continue
		}
		before, there := last[record.ProducerID]
		last[record.ProducerID] = i
		if there {
			r.follows(p, before, i)
		} else if f.start == 0 && !p.begins(&record) && !p.topic.Sparse && !r.excused(p, p.committed(), 0, r.h.End) {
			r.violation("sequence-gap", []*history.Op{f.from[i]}, "%s offset %d: producer %d/%d begins at sequence %d", p, record.Offset, record.ProducerID, record.ProducerEpoch, record.Sequence)
		}
	}
}

// begins reports whether a record may be its producer's first in the log: it has
// sequence 0, or all before it were refused. A broker that knows nothing of a
// producer takes any sequence (KIP-360), that of a batch sent before the refusal
// of the one ahead was known, too.
func (p *partition) begins(record *history.Record) bool {
	want := int32(0)
	for again := true; again && want != record.Sequence; {
		again = false
		for _, op := range p.produces {
			sent := op.Produce
			if op.Outcome == history.OutcomeFailed && sent.ProducerID == record.ProducerID && sent.ProducerEpoch == record.ProducerEpoch && sent.BaseSequence == want {
				want, again = wrap(want, len(sent.Records)), true
				break
			}
		}
	}
	return want == record.Sequence
}

// follows judges two records of one producer, one next after the other.
func (r *run) follows(p *partition, before, i int) {
	f := &p.final
	a, b := &f.records[before], &f.records[i]
	ops := []*history.Op{f.from[before], f.from[i]}
	want := wrap(a.Sequence, 1)
	if b.ProducerEpoch != a.ProducerEpoch {
		want = 0
	}
	switch {
	case b.ProducerEpoch < a.ProducerEpoch:
		r.violation("epoch-order", ops, "%s: producer %d has epoch %d at offset %d and %d at offset %d", p, a.ProducerID, a.ProducerEpoch, a.Offset, b.ProducerEpoch, b.Offset)
	case b.Sequence == want || b.Sequence == a.Sequence && a.Value == b.Value: // told as a duplicate
	case p.topic.Sparse || r.excused(p, p.committed(), 0, r.h.End):
	case a.Offset < f.start && b.Offset-a.Offset > int64(i-before): // what lay between went while the log was read
	default:
		r.violation("sequence-gap", ops, "%s: producer %d/%d has sequence %d at offset %d and %d at offset %d, %d is next",
			p, b.ProducerID, b.ProducerEpoch, a.Sequence, a.Offset, b.Sequence, b.Offset, want)
	}
}

// producerIDs: no id and epoch is handed out twice, an id stays with its
// transactional id, and no id is handed out that a log held before.
func (r *run) producerIDs() {
	given := map[producing]*history.Op{}
	owner := map[int64]*history.Op{}
	found := map[int64]*history.Op{} // the first read, by return, of a record with that id
	for _, p := range r.parts {
		for _, ops := range [][]*history.Op{p.reads, p.scans} {
			for _, op := range ops {
				for _, record := range op.Read.Records {
					if before := found[record.ProducerID]; before == nil || op.Return < before.Return {
						found[record.ProducerID] = op
					}
				}
			}
		}
	}
	for _, op := range r.ops {
		if op.Kind != history.KindInitProducerID || !op.OK() {
			continue
		}
		key := producing{op.Producer.ID, op.Producer.Epoch}
		first := owner[key.id]
		switch {
		case given[key] != nil:
			r.violation("id-reused", []*history.Op{given[key], op}, "producer id %d epoch %d was handed out twice", key.id, key.epoch)
		case first != nil && (first.Producer.TransactionalID != op.Producer.TransactionalID || op.Producer.TransactionalID == ""):
			r.violation("id-reused", []*history.Op{first, op}, "producer id %d was handed out to %q and to %q", key.id, first.Producer.TransactionalID, op.Producer.TransactionalID)
		case first == nil && found[key.id] != nil && found[key.id].Return < op.Invoke:
			r.violation("id-in-log", []*history.Op{found[key.id], op}, "producer id %d was handed out although a log held it already", key.id)
		}
		given[key] = op
		if first == nil {
			owner[key.id] = op
		}
	}
}
