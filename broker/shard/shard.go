package shard

import (
	"sync/atomic"
	"time"

	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/replica"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/broker/seglog/logdir"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/internal/inbox"
	"github.com/moldau/moldau/internal/life"
)

const (
	// inboxLenMax bounds the requests that wait for a shard; who puts more waits.
	inboxLenMax = 16 << 10
	// tickEvery is how often a shard looks at deadlines and at some of its
	// replicas' clocks.
	tickEvery = 100 * time.Millisecond
	// tickReplicasMin is the least number of replicas looked at in one tick; all
	// are looked at within sweepTicks.
	tickReplicasMin = 16
	sweepTicks      = 10
)

// message is one of the closed set of structs that a shard takes: Produce,
// Fetch, Unwatch, Query, Call, and the package's own.
type message interface {
	on(s *Shard)
}

// Shard is one loop. The Manager makes it.
type Shard struct {
	index   int
	clock   clock.Clock
	events  event.Sink
	in      *inbox.Inbox[message]
	ended   chan struct{}
	life    *life.Life
	node    int32
	fetcher Fetcher
	isrs    ISRs
	round   atomic.Int64 // clock.Mono at which the loop began its last round

	// The rest belongs to the loop.
	now       replica.Times
	timer     clock.Timer
	tickAt    clock.Mono // when the timer fires
	ready     replica.Ready
	stepping  *Produce
	tokens    tokenTable
	deadlines []*Produce
	replicas  []*Handle
	byKey     map[uint64]*Handle // under which the disk workers answer
	coords    []*Handle
	sweep     int // the next replica to tick
	advanced  []*Handle
	orders    map[*logdir.Dir][]logdir.Order
	dirs      []*logdir.Dir // keys of orders, in order of first use
	proposals []Proposed    // of this turn
	following []*Handle     // whose fetcher may have to hear something at the turn's end
	moves     map[int32][]Move
	leaders   []int32 // keys of moves, in order of first use
}

func newShard(index int, cfg *Config) *Shard {
	return &Shard{
		index: index, clock: cfg.Clock, events: cfg.Events, node: cfg.NodeID, fetcher: cfg.Fetcher, isrs: cfg.ISRs,
		in: inbox.New[message](inboxLenMax), ended: make(chan struct{}), life: cfg.Life,
		orders: make(map[*logdir.Dir][]logdir.Order), byKey: make(map[uint64]*Handle), moves: make(map[int32][]Move),
	}
}

// run is the shard's goroutine.
func (s *Shard) run() {
	defer close(s.ended)
	s.timer = s.clock.NewTimer(tickEvery)
	defer s.timer.Stop()
	s.readClock()
	s.tickAt = s.now.Mono.Add(tickEvery)
	var turn []message
	for {
		items, open := s.in.Take(turn)
		turn = items
		if !open {
			return
		}
		if len(items) == 0 {
			select {
			case <-s.in.Wake():
			case <-s.timer.C():
				s.readClock()
				s.tickAt = s.now.Mono.Add(tickEvery)
				s.timer.Reset(tickEvery)
				s.tick()
				s.endTurn()
			}
			continue
		}
		s.readClock()
		for _, m := range items {
			m.on(s)
		}
		s.endTurn()
	}
}

func (s *Shard) readClock() {
	s.now = replica.Times{Wall: s.clock.Wall(), Mono: s.clock.Mono()}
	s.round.Store(int64(s.now.Mono))
}

// carryOut takes what a step of h's machine wants done.
func (s *Shard) carryOut(h *Handle) {
	r := &s.ready
	if len(r.Ops) > 0 {
		list, known := s.orders[h.dir]
		if !known {
			s.dirs = append(s.dirs, h.dir)
		}
		for i := range r.Ops {
			list = append(list, logdir.Order{P: h.part, Op: r.Ops[i]})
		}
		s.orders[h.dir] = list
	}
	if r.Advanced && !h.advanced {
		h.advanced = true
		s.advanced = append(s.advanced, h)
	}
	if r.Follow || r.Reports || r.Backoff {
		h.follower.reports, h.follower.backoff = h.follower.reports || r.Reports, h.follower.backoff || r.Backoff
		s.list(h)
	}
	for i := range r.Proposals {
		s.proposals = append(s.proposals, Proposed{h, r.Proposals[i]})
	}
	for _, e := range r.Events {
		s.events.Emit(e)
	}
	// An ack may finish a request, but steps no machine: acks are the last
	// thing read of r.
	for _, a := range r.Acks {
		if h.coord != nil && h.coord.acked(s, h, a) {
			continue
		}
		s.ack(a)
	}
	r.Reset()
}

// endTurn tells who waits for what moved, gives the turn's orders to the disk
// workers, and says to other brokers what the turn has for them.
func (s *Shard) endTurn() {
	for i := 0; i < len(s.advanced); i++ { // coordinators may append while it runs
		h := s.advanced[i]
		h.advanced = false
		if h.closed {
			continue
		}
		h.part.SetHighWatermark(h.machine.HighWatermark())
		h.grown()
		h.moved()
		if h.coord != nil {
			h.coord.role(s, h)
			h.coord.committed(s, h)
		}
	}
	clear(s.advanced)
	s.advanced = s.advanced[:0]
	for _, d := range s.dirs {
		list := s.orders[d]
		if len(list) > 0 {
			d.Submit(list)
			clear(list)
			s.orders[d] = list[:0]
		}
	}
	if len(s.following) > 0 || len(s.leaders) > 0 {
		s.tellFetcher()
	}
	if len(s.proposals) > 0 {
		s.isrs.Propose(s.proposals)
		s.proposals = nil
	}
}

// wantTick makes the next tick come at the time at, if that is earlier.
func (s *Shard) wantTick(at clock.Mono) {
	if at < s.tickAt {
		s.tickAt = at
		s.timer.Reset(max(at.Sub(s.now.Mono), 0))
	}
}

// tick looks at deadlines, coordinators, and the next few replicas.
func (s *Shard) tick() {
	s.expire()
	for _, h := range s.coords {
		h.coord.tick(s, h)
	}
	n := max(tickReplicasMin, (len(s.replicas)+sweepTicks-1)/sweepTicks)
	for range min(n, len(s.replicas)) {
		if s.sweep >= len(s.replicas) {
			s.sweep = 0
		}
		h := s.replicas[s.sweep]
		s.sweep++
		h.machine.Tick(s.now, &s.ready)
		s.carryOut(h)
	}
}

// diskDone brings a disk worker's answers to the loop.
type diskDone struct{ completions []logdir.Completion }

func (m *diskDone) on(s *Shard) {
	for i := range m.completions {
		h := s.byKey[m.completions[i].Key]
		if h == nil {
			continue // closed meanwhile
		}
		done := m.completions[i].Done
		if done.Kind == seglog.Failed {
			h.cutFailed(done.Err)
		}
		h.machine.Done(s.now, done, &s.ready)
		s.carryOut(h)
	}
}

// DiskDone implements logdir.Sink.
func (s *Shard) DiskDone(completions []logdir.Completion) {
	s.in.Offer(&diskDone{completions})
}
