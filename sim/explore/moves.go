package explore

import (
	"slices"

	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/replica"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/internal/invariant"
)

// steps calls visit with all steps that the world's budgets leave. Some may
// turn out not to be possible.
func (x *worker) steps(s *state, visit func(step)) {
	w := x.w
	for i := range Brokers {
		b := x.t.brokers.get(s.brokers[i])
		if b.up {
			x.stepsUp(s, i, b, visit)
		} else {
			visit(makeStep(stepRestart, i, 0))
			if b.torn && s.spent.get(spentCrashes) < w.Crashes {
				visit(makeStep(stepRecover, i, 0))
			}
		}
		x.stepsControl(s, i, visit)
	}
	for n := range x.t.helds.get(s.held).messages {
		visit(makeStep(stepDeliver, 0, n))
	}
	if s.spent.get(spentOperator) < w.Operator {
		visit(makeStep(stepElect, 0, 0))
		if w.Unclean {
			visit(makeStep(stepElectUnclean, 0, 0))
		}
		for _, n := range w.MinISRs {
			visit(makeStep(stepSetMinISR, 0, n))
		}
	}
}

// stepsControl are those that the controller decides about a broker.
func (x *worker) stepsControl(s *state, i int, visit func(step)) {
	if x.t.controls.get(s.control).broker(i).Fenced {
		visit(makeStep(stepUnfence, i, 0))
	} else if s.spent.get(spentFences) < x.w.Fences {
		visit(makeStep(stepFence, i, 0))
	}
}

// stepsUp are those of a broker that runs.
func (x *worker) stepsUp(s *state, i int, b *broker, visit func(step)) {
	w, k := x.w, &b.disk
	if b.status.Leader {
		if s.spent.get(spentAppends) < w.Appends {
			visit(makeStep(stepAppend, i, 0))
		}
		if s.spent.get(spentLags) < w.Lags {
			visit(makeStep(stepLag, i, 0))
		}
		if s.spent.get(spentDeletes) < w.Deletes {
			visit(makeStep(stepDelete, i, 0))
		}
	}
	if k.synced < len(k.log) && !k.cutting {
		visit(makeStep(stepSync, i, 0))
	}
	if k.cutting {
		visit(makeStep(stepCut, i, 0))
	}
	if k.startSynced < k.start {
		visit(makeStep(stepLogStart, i, 0))
	}
	visit(makeStep(stepLearn, i, 0))
	x.stepsMessages(s, i, b, visit)
	x.stepsCrash(s, i, b, visit)
}

// stepsMessages are those that go to another broker or to the controller.
func (x *worker) stepsMessages(s *state, i int, b *broker, visit func(step)) {
	w, hold := x.w, s.spent.get(spentHeld) < x.w.Held
	if _, ok := x.leaderOf(s, i); ok {
		visit(makeStep(stepFetch, i, 0))
		if w.Reports {
			visit(makeStep(stepReport, i, 0))
		}
		if hold {
			visit(makeStep(stepHoldFetch, i, 0))
			visit(makeStep(stepHoldAnswer, i, 0))
			if w.Reports {
				visit(makeStep(stepHoldReport, i, 0))
			}
		}
	}
	if len(b.asked) == 0 {
		return
	}
	if s.spent.get(spentAlters) < w.Alters {
		visit(makeStep(stepAlter, i, 0))
		if hold {
			visit(makeStep(stepLoseAnswer, i, 0))
		}
	}
	if hold {
		visit(makeStep(stepHoldAlter, i, 0))
	}
}

// stepsCrash are the ways in which a broker's process ends.
func (x *worker) stepsCrash(s *state, i int, b *broker, visit func(step)) {
	w, k := x.w, &b.disk
	if s.spent.get(spentCrashes) >= w.Crashes {
		return
	}
	for keep := k.synced; keep <= len(k.log); keep++ {
		visit(makeStep(stepCrash, i, 2*keep))
		if w.Torn && keep < len(k.log) {
			visit(makeStep(stepCrash, i, 2*keep+1))
		}
	}
	if k.before != nil {
		visit(makeStep(stepRevert, i, 0))
	}
	if w.Clean {
		visit(makeStep(stepStop, i, 0))
	}
	if s.spent.get(spentRots) < w.Rots && k.synced > 0 {
		visit(makeStep(stepRot, i, 0))
	}
	if s.spent.get(spentReplaced) < w.Replaced {
		visit(makeStep(stepReplace, i, 0))
	}
}

