package fetcher

import (
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/replica"
	"github.com/moldau/moldau/broker/shard"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/internal/inbox"
)

// peerInboxLen is where an inbox would begin to wait; what a peer is told is
// offered past it, and bounded by its replicas.
const peerInboxLen = 1 << 10

// message is one of the closed set that a peer takes.
type message interface{ on(p *peer) }

// peer is a broker that leads replicas of this one.
type peer struct {
	f     *Fetcher
	id    int32
	in    *inbox.Inbox[message]
	timer clock.Timer
	pool  pool

	// The rest is the goroutine's, but that addTo reads parts under mu.
	mu    sync.Mutex
	parts []*part // in the order in which they came
	byKey map[*shard.Handle]*part

	now      clock.Mono
	due      []*part // to be asked for
	resting  []*part // after a failure
	reports  []*part // with news for the leader
	forgets  []kafka.TopicPartition
	awaiting int        // parts whose answer is not applied yet
	hold     clock.Mono // until when the next fetch waits for those

	link      *link // nil: none, nor one on the way
	linkTries int
	linkAt    clock.Mono // not before this is another one made
	connected atomic.Bool

	body []byte // of requests, for the next one
}

// part is one replica that follows the peer.
type part struct {
	h     *shard.Handle
	ask   replica.Ask
	ready bool // ask is what to ask
	armed bool // ask is at the leader, who will answer when there is something
	// awaits: an answer was given to the replica, which has not applied it yet.
	awaits    bool
	queued    bool // in due
	rests     bool // in resting
	until     clock.Mono
	tries     int
	report    replica.Position
	reporting bool // in reports
	gone      bool
	lag       atomic.Int64 // records that it lacks to the leader's high watermark
	failed    atomic.Bool
}

func newPeer(f *Fetcher, id int32) *peer {
	p := &peer{f: f, id: id, in: inbox.New[message](peerInboxLen), byKey: make(map[*shard.Handle]*part)}
	p.pool.freed = func() { p.in.Offer(memoryFreed{}) }
	return p
}

// run is the peer's goroutine.
func (p *peer) run() {
	defer p.f.wg.Done()
	p.timer = p.f.cfg.Clock.NewTimer(p.f.cfg.WaitMax)
	defer p.timer.Stop()
	var turn []message
	for {
		items, open := p.in.Take(turn)
		turn = items
		if !open {
			return
		}
		p.now = p.f.cfg.Clock.Mono()
		for _, m := range items {
			m.on(p)
		}
		next := p.act()
		if len(items) > 0 {
			continue // more may have come meanwhile
		}
		p.timer.Reset(next)
		select {
		case <-p.in.Wake():
			p.timer.Stop()
		case <-p.timer.C():
		case <-p.f.stop:
			return
		}
	}
}

// act sends what is to be sent, and says after which time to look again.
func (p *peer) act() time.Duration {
	next := p.wakeResting(time.Hour)
	if len(p.byKey) == 0 {
		p.hangUp()
		return next
	}
	if p.link == nil {
		return min(next, p.connect())
	}
	if !p.link.up {
		return next
	}
	next = min(next, p.fetch())
	p.sendReports()
	return next
}

// wakeResting lets the replicas that have rested be asked for again.
func (p *peer) wakeResting(next time.Duration) time.Duration {
	kept := p.resting[:0]
	for _, x := range p.resting {
		switch {
		case x.gone:
		case x.until <= p.now:
			x.rests = false
			x.failed.Store(false)
			p.consider(x)
		default:
			next = min(next, x.until.Sub(p.now))
			kept = append(kept, x)
		}
	}
	clear(p.resting[len(kept):])
	p.resting = kept
	return next
}

// consider queues a replica that is to be asked for.
func (p *peer) consider(x *part) {
	if x.ready && !x.armed && !x.awaits && !x.queued && !x.rests && !x.gone {
		x.queued = true
		p.due = append(p.due, x)
	}
}

// rest lets some time pass before a replica is asked for again.
func (p *peer) rest(x *part) {
	x.until = p.now.Add(p.f.backoff(x.tries))
	x.tries++
	x.failed.Store(true)
	if !x.rests {
		x.rests = true
		p.resting = append(p.resting, x)
	}
}

// backoff is the pause after the n-th failure in a row: it doubles, and up to a
// quarter is added, so that many do not come back at once.
func (f *Fetcher) backoff(n int) time.Duration {
	d := backoffMin << min(n, 16)
	d = min(d, max(f.cfg.BackoffMax, backoffMin))
	var b [4]byte
	f.cfg.Entropy.Read(b[:])
	return d + time.Duration(uint64(d/4)*uint64(binary.BigEndian.Uint32(b[:]))>>32)
}

// connect begins to open a connection, if it is time.
func (p *peer) connect() time.Duration {
	if p.linkAt > p.now {
		return p.linkAt.Sub(p.now)
	}
	addr, ok := p.f.address(p.id)
	if !ok {
		return time.Hour // until the image says where
	}
	p.link = &link{p: p, addr: addr, asked: make(map[kafka.TopicPartition]asked)}
	p.f.wg.Add(1)
	go p.link.run()
	return time.Hour
}

