package linearizability

import (
	"slices"
	"time"

	"github.com/moldau/moldau/linearizability/history"
)

// checkLiveness demands, once faults are over, progress of every client that
// the mark names within its deadline, no operation open for longer than that,
// nothing left behind by a clean stop, nor long after the end of a process, and
// no late answer where a run promises that nothing holds one up.
func checkLiveness(r *run) {
	r.leftBehind()
	r.late()
	r.available()
	healed := r.healed()
	if healed == nil {
		r.note("no healed mark: progress was not looked at")
		return
	}
	r.progress(healed)
	r.stuck(healed)
}

// leftBehind: what a process leaves is what the event allows.
func (r *run) leftBehind() {
	for _, event := range r.events {
		for _, left := range event.Left {
			if left.Count <= left.Allowed {
				continue
			}
			switch event.Kind {
			case history.EventCleanStop:
				r.violation("left-behind", nil, "node %d left %d %s behind at its clean stop at %s, %d are allowed", event.Node, left.Count, left.What, seconds(event.At), left.Allowed)
			case history.EventOutlived:
				r.violation("outlived", nil, "node %d: %d %s of process %s are still there at %s, long after its end, %d are allowed", event.Node, left.Count, left.What, event.Name, seconds(event.At), left.Allowed)
			}
		}
	}
}

// progress: after the mark each client has begun and finished something that
// was ok by the deadline.
func (r *run) progress(healed *history.Event) {
	deadline := healed.At + healed.DeadlineNs
	moved := map[string]bool{}
	last := map[string]*history.Op{}
	for _, op := range r.ops {
		last[op.Client] = op
		if op.OK() && op.Invoke >= healed.At && op.Return <= deadline && !idle(op) {
			moved[op.Client] = true
		}
	}
	clients := slices.Clone(healed.Clients)
	slices.Sort(clients)
	for _, client := range clients {
		switch {
		case moved[client]:
		case r.h.End < deadline:
			r.broken("client %s: the history ends at %s, before the deadline %s", client, seconds(r.h.End), seconds(deadline))
		default:
			r.violation("no-progress", []*history.Op{last[client]}, "client %s finished nothing from %s, when all was healed, to %s", client, seconds(healed.At), seconds(deadline))
		}
	}
}

// late: where nothing that strikes holds an answer up, each is there in time, the
// wait that was asked for included. Who joins a group waits for its other members.
func (r *run) late() {
	i := slices.IndexFunc(r.events, func(e *history.Event) bool { return e.Kind == history.EventPrompt })
	if i < 0 {
		return
	}
	mark := r.events[i]
	for _, op := range r.ops {
		end := op.Return
		if end == history.Never {
			end = r.h.End
		}
		if op.Invoke >= mark.At && op.Kind != history.KindAssign && end-op.Invoke > mark.DeadlineNs {
			r.violation("late", []*history.Op{op}, "client %s got no answer within %s, though nothing held it up", op.Client, seconds(mark.DeadlineNs))
		}
	}
}

// available: from each mark on, some append with acks -1 is acknowledged in time.
func (r *run) available() {
	for _, event := range r.events {
		p := r.byKey[history.TopicPartition{Topic: event.Topic, Partition: event.Partition}]
		if event.Kind != history.EventAvailable || p == nil || event.At+event.DeadlineNs > r.h.End {
			continue
		}
		i := slices.IndexFunc(p.produces, func(op *history.Op) bool {
			return op.OK() && op.Produce.Acks == -1 && op.Return > event.At && op.Return <= event.At+event.DeadlineNs
		})
		if again, ok := p.appendedAgain(event.At); ok {
			r.report.Outages = append(r.report.Outages, time.Duration(again-event.At))
		}
		if i < 0 {
			r.violation("unavailable", nil, "%s: no append was acknowledged within %s from %s on, when %s, though enough was connected", p, seconds(event.DeadlineNs), seconds(event.At), event.Name)
		}
	}
}

// appendedAgain is when the first append with acks -1 that began after a time was
// acknowledged: one that was under way proves nothing of what comes.
func (p *partition) appendedAgain(after int64) (at int64, ok bool) {
	for _, op := range p.produces {
		if op.OK() && op.Produce.Acks == -1 && op.Invoke > after && (!ok || op.Return < at) {
			at, ok = op.Return, true
		}
	}
	return at, ok
}

// idle reports whether an operation is no progress, although it is ok: a read
// of nothing below a high watermark that has more.
func idle(op *history.Op) bool {
	return op.Read != nil && len(op.Read.Records) == 0 && op.Read.Position >= 0 && op.Read.Position < op.Read.HighWatermark
}

// stuck: no operation stays open beyond the deadline, counted from its begin or
// from the mark.
func (r *run) stuck(healed *history.Event) {
	for _, op := range r.ops {
		begin := max(op.Invoke, healed.At)
		if op.Return == history.Never && r.h.End-begin > healed.DeadlineNs && slices.Contains(healed.Clients, op.Client) {
			r.violation("stuck", []*history.Op{op}, "client %s waits since %s; all was healed at %s, the history ends at %s", op.Client, seconds(op.Invoke), seconds(healed.At), seconds(r.h.End))
		}
	}
}