// move makes a step: the parts that it touches, and what it spends.
func (x *worker) move(s state, by step) (state, outcome) {
	w, i := x.w, by.broker()
	switch by.kind() {
	case stepAppend:
		value := uint8(s.spent.get(spentAppends) + 1)
		s.spent = s.spent.plus(spentAppends)
		by = makeStep(stepAppend, i, int(value))
		return x.one(s, by, func(b *broker) bool { return b.produce(w, value) })
	case stepLag:
		s.spent = s.spent.plus(spentLags)
		return x.one(s, by, func(b *broker) bool { b.lag(w); return b.status.Leader })
	case stepDelete:
		s.spent = s.spent.plus(spentDeletes)
		return x.one(s, by, func(b *broker) bool {
			b.drive(w, func(r *replica.Replica, ready *replica.Ready) { r.DeleteRecords(-1, tokenDelete, ready) })
			return b.status.Leader
		})
	case stepSync, stepCut, stepLogStart:
		return x.one(s, by, func(b *broker) bool { return b.finish(w, by.kind()) })
	case stepCrash, stepRevert, stepRot, stepReplace, stepStop:
		return x.ended(s, by)
	case stepRecover:
		s.spent = s.spent.plus(spentCrashes)
		return x.one(s, by, func(b *broker) bool {
			if b.up {
				return false
			}
			b.cutShort(w, i)
			return true
		})
	case stepFetch, stepReport, stepHoldFetch, stepHoldAnswer, stepHoldReport:
		return x.sent(s, by)
	case stepDeliver:
		return x.deliver(s, by)
	}
	return x.decided(s, by)
}

// finish ends something that the disk has under way.
func (b *broker) finish(w *World, kind stepKind) bool {
	k := &b.disk
	if !b.up {
		return false
	}
	var d seglog.Done
	switch {
	case kind == stepSync && k.synced < len(k.log) && !k.cutting:
		d = k.sync(w)
	case kind == stepCut && k.cutting:
		d = k.cut()
	case kind == stepLogStart && k.startSynced < k.start:
		k.startSynced = k.start
		d = seglog.Done{Kind: seglog.LogStarted, UpTo: k.start}
	default:
		return false
	}
	b.drive(w, func(r *replica.Replica, ready *replica.Ready) { r.Done(b.times(), d, ready) })
	return true
}

// ended is the end of a process, and what its disk has afterwards.
func (x *worker) ended(s state, by step) (state, outcome) {
	w, i := x.w, by.broker()
	s.spent = s.spent.plus(spentCrashes)
	switch by.kind() {
	case stepRot:
		s.spent = s.spent.plus(spentRots).setLost(i, true)
	case stepReplace:
		s.spent = s.spent.plus(spentReplaced).setLost(i, true)
	}
	return x.one(s, by, func(b *broker) bool {
		k := &b.disk
		if !b.up {
			return false
		}
		switch by.kind() {
		case stepCrash:
			keep := by.number() / 2
			if keep < k.synced || keep > len(k.log) {
				return false
			}
			b.crash(w, keep, by.number()%2 != 0)
		case stepRevert:
			if k.before == nil {
				return false
			}
			k.log = slices.Clone(k.before)
			b.crash(w, len(k.log), false)
		case stepStop:
			b.crash(w, len(k.log), false)
			b.clean = true
		case stepRot:
			if k.synced == 0 {
				return false
			}
			b.crash(w, k.synced-1, true)
		case stepReplace:
			b.halt(w)
			b.disk, b.hint, b.torn, b.sound = disk{dir: k.dir + 1}, 0, false, false
		}
		k.before, k.cutting = nil, false
		return true
	})
}

// sent is a message between brokers that arrives, or is held back.
func (x *worker) sent(s state, by step) (state, outcome) {
	w, i := x.w, by.broker()
	leader, ok := x.leaderOf(&s, i)
	if !ok {
		return s, outcome{none: true}
	}
	if by.kind() != stepFetch && by.kind() != stepReport {
		s.spent = s.spent.plus(spentHeld)
	}
	return x.pair(s, by, leader, func(b, l *broker, h *held) (*held, bool) {
		ask, _ := b.r.NextAsk()
		m := message{from: i, to: leader, epoch: b.epoch, ask: ask, position: b.position(i, &ask)}
		switch by.kind() {
		case stepFetch:
			b.take(w, l.serve(w, m.position, ask))
			return h, true
		case stepHoldFetch:
			return h.with(m), true
		case stepHoldAnswer:
			m.kind, m.from, m.to = heldAnswer, leader, i
			m.answer = l.serve(w, m.position, ask)
			return h.with(m), true
		}
		if m.position, ok = b.report(i); !ok {
			return h, false
		}
		if by.kind() == stepReport {
			l.drive(w, func(r *replica.Replica, ready *replica.Ready) { r.DurableReport(l.times(), m.position, ready) })
			return h, true
		}
		m.kind, m.ask = heldReport, replica.Ask{}
		return h.with(m), true
	})
}

