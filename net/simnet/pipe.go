package simnet

import (
	"errors"
	"time"

	"github.com/moldau/moldau/internal/simcore"
)

const (
	// ringBytesMin is what a pipe's ring begins with, a power of two.
	ringBytesMin = 4 << 10
	// segmentsMax bounds the pieces of a pipe with a time of arrival each;
	// beyond it a piece arrives with the one after it.
	segmentsMax = 4096
)

// ErrReset: the connection was reset, by the peer or on the way.
var ErrReset = errors.New("connection reset by peer")

// segment is a number of bytes that arrive together.
type segment struct {
	bytes int
	at    instant
}

// pipe is one direction of a connection. The fabric's mu guards it, except
// that the writer fills the free part of the ring that it reserved without it.
type pipe struct {
	link           *link
	from           *conn // who writes
	window         int
	reader, writer side

	ring   []byte // a power of two long
	head   int    // of the oldest unread byte
	length int    // unread bytes, arrived or not
	ready  int    // arrived

	queue []segment // bytes that have not arrived; from first on
	first int
	last  instant // latest arrival that was set

	fin, rst     instant // arrival of the end and of a reset; held: not sent or held back
	finSent      bool
	rstSent      bool
	rstNow       bool    // whatever the link does
	silent       bool    // half-open: nothing arrives any more
	silentSince  instant //
	readerClosed bool
	dropped      int // bytes written to a reader that is closed
}

// side is one end of a pipe: a goroutine that reads or writes.
type side struct {
	wake     chan struct{} // one slot
	alarm    simcore.Alarm
	waiting  bool
	limited  bool // deadline holds
	deadline instant
}

func newPipe(l *link) *pipe {
	window := l.fare.WindowBytes
	if window == 0 {
		window = windowBytesDefault
	}
	return &pipe{
		link: l, window: window, fin: held, rst: held,
		reader: side{wake: make(chan struct{}, 1)}, writer: side{wake: make(chan struct{}, 1)},
	}
}

func (s *side) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// rouse wakes the side if it waits.
func (s *side) rouse() {
	if s.waiting {
		s.signal()
	}
}

func (s *side) expired(now instant) bool { return s.limited && now >= s.deadline }

// wait gives mu up until the side is roused, as it is by the end of its
// connection too, until comes, or the limit is over.
func (f *Fabric) wait(s *side, until instant) {
	s.waiting = true
	if s.limited {
		until = min(until, s.deadline)
	}
	now := f.now()
	f.mu.Unlock()
	if until != held {
		d := max(time.Duration(until-now), 0)
		if s.alarm == nil {
			s.alarm = f.base.AfterFunc(d, s.signal)
		} else {
			s.alarm.Reset(d)
		}
		<-s.wake
		s.alarm.Stop()
	} else {
		<-s.wake
	}
	f.mu.Lock()
	s.waiting = false
}

// arrived reports whether something with a time of arrival has arrived.
func (p *pipe) arrived(at, now instant) bool {
	if p.silent {
		return at <= p.silentSince
	}
	if p.link.blocked && at > p.link.since {
		return false
	}
	return at <= now
}

func (p *pipe) segments() []segment { return p.queue[p.first:] }

// advance counts what has arrived.
func (p *pipe) advance(now instant) {
	for p.first < len(p.queue) && p.arrived(p.queue[p.first].at, now) {
		p.ready += p.queue[p.first].bytes
		p.first++
	}
	if p.first == len(p.queue) {
		p.queue, p.first = p.queue[:0], 0
	}
}

// isReset reports whether a reset has arrived; nothing later does then.
func (p *pipe) isReset(now instant) bool {
	if !p.rstSent || (!p.rstNow && !p.arrived(p.rst, now)) {
		return false
	}
	p.advance(min(now, p.rst))
	p.queue, p.first, p.length = p.queue[:0], 0, p.ready
	return true
}