// hangUp closes the connection; what comes of it later is dropped.
func (p *peer) hangUp() {
	l := p.link
	if l == nil {
		return
	}
	p.link = nil
	p.connected.Store(false)
	l.end()
	p.forgets = nil
	for _, x := range p.parts {
		x.armed = false
		p.consider(x)
	}
}

// moves says where replicas stand.
type moves struct{ list []shard.Move }

func (m *moves) on(p *peer) {
	for i := range m.list {
		p.take(&m.list[i])
	}
}

func (p *peer) take(m *shard.Move) {
	x := p.byKey[m.Handle]
	if m.Gone {
		if x != nil {
			p.remove(x)
		}
		return
	}
	if x == nil {
		x = &part{h: m.Handle}
		p.byKey[m.Handle] = x
		p.mu.Lock()
		p.parts = append(p.parts, x)
		p.mu.Unlock()
	}
	if m.Report {
		x.report = m.Position
		if !x.reporting {
			x.reporting = true
			p.reports = append(p.reports, x)
		}
	}
	if m.Done && x.awaits {
		x.awaits = false
		p.awaiting--
	}
	if x.ready = m.Ready; m.Ready {
		if !sameState(&x.ask, &m.Ask) {
			x.armed, x.tries, x.until = false, 0, p.now
			x.rests = false
			x.failed.Store(false)
			p.resting = slices.DeleteFunc(p.resting, func(o *part) bool { return o == x })
		}
		x.ask = m.Ask
	}
	if m.Backoff {
		p.rest(x)
	}
	p.consider(x)
}

// sameState says whether two asks want the same answer.
func sameState(a, b *replica.Ask) bool {
	return a.LeaderEpoch == b.LeaderEpoch && a.Offset == b.Offset && a.LastEpoch == b.LastEpoch &&
		a.LogStart == b.LogStart && a.Incarnation == b.Incarnation
}

// remove ends the following of a replica.
func (p *peer) remove(x *part) {
	x.gone = true
	delete(p.byKey, x.h)
	if x.awaits {
		p.awaiting--
	}
	if x.armed && p.link != nil {
		p.forgets = append(p.forgets, x.h.ID)
	}
	p.mu.Lock()
	p.parts = slices.DeleteFunc(p.parts, func(o *part) bool { return o == x })
	p.mu.Unlock()
}

// imageChanged: the peer may be reached elsewhere now, or be a new incarnation.
type imageChanged struct{}

func (imageChanged) on(p *peer) {
	p.linkAt, p.linkTries = 0, 0
	if addr, ok := p.f.address(p.id); p.link != nil && (!ok || addr != p.link.addr) {
		p.hangUp()
	}
}

// memoryFreed: an answer's memory came back after too much was in use.
type memoryFreed struct{}

func (memoryFreed) on(*peer) {}

// linkUp: the connection is open.
type linkUp struct{ l *link }

func (m *linkUp) on(p *peer) {
	if p.link == m.l {
		m.l.up = true
		p.connected.Store(true)
		p.f.cfg.Events.Emit(Following{Leader: p.id, Address: m.l.addr})
	}
}

// linkDown: the connection is closed, or was never opened.
type linkDown struct {
	l   *link
	err error
}

func (m *linkDown) on(p *peer) {
	if p.link != m.l {
		return
	}
	p.f.cfg.Events.Emit(Disconnected{Leader: p.id, Address: m.l.addr, Err: m.err})
	p.hangUp()
	p.linkAt = p.now.Add(p.f.backoff(p.linkTries))
	p.linkTries++
}

// answered tells the peer of an answer, before the shards get it.
type answered struct {
	l       *link
	session int32
	parts   []answeredPart
}

// answeredPart is what became of one replica in an answer.
type answeredPart struct {
	h      *shard.Handle
	ask    replica.Ask // that was answered
	awaits bool        // the shard will say when it is applied
	failed bool
	lag    int64 // -1: unknown
}

func (m *answered) on(p *peer) {
	if p.link != m.l {
		// The shards get the answers of a connection that was given up all the same.
		m.l = nil
	} else {
		p.link.session = m.session
		p.link.outstanding--
		p.linkTries = 0
	}
	for i := range m.parts {
		a := &m.parts[i]
		x := p.byKey[a.h]
		if x == nil {
			continue
		}
		if a.lag >= 0 {
			x.lag.Store(a.lag)
		}
		current := m.l != nil && sameState(&x.ask, &a.ask)
		switch {
		case a.awaits:
			if !x.awaits {
				x.awaits = true
				p.awaiting++
			}
			p.hold = p.now.Add(stragglerWait)
			x.failed.Store(false)
			if current {
				x.armed = false
			}
		case a.failed && current:
			x.armed = false
			p.rest(x)
		case a.failed:
		default:
			x.failed.Store(false)
			x.tries = 0
		}
	}
}

// addTo adds what the peer's replicas are to s.
func (p *peer) addTo(s *Stats) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, x := range p.parts {
		s.MaxLag = max(s.MaxLag, x.lag.Load())
		if x.failed.Load() {
			s.Failed++
		}
	}
	s.Partitions += len(p.parts)
	if len(p.parts) > 0 && !p.connected.Load() {
		s.Disconnected++
	}
}
