package explore

import (
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/replica"
)

// tables give the parts of a world's states their numbers.
type tables struct {
	controls parts[control]
	brokers  parts[broker]
	pasts    parts[past]
	helds    parts[held]
	wrongs   parts[string]
}

// worker makes steps. It remembers what came of them for the parts that they
// touch; several workers share the tables.
type worker struct {
	w      *World
	t      *tables
	memory map[question]outcome
	buf    []byte
	forget bool // remember nothing, for tests
}

// question is a step and the parts that its outcome depends on.
type question struct {
	kind    stepKind
	broker  uint8
	number  uint16
	a, b, c uint32
}

// outcome is the parts afterwards, in the order of the question's.
type outcome struct {
	a, b  uint32
	held  uint32 // the messages, where the step holds one back
	wrong uint32 // 1 + the number of what was done against the contract
	none  bool   // the step cannot happen here
}

// memoryMax bounds the outcomes that a worker remembers; beyond it, it begins
// anew.
const memoryMax = 24 << 20

func newWorker(w *World, t *tables) *worker {
	return &worker{w: w, t: t, memory: make(map[question]outcome)}
}

// ask answers a question from memory, or by work.
func (x *worker) ask(q question, work func() outcome) outcome {
	if o, ok := x.memory[q]; ok && !x.forget {
		return o
	}
	o := work()
	if len(x.memory) >= memoryMax {
		clear(x.memory)
	}
	x.memory[q] = o
	return o
}

func (x *worker) putBroker(b *broker) uint32 {
	x.buf = b.encode(x.buf[:0])
	return x.t.brokers.put(x.buf, b)
}

func (x *worker) putControl(c *control) uint32 { return x.t.controls.put(c.key, c) }

func (x *worker) putHeld(h *held) uint32 {
	x.buf = h.encode(x.buf[:0])
	return x.t.helds.put(x.buf, h)
}

func (x *worker) putWrong(text string) uint32 {
	if text == "" {
		return 0
	}
	return 1 + x.t.wrongs.put([]byte(text), &text)
}

// initial is the state that the world begins with.
func (x *worker) initial() state {
	c := x.w.first()
	s := state{control: x.putControl(c), past: x.t.pasts.put((&past{}).encode(nil), &past{}), held: x.putHeld(&held{})}
	for i := range Brokers {
		b := &broker{epoch: incarnation(i, 1), clean: true}
		b.start(x.w, i)
		b.apply(x.w, i, c)
		s.brokers[i] = x.putBroker(b)
	}
	return s
}

// next is the state after a step; false where the step cannot happen. wrong
// says what was done against the contract on the way.
func (x *worker) next(s state, by step) (n state, wrong string, ok bool) {
	n, o := x.move(s, by)
	if o.none {
		return s, "", false
	}
	if o.wrong != 0 {
		return n, *x.t.wrongs.get(o.wrong - 1), true
	}
	if n.control != s.control {
		x.judgeControl(&s, &n)
	}
	for i := range Brokers {
		if n.brokers[i] == s.brokers[i] {
			continue
		}
		if o := x.observe(n.past, i, n.brokers[i]); o.wrong != 0 {
			return n, *x.t.wrongs.get(o.wrong - 1), true
		} else {
			n.past = o.a
		}
	}
	return n, x.check(&n), true
}

// observe adds what a broker holds and shows to the past.
func (x *worker) observe(p uint32, i int, b uint32) outcome {
	return x.ask(question{kind: askObserve, broker: uint8(i), a: p, b: b}, func() outcome {
		bb := x.t.brokers.get(b)
		if x.w.Deletes == 0 && bb.disk.start > 0 {
			return outcome{wrong: x.putWrong("P1: the log start of " + name(i) + " rose, and nobody asked for it")}
		}
		after, wrong := x.t.pasts.get(p).observe(i, bb)
		if wrong != "" {
			return outcome{wrong: x.putWrong(wrong)}
		}
		x.buf = after.encode(x.buf[:0])
		return outcome{a: x.t.pasts.put(x.buf, after)}
	})
}

// check looks at the leader that the controller has.
func (x *worker) check(s *state) (wrong string) {
	c := x.t.controls.get(s.control)
	if c.part.Leader == metaimage.NoLeader {
		return ""
	}
	i := int(c.part.Leader) - 1
	b := x.t.brokers.get(s.brokers[i])
	if !b.up || b.epoch != c.broker(i).BrokerEpoch {
		return ""
	}
	return x.t.pasts.get(s.past).checkLeader(i, b)
}

// void reports that nothing is promised any more: no member of ISR or ELR has
// kept what its disk had synced.
func (x *worker) void(s *state) bool {
	if s.spent.get(spentLost) == 0 {
		return false
	}
	p := x.t.controls.get(s.control).part
	for i := range Brokers {
		if !s.spent.lost(i) && (p.InISR(idOf(i)) || p.InELR(idOf(i))) {
			return false
		}
	}
	return true
}