// next is when something more may arrive, held if that cannot be said.
func (p *pipe) next() instant {
	if p.silent || p.link.blocked {
		return held
	}
	at := min(p.fin, p.rst)
	if p.first < len(p.queue) {
		at = min(at, p.queue[p.first].at)
	}
	return at
}

// resetTime is when a reset is known to arrive, else held.
func (p *pipe) resetTime() instant {
	if p.silent || p.link.blocked {
		return held
	}
	return p.rst
}

// arrival sets and returns when n bytes that are sent now arrive.
func (p *pipe) arrival(now instant, n int) instant {
	if p.silent || p.link.blocked {
		return held
	}
	p.last = max(p.last, p.link.transit(now, n))
	p.link.passes(p, p.last)
	return p.last
}

// push adds n bytes, which are in the ring already, to those under way.
func (p *pipe) push(now instant, n int) {
	at := p.arrival(now, n)
	if at == held && !p.silent {
		p.link.blocks("write")
	}
	p.length += n
	waiting := p.segments()
	switch {
	case len(waiting) == 0 && at <= now:
		p.ready += n
	case len(waiting) > 0 && (waiting[len(waiting)-1].at == at || len(waiting) >= segmentsMax):
		p.queue[len(p.queue)-1].bytes += n
		p.queue[len(p.queue)-1].at = at
	default:
		p.enqueue(segment{n, at})
	}
	p.reader.rouse()
}

func (p *pipe) enqueue(s segment) {
	if p.first > 0 && len(p.queue) == cap(p.queue) {
		p.queue = p.queue[:copy(p.queue, p.queue[p.first:])]
		p.first = 0
	}
	p.queue = append(p.queue, s)
}

// retime sets the arrival of all that a link, which was blocked since then and
// heals now, held back.
func (p *pipe) retime(now, since instant) {
	if !p.silent {
		p.advance(since)
		p.last = now + upTo(p.link.fabric.draw.heal, retransmitMax)
		for i := range p.segments() {
			s := &p.segments()[i]
			p.last = max(p.last, p.link.transit(now, s.bytes))
			s.at = p.last
		}
		if p.finSent && p.fin > since {
			p.fin = p.last
		}
		if p.rstSent && p.rst > since {
			p.rst = now + upTo(p.link.fabric.draw.heal, retransmitMax)
		}
	}
	p.from.answerLate(now)
	p.from.peer().answerLate(now)
	p.reader.rouse()
	p.writer.rouse()
}

// free returns a free part of the ring, at most want bytes, that push then
// hands on. The window has room for at least one.
func (p *pipe) free(want int) []byte {
	want = min(want, p.window-p.length)
	size := max(len(p.ring), ringBytesMin)
	for size-p.length < want {
		size *= 2
	}
	if size > len(p.ring) {
		bigger := make([]byte, size)
		n := copy(bigger, p.ring[p.head:min(p.head+p.length, len(p.ring))])
		copy(bigger[n:], p.ring[:p.length-n])
		p.ring, p.head = bigger, 0
	}
	tail := (p.head + p.length) & (size - 1)
	return p.ring[tail:][:min(want, size-p.length, size-tail)]
}

// take copies bytes that have arrived out, as many as fit.
func (p *pipe) take(b []byte) int {
	b = b[:min(len(b), p.ready)]
	n := copy(b, p.ring[p.head:])
	copy(b[n:], p.ring)
	p.length -= len(b)
	p.ready -= len(b)
	p.head = (p.head + len(b)) & (len(p.ring) - 1)
	p.writer.rouse()
	return len(b)
}

// sendReset lets a reset arrive at a time, unless an earlier one does.
func (p *pipe) sendReset(at instant, force bool) {
	if p.rstSent && p.rst <= at {
		return
	}
	p.rst, p.rstSent, p.rstNow = at, true, force
	p.reader.rouse()
	p.writer.rouse()
}
