package workload

import (
	"slices"
	"time"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/linearizability/history"
)

// shadowPartBytes is what a fetch with a session asks for of each partition, its
// shadows too: they compare only if no small limit decides what comes.
const (
	shadowPartBytes = 256 << 10
	shadowMaxBytes  = 50 << 20
	lookbackMs      = 120_000 // look-ups by time go back so far
)

// Consumer reads partitions that it chose itself.
type Consumer struct {
	Topics    []*Topic
	Sessions  bool // incremental fetch sessions, with shadows beside them
	Polls     bool // recorded as polls, held against each other; else as fetches, each held against its position
	Committed bool // read_committed
	MinBytes  int32
	MaxBytes  int32 // of an answer; and half of it of one partition's
	MaxWait   time.Duration
	Every     time.Duration // mean time between fetches
	Timeout   time.Duration
	Lookups   int // of 1000 steps that look an offset up
	Seeks     int // of 1000 steps that move elsewhere
}

// Run is Actor's.
func (a Consumer) Run(env *Env) {
	client := newClient(env, a.Timeout)
	c := &consumer{Consumer: a, env: env, fetcher: &fetcher{client, newBatchReader()}}
	defer client.close()
	for !env.stopping() {
		c.step()
		client.pause(a.Every/2 + time.Duration(env.Rand.Int64N(int64(a.Every)+1)))
	}
}

// consumer is a Consumer at work.
type consumer struct {
	Consumer
	env      *Env
	fetcher  *fetcher
	spots    []*spot
	sessions []*session // one a node
}

func (c *consumer) step() {
	if !c.fetcher.refresh(c.Topics) {
		return
	}
	c.assign()
	if len(c.spots) == 0 {
		return
	}
	at := c.spots[c.env.Rand.IntN(len(c.spots))]
	switch draw := c.env.Rand.IntN(perMille); {
	case draw < c.Lookups:
		c.lookUp(at)
	case draw < c.Lookups+c.Seeks:
		c.move(at)
	}
	c.read()
}

// assign takes all partitions of all topics, new ones too.
func (c *consumer) assign() {
	for _, topic := range c.Topics {
		if topic.Gone() {
			c.spots = slices.DeleteFunc(c.spots, func(s *spot) bool { return s.topic == topic })
			continue
		}
		for number := range topic.Partitions() {
			if !slices.ContainsFunc(c.spots, func(s *spot) bool { return s.topic == topic && s.number == number }) {
				c.spots = append(c.spots, &spot{topic: topic, number: number, position: history.Unknown})
			}
		}
	}
}

// lookUp asks for one offset, and sometimes goes there.
func (c *consumer) lookUp(at *spot) {
	switch c.env.Rand.IntN(6) {
	case 0:
		c.fetcher.listOffset(at, history.Latest)
	case 1:
		c.fetcher.listOffset(at, history.Earliest)
	case 2:
		c.fetcher.listOffset(at, history.MaxTimestamp)
	case 3:
		if known := c.fetcher.leaders[part{at.topic.ID, at.number}]; known.epoch >= 0 {
			c.fetcher.epochEnd(at, c.env.Rand.Int32N(known.epoch+1))
		}
	default:
		offset, ok := c.fetcher.listOffset(at, c.env.Clock.Wall()-c.env.Rand.Int64N(lookbackMs))
		if ok && offset >= 0 && c.env.Rand.IntN(4) == 0 {
			c.fetcher.seek(at, offset)
		}
	}
}

// move goes to an end, or back a little.
func (c *consumer) move(at *spot) {
	target := history.Earliest
	switch c.env.Rand.IntN(3) {
	case 0:
		target = history.Latest
	case 1:
		if at.position > 0 {
			c.fetcher.seek(at, at.position-c.env.Rand.Int64N(min(at.position, 100)+1))
		}
		return
	}
	if offset, ok := c.fetcher.listOffset(at, target); ok {
		c.fetcher.seek(at, offset)
	}
}

// read fetches once from every leader.
func (c *consumer) read() {
	ready := make([]*spot, 0, len(c.spots))
	from := c.env.Rand.IntN(len(c.spots)) // whoever comes first gets most
	for i := range c.spots {
		at := c.spots[(from+i)%len(c.spots)]
		if at.position < 0 {
			if offset, ok := c.fetcher.listOffset(at, history.Earliest); ok {
				c.fetcher.seek(at, offset)
			}
		}
		if at.position >= 0 {
			ready = append(ready, at)
		}
	}
	links, groups := c.fetcher.groupByLeader(ready)
	for i, l := range links {
		if l.isDead() || c.env.stopping() {
			continue
		}
		var answers []fetched
		if c.Sessions {
			answers = c.fetcher.sessionFetch(l, groups[i], c.limits(), c.session(l.node))
		} else {
			answers, _ = c.fetcher.fetch(l, groups[i], c.limits(), nil)
		}
		c.fetcher.advance(answers)
	}
}

// advance moves spots behind what came. A spot outside the log is to be found
// anew.
func (f *fetcher) advance(answers []fetched) {
	for i := range answers {
		a := &answers[i]
		switch {
		case a.code == 0:
			a.spot.position = a.next()
		case kafka.ErrorCode(a.code) == kafka.ErrOffsetOutOfRange:
			a.spot.position = history.Unknown
		}
	}
}

func (c *consumer) limits() fetchLimits {
	o := fetchLimits{
		minBytes: c.MinBytes, maxBytes: c.MaxBytes, partBytes: max(1, c.MaxBytes/2), maxWait: c.MaxWait, committed: c.Committed, poll: c.Polls,
	}
	if c.Sessions {
		o.maxBytes, o.partBytes = shadowMaxBytes, shadowPartBytes
	}
	return o
}

// session is the one with a node.
func (c *consumer) session(node int32) *session {
	for _, s := range c.sessions {
		if s.node == node {
			return s
		}
	}
	s := &session{env: c.env, node: node}
	c.sessions = append(c.sessions, s)
	return s
}