// judgeControl follows what a decision means for what is promised: who joins
// ISR, is elected or loses its mark is whole; an unclean election may undo.
func (x *worker) judgeControl(s, n *state) {
	before, after := x.t.controls.get(s.control).part, x.t.controls.get(n.control).part
	for i := range Brokers {
		_, was := before.DoubtOf(idOf(i))
		_, is := after.DoubtOf(idOf(i))
		joined := after.InISR(idOf(i)) && !before.InISR(idOf(i)) && !before.InELR(idOf(i))
		if joined || was && !is && after.InISR(idOf(i)) {
			n.spent = n.spent.setLost(i, false)
		}
	}
	if after.Recovery == metaimage.Recovering && after.LeaderEpoch > before.LeaderEpoch {
		p := x.t.pasts.get(n.past).clone()
		p.undone = true
		x.buf = p.encode(x.buf[:0])
		n.past = x.t.pasts.put(x.buf, p)
	}
}

// within reports whether the budgets that are read off the metadata hold.
func (x *worker) within(s *state) bool {
	return int(x.t.controls.get(s.control).part.LeaderEpoch) <= 1+x.w.Epochs
}

// one answers a step that touches one broker.
func (x *worker) one(s state, by step, do func(b *broker) bool) (state, outcome) {
	i := by.broker()
	o := x.ask(question{kind: by.kind(), broker: uint8(i), number: uint16(by.number()), a: s.brokers[i]}, func() outcome {
		b := x.t.brokers.get(s.brokers[i]).clone()
		if !do(b) {
			return outcome{none: true}
		}
		return outcome{wrong: x.putWrong(b.wrong), a: x.putBroker(b)}
	})
	s.brokers[i] = o.a
	return s, o
}

// ruled answers a step that touches the controller, and a broker.
func (x *worker) ruled(s state, by step, do func(c *control, b *broker) (*control, bool)) (state, outcome) {
	i := by.broker()
	o := x.ask(question{kind: by.kind(), broker: uint8(i), number: uint16(by.number()), a: s.brokers[i], b: s.control}, func() outcome {
		b := x.t.brokers.get(s.brokers[i]).clone()
		c, ok := do(x.t.controls.get(s.control), b)
		if !ok {
			return outcome{none: true}
		}
		return outcome{wrong: x.putWrong(b.wrong), a: x.putBroker(b), b: x.putControl(c)}
	})
	s.brokers[i], s.control = o.a, o.b
	return s, o
}

// pair answers a step that touches two brokers, the step's and another, and the
// messages under way.
func (x *worker) pair(s state, by step, other int, do func(b, other *broker, h *held) (*held, bool)) (state, outcome) {
	i := by.broker()
	q := question{kind: by.kind(), broker: uint8(i)<<4 | uint8(other), number: uint16(by.number()), a: s.brokers[i], b: s.brokers[other]}
	if by.kind() != stepFetch && by.kind() != stepReport {
		q.c = s.held
	}
	o := x.ask(q, func() outcome {
		b, l := x.t.brokers.get(s.brokers[i]).clone(), x.t.brokers.get(s.brokers[other]).clone()
		h := x.t.helds.get(s.held)
		after, ok := do(b, l, h)
		if !ok {
			return outcome{none: true}
		}
		o := outcome{a: x.putBroker(b), b: x.putBroker(l), held: s.held}
		if after != h {
			o.held = x.putHeld(after)
		}
		if o.wrong = x.putWrong(b.wrong); o.wrong == 0 {
			o.wrong = x.putWrong(l.wrong)
		}
		return o
	})
	s.brokers[other] = o.b
	s.brokers[i] = o.a // last: other may be i
	if by.kind() != stepFetch && by.kind() != stepReport && !o.none {
		s.held = o.held
	}
	return s, o
}

// leaderOf is the broker that a follower fetches from, which must be up.
func (x *worker) leaderOf(s *state, i int) (leader int, ok bool) {
	b := x.t.brokers.get(s.brokers[i])
	if !b.up {
		return 0, false
	}
	ask, ok := b.r.NextAsk()
	if !ok || ask.Leader < 1 || ask.Leader > Brokers || int(ask.Leader)-1 == i {
		return 0, false
	}
	leader = int(ask.Leader) - 1
	return leader, x.t.brokers.get(s.brokers[leader]).up
}

// report is a follower's report, if it has one.
func (b *broker) report(i int) (replica.Position, bool) {
	p, ok := b.r.Report()
	p.Broker, p.BrokerEpoch = idOf(i), b.epoch
	return p, ok
}

// produce appends the next value.
func (b *broker) produce(w *World, value uint8) bool {
	if !b.up || !b.status.Leader {
		return false
	}
	batch, data := entry{value: value}.batchAt(0)
	p := replica.Produce{Batch: batch, Data: data, Acks: replica.AcksLeader, Token: tokenProduce, LeaderEpoch: replica.NoEpoch}
	if w.AcksAll {
		p.Acks = replica.AcksAll
	}
	end := b.disk.end()
	b.drive(w, func(r *replica.Replica, ready *replica.Ready) { r.Produce(b.times(), p, ready) })
	return b.disk.end() > end || b.wrong != ""
}
