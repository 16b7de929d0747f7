package linearizability

import (
	"github.com/moldau/moldau/linearizability/history"
)

// checkAnomalies looks for the anomalies that Jepsen's Kafka workload names, in
// what clients saw alone: it knows no high watermark, no leader and, but for
// what excuses loss, no fault.
func checkAnomalies(r *run) {
	for _, p := range r.parts {
		a := &anomalies{run: r, p: p, at: map[int64]sighting{}, offsets: map[uint64]sighting{}, highest: -1}
		a.collect()
		a.sends()
		a.polls()
		a.missing()
	}
	transactions(r)
}

// anomalies is the check of one partition.
type anomalies struct {
	*run
	p       *partition
	at      map[int64]sighting  // read, by offset
	offsets map[uint64]sighting // read, by value
	highest int64               // read
	log     []int64             // offsets read, sorted
}

// collect takes all reads: inconsistent offsets, duplicates, failed writes.
func (a *anomalies) collect() {
	for _, op := range a.p.reads {
		for _, record := range op.Read.Records {
			s := sighting{value: record.Value, offset: record.Offset, op: op, read: true}
			a.highest = max(a.highest, record.Offset)
			if before, there := a.at[s.offset]; there && before.value != s.value && !a.allowed(before, s) {
				a.violation("inconsistent-offsets", []*history.Op{before.op, op}, "%s offset %d was read as %x and as %x", a.p, s.offset, before.value, s.value)
			} else if !there {
				a.at[s.offset] = s
				a.log = append(a.log, s.offset)
			}
			sent := a.appends[s.value]
			if before, there := a.offsets[s.value]; there && before.offset != s.offset && !(sent != nil && sent.repeats) && !a.allowed(before, s) {
				a.violation("duplicate", []*history.Op{before.op, op}, "%s value %x was read at offsets %d and %d", a.p, s.value, before.offset, s.offset)
			} else if !there {
				a.offsets[s.value] = s
			}
			if sent != nil && sent.attempts == 0 {
				a.violation("G1a", []*history.Op{sent.first, op}, "%s value %x was read, its append had failed", a.p, s.value)
			}
		}
	}
	sortInts(a.log)
}

// allowed reports whether something struck that takes committed records, between
// the first append and the last read of two sightings.
func (a *anomalies) allowed(one, other sighting) bool {
	from := min(one.op.Invoke, other.op.Invoke)
	for _, s := range []sighting{one, other} {
		if sent := a.appends[s.value]; sent != nil {
			from = min(from, sent.first.Invoke)
		}
	}
	return a.excused(a.p, a.p.committed(), from, max(one.op.Return, other.op.Return))
}

// missing: lost-write is acknowledged, below the highest offset read, and never
// read; unseen is acknowledged, at or above it, and never read by the end. Who
// reads nothing to the end, or nothing at all, misses lawfully: final reads are
// what obliges. What lies below the log start in the end was deleted.
func (a *anomalies) missing() {
	if len(a.p.final.reads) == 0 {
		return
	}
	for _, sent := range a.p.appends {
		if _, seen := a.offsets[sent.sent.Value]; seen || sent.ack == nil || sent.offset < max(0, a.p.final.start) {
			continue
		}
		if a.excused(a.p, Expect(a.p.topic.Durability, sent.acks), sent.first.Invoke, a.h.End) {
			continue
		}
		if sent.offset < a.highest {
			a.violation("lost-write", []*history.Op{sent.ack, a.at[a.highest].op}, "%s value %x was acknowledged at offset %d and never read, offset %d was", a.p, sent.sent.Value, sent.offset, a.highest)
		} else {
			a.violation("unseen", []*history.Op{sent.ack}, "%s value %x was acknowledged at offset %d and never read; reading ended at offset %d", a.p, sent.sent.Value, sent.offset, a.highest)
		}
	}
}