// deliver lets a message arrive that was held back.
func (x *worker) deliver(s state, by step) (state, outcome) {
	w, h := x.w, x.t.helds.get(s.held)
	if by.number() >= len(h.messages) {
		return s, outcome{none: true}
	}
	m := &h.messages[by.number()]
	rest := h.without(by.number())
	if m.kind == heldAlter {
		at := makeStep(stepDeliver, m.from, by.number())
		q := question{kind: at.kind(), broker: 255, number: uint16(at), b: s.control, c: s.held}
		o := x.ask(q, func() outcome {
			c, _ := w.alter(x.t.controls.get(s.control), m.from, m.epoch, &m.proposal)
			return outcome{b: x.putControl(c), held: x.putHeld(rest)}
		})
		if o.b != s.control {
			s.spent = s.spent.plus(spentAlters)
		}
		s.control, s.held = o.b, o.held
		return s, o
	}
	follower, leader := m.from, m.to
	if m.kind == heldAnswer {
		follower, leader = m.to, m.from
	}
	return x.pair(s, makeStep(stepDeliver, follower, by.number()), leader, func(b, l *broker, _ *held) (*held, bool) {
		there := b.up && b.epoch == m.epoch
		switch {
		case m.kind == heldAnswer && there:
			b.take(w, m.answer)
		case m.kind == heldFetch && l.up:
			answer := l.serve(w, m.position, m.ask)
			if there {
				b.take(w, answer)
			}
		case m.kind == heldReport && l.up:
			l.drive(w, func(r *replica.Replica, ready *replica.Ready) { r.DurableReport(l.times(), m.position, ready) })
		}
		return rest, true
	})
}

// decided is a step in which the controller takes part.
func (x *worker) decided(s state, by step) (state, outcome) {
	w, i, before := x.w, by.broker(), s.control
	switch by.kind() {
	case stepFence:
		s.spent = s.spent.plus(spentFences)
	case stepElect, stepElectUnclean, stepSetMinISR:
		s.spent = s.spent.plus(spentOperator)
	case stepLoseAnswer, stepHoldAlter:
		s.spent = s.spent.plus(spentHeld)
	}
	if by.kind() == stepHoldAlter {
		return x.pair(s, by, i, func(b, _ *broker, h *held) (*held, bool) { return x.holdAlter(b, i, h) })
	}
	s, o := x.ruled(s, by, func(c *control, b *broker) (*control, bool) {
		switch by.kind() {
		case stepLearn:
			if !b.up {
				return c, false
			}
			b.apply(w, i, c)
			return c, true
		case stepRestart:
			if b.up {
				return c, false
			}
			return w.restart(c, i, b), true
		case stepFence:
			return w.heartbeat(c, i, true), !c.broker(i).Fenced
		case stepUnfence:
			return w.heartbeat(c, i, false), b.up && b.epoch == c.broker(i).BrokerEpoch && c.broker(i).Fenced
		case stepAlter, stepLoseAnswer:
			return x.alter(c, i, b, by.kind() == stepLoseAnswer)
		case stepElect:
			return w.elect(c, false), true
		case stepElectUnclean:
			return w.elect(c, true), c.part.Leader == metaimage.NoLeader
		case stepSetMinISR:
			return w.setMinISR(c, by.number()), c.minISR() != by.number()
		}
		invariant.Unreachable("step of kind %d", by.kind())
		return c, false
	})
	if s.control != before && !o.none && (by.kind() == stepAlter || by.kind() == stepLoseAnswer) {
		s.spent = s.spent.plus(spentAlters)
	}
	return s, o
}

// alter sends the oldest proposal; its answer comes, or is lost.
func (x *worker) alter(c *control, i int, b *broker, lost bool) (*control, bool) {
	if !b.up || len(b.asked) == 0 {
		return c, false
	}
	p := b.asked[0]
	b.asked = slices.Clone(b.asked[1:])
	c, result := x.w.alter(c, i, b.epoch, &p)
	if lost {
		result = replica.ProposalResult{Attempt: p.Attempt, Unanswered: true}
	}
	b.answered(x.w, result)
	return c, true
}

// holdAlter holds the oldest proposal back; its sender gives up waiting.
func (x *worker) holdAlter(b *broker, i int, h *held) (*held, bool) {
	if !b.up || len(b.asked) == 0 {
		return h, false
	}
	p := b.asked[0]
	b.asked = slices.Clone(b.asked[1:])
	b.answered(x.w, replica.ProposalResult{Attempt: p.Attempt, Unanswered: true})
	p.Attempt = 0
	return h.with(message{kind: heldAlter, from: i, to: i, epoch: b.epoch, proposal: p}), true
}
