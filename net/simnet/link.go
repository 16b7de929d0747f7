package simnet

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/moldau/moldau/internal/invariant"
	"github.com/moldau/moldau/internal/simcore"
)

const (
	// windowBytesDefault bounds the unread bytes of a pipe unless a Link says so.
	windowBytesDefault = 256 << 10
	// windowBytesMax is the largest that a Link may say.
	windowBytesMax = 16 << 20
)

// Link says how traffic from one host to another fares. What is zero does
// nothing. Shares are probabilities from 0 to 1.
type Link struct {
	// Delay and up to Jitter more pass between a write and its arrival; with
	// SpikeShare up to SpikeMax more.
	Delay, Jitter time.Duration
	SpikeShare    float64
	SpikeMax      time.Duration
	// BytesPerSecond is shared by all connections of the link.
	BytesPerSecond int64
	// WindowBytes bounds what one direction of a connection holds unread; zero
	// is 256 KiB. It counts for connections made afterwards.
	WindowBytes int
	// FragmentShare of the reads return only a part of what is there.
	FragmentShare float64
	// ResetShare of the writes get a part of their bytes through, then the
	// connection is reset.
	ResetShare float64
	// LoseReplyShare of the writes by who accepted the connection seem to
	// succeed, but nothing arrives: the connection is reset, or falls silent.
	LoseReplyShare float64
	// RefuseShare of the attempts to connect are refused.
	RefuseShare float64
}

func (l Link) check() {
	ok := l.Delay >= 0 && l.Jitter >= 0 && l.SpikeMax >= 0 && l.BytesPerSecond >= 0 &&
		l.WindowBytes >= 0 && l.WindowBytes <= windowBytesMax
	for _, share := range []float64{l.SpikeShare, l.FragmentShare, l.ResetShare, l.LoseReplyShare, l.RefuseShare} {
		ok = ok && share >= 0 && share <= 1
	}
	invariant.Check(ok, "link of a simulated network: %s", fmt.Sprintf("%+v", l))
}

type linkKey struct{ from, to *host }

// link is the way from one host to another.
type link struct {
	fabric   *Fabric
	from, to *host
	fare     Link
	own      bool // fare was set for this link
	cut      bool
	blocked  bool             // nothing arrives
	since    instant          // when it was blocked
	why      *simcore.Counter // what blocks it
	freeAt   instant          // when what was sent so far has left
	latest   instant          // latest arrival
	latestOf *pipe
}

// link returns the way from one host to another. The caller holds mu.
func (f *Fabric) link(from, to *host) *link {
	key := linkKey{from, to}
	l := f.links[key]
	if l == nil {
		l = &link{fabric: f, from: from, to: to}
		if from != to {
			l.fare = f.normal
		}
		f.links[key] = l
		f.refresh(l)
	}
	return l
}

// happens draws whether something of a share does.
func happens(stream *rand.Rand, share float64) bool { return share > 0 && stream.Float64() < share }

func upTo(stream *rand.Rand, d time.Duration) instant {
	if d <= 0 {
		return 0
	}
	return instant(stream.Int64N(int64(d) + 1))
}

// depart returns when n bytes that are sent now have left.
func (l *link) depart(now instant, n int) instant {
	if l.fare.BytesPerSecond == 0 {
		return now
	}
	if l.freeAt > now {
		l.fabric.marks.throttle.Add()
	}
	l.freeAt = max(now, l.freeAt) + instant(int64(n)*int64(time.Second)/l.fare.BytesPerSecond)
	return l.freeAt
}

// transit returns when n bytes that are sent now arrive, if nothing is before them.
func (l *link) transit(now instant, n int) instant {
	at := l.depart(now, n) + instant(l.fare.Delay) + upTo(l.fabric.draw.delay, l.fare.Jitter)
	if happens(l.fabric.draw.delay, l.fare.SpikeShare) {
		at += upTo(l.fabric.draw.delay, l.fare.SpikeMax)
		l.fabric.marks.spike.Add()
	}
	if at > now {
		l.fabric.marks.delay.Add()
	}
	return at
}

// passes notes an arrival of a pipe, for the mark of reordering.
func (l *link) passes(p *pipe, at instant) {
	if at < l.latest && l.latestOf != p {
		l.fabric.marks.reorder.Add()
	}
	if at >= l.latest {
		l.latest, l.latestOf = at, p
	}
}

// refresh finds out whether a link is blocked, and blocks or heals it. The
// caller holds mu.
func (f *Fabric) refresh(l *link) {
	l.why = nil
	switch m := &f.marks; {
	case l.from == l.to:
	case l.from.clogged || l.to.clogged:
		l.why = m.clog
	case l.from.isolated || l.to.isolated:
		l.why = m.isolate
	case l.cut:
		l.why = m.oneWay
		if back := f.links[linkKey{l.to, l.from}]; back != nil && back.cut {
			l.why = m.partition
		}
	}
	blocked := l.from != l.to && (l.from.clogged || l.to.clogged || l.from.isolated || l.to.isolated || l.cut)
	if blocked == l.blocked {
		return
	}
	now, since := f.now(), l.since
	l.blocked, l.since = blocked, now
	for _, pair := range f.pairs {
		for _, p := range []*pipe{pair.client.out, pair.server.out} {
			switch {
			case p.link != l:
			case blocked:
				p.advance(now)
				if len(p.segments()) > 0 {
					l.blocks("in flight")
				}
			default:
				p.retime(now, since)
			}
		}
	}
}

// blocks notes that the block hit something.
func (l *link) blocks(what string) { l.why.Hit(l.from.name + ">" + l.to.name + " " + what) }