// sends: what one client sent one after another stands one after another.
func (a *anomalies) sends() {
	last := map[string]*history.Op{}
	for _, op := range a.p.produces {
		if !op.OK() || op.Produce.Acks == 0 {
			continue
		}
		first, end := int64(history.Unknown), int64(history.Unknown)
		for i := range op.Produce.Records {
			offset := ackedOffset(op, i)
			if offset >= 0 && end >= 0 && offset <= end {
				a.violation("int-nonmonotonic-send", []*history.Op{op}, "%s: the batch has offset %d after %d", a.p, offset, end)
			}
			if first < 0 {
				first = offset
			}
			end = offset
		}
		before := last[op.Client]
		if before != nil && before.Return < op.Invoke && first >= 0 {
			n := len(before.Produce.Records)
			retry := before.Produce.Records[0].Value == op.Produce.Records[0].Value
			lost := a.ownPast(before) || a.ownPast(op)
			if offset := ackedOffset(before, n-1); offset >= first && !retry && !lost && !a.resent(op) &&
				!a.excused(a.p, Expect(a.p.topic.Durability, before.Produce.Acks), before.Invoke, op.Return) {
				a.violation("nonmonotonic-send", []*history.Op{before, op}, "%s: %s sent to offset %d and then to %d", a.p, op.Client, offset, first)
			}
		}
		if before == nil || op.Return >= before.Return {
			last[op.Client] = op
		}
	}
}

// ownPast reports whether an append was acknowledged by its leader alone when
// another led already: it stands in a log that counts for nothing.
func (a *anomalies) ownPast(op *history.Op) bool {
	return op.Produce.Acks == 1 && a.staleLeader(a.p, op.Node, op.Return)
}

// resent reports whether an operation repeats an attempt made before.
func (a *anomalies) resent(op *history.Op) bool {
	sent := a.appends[op.Produce.Records[0].Value]
	return sent.first != op
}

// polls: a consumer gets one offset after another, within a poll (int-) and
// from one poll to the next. A rebalance, a seek or a poll of somebody else's
// making frees it.
func (a *anomalies) polls() {
	next := map[string]*history.Op{}
	moved := a.moves()
	for _, op := range a.p.reads {
		if op.Kind != history.KindPoll || len(op.Read.Records) == 0 {
			continue
		}
		at := int64(-1)
		for _, record := range op.Read.Records {
			if at >= 0 {
				a.step("int-", at, record.Offset, op, op)
			}
			at = record.Offset
		}
		if before := next[op.Client]; before != nil && !movedBetween(moved[op.Client], before.Invoke, op.Return) {
			a.step("", lastOffset(before), op.Read.Records[0].Offset, before, op)
		}
		next[op.Client] = op
	}
}

// step judges one step of a consumer from an offset to the next that it got.
func (a *anomalies) step(prefix string, from, to int64, before, op *history.Op) {
	skipped := a.known(max(from+1, op.Read.LogStart), to)
	if to > from && skipped < 0 {
		return
	}
	by, until := a.at[skipped], op.Return
	if skipped >= 0 {
		until = max(until, by.op.Return) // it may have been written anew since
	}
	if a.excused(a.p, a.p.committed(), before.Invoke, until) {
		return
	}
	if to <= from {
		a.violation(prefix+"nonmonotonic-poll", []*history.Op{before, op}, "%s: %s got offset %d after %d", a.p, op.Client, to, from)
		return
	}
	a.violation(prefix+"poll-skip", []*history.Op{before, op, by.op}, "%s: %s got offset %d after %d; offset %d lies between and holds %x", a.p, op.Client, to, from, skipped, by.value)
}

// known returns an offset in [from, to) that somebody read and that is not
// deleted in the end, -1 if there is none.
func (a *anomalies) known(from, to int64) int64 {
	from = max(from, a.p.final.start)
	if i := searchInts(a.log, from); i < len(a.log) && a.log[i] < to {
		return a.log[i]
	}
	return -1
}

// moves are, by client, the operations that let it read elsewhere.
func (a *anomalies) moves() map[string][]*history.Op {
	moves := map[string][]*history.Op{}
	for _, op := range a.ops {
		switch {
		case op.Kind == history.KindAssign, op.Kind == history.KindLeaveGroup,
			op.Kind == history.KindSeek && op.Topic == a.p.key.Topic && op.Partition == a.p.key.Partition:
			moves[op.Client] = append(moves[op.Client], op)
		}
	}
	return moves
}

// movedBetween reports whether one of the moves overlaps two times.
func movedBetween(moves []*history.Op, from, to int64) bool {
	for _, op := range moves {
		if op.Invoke <= to && (op.Return >= from || op.Return == history.Never) {
			return true
		}
	}
	return false
}
