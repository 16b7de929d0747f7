package linearizability

import (
	"fmt"
	"slices"

	"github.com/anishathalye/porcupine"

	"github.com/moldau/moldau/linearizability/history"
)

// crossCheck searches for an order of a short partition's operations, as a
// check of the log-order checker as much as of the broker. The final reads say
// what the log became, so a state is no more than its length: an append lengthens
// it where its records stand in the end, a read and an answer to "latest" see a
// part or all of it. It wants one leader, acks -1 and nothing that excuses
// loss; else it says nothing.
func (r *run) crossCheck(p *partition) {
	ops := p.showing()
	f := &p.final
	if !f.whole || p.topic.Sparse || len(ops) > r.options.CrossCheckOpsMax || len(p.deletes) > 0 || f.start > 0 || p.deletedAt < never {
		return
	}
	for _, event := range r.events {
		if strikes(event, p) && (event.Kind == history.EventLeader || event.Kind == history.EventDamage ||
			event.Kind == history.EventUnclean || event.Kind == history.EventPowerLoss && r.tells(event) && p.topic.Durability == history.DurabilityOS) {
			return
		}
	}
	at := map[uint64]int64{}
	for _, record := range f.records {
		at[record.Value] = record.Offset
	}
	exact := !slices.ContainsFunc(r.events, func(event *history.Event) bool {
		return event.Kind == history.EventCrash || event.Kind == history.EventPowerLoss || event.Kind == history.EventRestart
	})
	var steps []logStep
	for _, op := range ops {
		if op.Produce != nil && op.Produce.Acks != -1 || op.Read != nil && op.Read.Follower {
			return
		}
		step, relevant := newLogStep(op, at, exact)
		if op.Produce != nil && relevant && r.appends[op.Produce.Records[0].Value].attempts > 1 {
			return // which attempt it was is not known
		}
		if relevant {
			steps = append(steps, step)
		}
	}
	r.searchLog(p, steps)
}

// logStep is an operation on a log of which the state is the length.
type logStep struct {
	op       *history.Op
	from, to int64 // of an append: the length before and after; of a read: to is the least length
	append   bool
	exact    bool // the length is to
}

// newLogStep turns an operation into a step. An append that is not in the final
// log and was not acknowledged never happened. After a restart a leader's high
// watermark may lag, so that a read is exact only where there was none.
func newLogStep(op *history.Op, at map[uint64]int64, exact bool) (step logStep, relevant bool) {
	step.op = op
	switch {
	case op.Produce != nil:
		base, there := at[op.Produce.Records[0].Value]
		if !there && !op.OK() {
			return step, false
		}
		if !there || op.OK() && op.Produce.BaseOffset >= 0 {
			base = op.Produce.BaseOffset
		}
		step.append, step.from, step.to = true, base, base+int64(len(op.Produce.Records))
	case op.Read != nil:
		step.to = max(op.Read.HighWatermark, lastOffset(op)+1)
		step.exact = exact && op.Read.HighWatermark >= 0
	default:
		step.to, step.exact = op.ListOffsets.Offset, true
		if op.ListOffsets.Target != history.Latest {
			return step, false
		}
	}
	return step, true
}

// returns is by when a step was done. An append of unknown fate is in the final
// log, so that the reading of it, later than all, bounds it.
func (s *logStep) returns(end int64) int64 {
	if s.op.OK() {
		return s.op.Return
	}
	return end
}

func (r *run) searchLog(p *partition, steps []logStep) {
	operations := make([]porcupine.Operation, len(steps))
	window := make([]access, len(steps))
	end := int64(0)
	for _, s := range steps {
		if s.op.Read != nil && s.op.Read.Final {
			end = max(end, s.op.Return)
		}
	}
	for i, s := range steps {
		window[i].op = s.op
		operations[i] = porcupine.Operation{ClientId: i, Input: s, Call: s.op.Invoke, Return: max(s.returns(end), s.op.Invoke)}
	}
	result, info := porcupine.CheckOperationsVerbose(logModel, operations, r.options.SearchMax)
	switch result {
	case porcupine.Unknown:
		r.broken("%s: the cross-check of %d operations gave no answer within %s", p, len(steps), r.options.SearchMax)
	case porcupine.Illegal:
		r.violationPictured(picture(logModel, info), "log-not-linearizable", culprits(info, window), "%s: no order of appends and reads explains their answers", p)
	}
}

// logModel is a log that only grows.
var logModel = porcupine.Model{
	Init: func() any { return int64(0) },
	Step: func(state, input, _ any) (bool, any) {
		length, s := state.(int64), input.(logStep)
		switch {
		case s.append:
			return length == s.from, s.to
		case s.exact:
			return length == s.to, state
		}
		return length >= s.to, state
	},
	DescribeOperation: func(input, _ any) string {
		s := input.(logStep)
		if s.append {
			return fmt.Sprintf("append %d..%d", s.from, s.to-1)
		}
		return fmt.Sprintf("read up to %d", s.to)
	},
}
