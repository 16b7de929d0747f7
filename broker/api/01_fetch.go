package api

import (
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/replica"
	"github.com/moldau/moldau/broker/server"
	"github.com/moldau/moldau/broker/shard"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/internal/life"
)

const (
	// fetchWaitMax bounds how long a fetch waits, whatever it asks for: while it
	// does, nobody notices that its connection has gone.
	fetchWaitMax = 5 * time.Minute
	// crowdedCheck is how often a waiting fetch of many partitions looks
	// whether others wait for the memory that it holds.
	crowdedCheck = time.Second
)

// fetchCall is one Fetch under way. A connection keeps one and uses it for
// one fetch after the other; what it answered is sent before the next begins.
//
//   - v4 isolation level, v7 sessions (KIP-227), v9 leader epochs (KIP-320),
//     v11 racks and preferred replicas (KIP-392), v12 diverging epochs (KIP-595), v13 topic ids (KIP-516), v16 addresses of
//     leaders (KIP-951).
//   - It waits until min_bytes are there, max_wait_ms passed, or a partition has
//     an error.
//   - One batch is returned even if it exceeds the limits, so that consumers
//     get on.
type fetchCall struct {
	h        *Handler
	listener string
	req      fetchRequest
	img      *metaimage.Image
	session  fetchContext
	parts    []fetchPartition
	sends    []*shard.Fetch // by shard index; those without parts are not asked
	shards   int            // asked
	encoder  fetchEncoder

	wait     *shard.FetchWait
	timer    clock.Timer
	follower *followerConn // once a broker fetches by the connection

	watched int // shard that may still watch for an earlier fetch, or one of the next
}

const (
	watchedNone = -1
	watchedMany = -2
)

// fetchPartition is one partition of a fetch, and then its answer.
type fetchPartition struct {
	name      string     // set where topics are named and there is no topic
	id        kafka.UUID // set where topics are asked for by id
	topic     *metaimage.Topic
	index     int32
	offset    int64
	maxBytes  int32
	epoch     int32
	lastEpoch int32

	handle    *shard.Handle
	code      kafka.ErrorCode
	answer    replica.FetchAnswer
	elsewhere bool  // preferred is set: the consumer is to read from there
	preferred int32 // broker
	leader    *metaimage.Partition
	extent    *extent
	abort     []abortedTransaction
	listed    bool // in the answer

	sp *sessionPartition // nil without a session
}

// fetchCallOf is the connection's; it is made with its first fetch.
func (h *Handler) fetchCallOf(c *server.Conn) *fetchCall {
	if s, ok := c.State.(*fetchCall); ok {
		return s
	}
	s := &fetchCall{
		h: h, listener: c.Listener.Name, wait: shard.NewFetchWait(), watched: watchedNone,
		timer: h.cfg.Clock.NewTimer(0), sends: make([]*shard.Fetch, h.cfg.Manager.Shards()),
	}
	s.timer.Stop()
	c.State = s
	return s
}

func (h *Handler) fetch(req *server.Request) (server.Body, bool, error) {
	c := h.fetchCallOf(req.Conn)
	if err := readFetch(req, &h.gate, &c.req); err != nil {
		return nil, false, err
	}
	if c.req.isFollower() {
		return h.followerFetch(req, c)
	}
	defer h.gate.leave(c.req.elements)
	c.img = h.cfg.Manager.Image()
	var code kafka.ErrorCode
	if c.session, code = h.sessions.begin(&c.req); code != kafka.ErrNone {
		return c.refused(code), false, nil
	}
	defer c.session.end()
	c.begin()
	if !c.gather(req.Conn) {
		return nil, false, errConnectionGone
	}
	body := c.respond()
	c.req.trim()
	return body, false, nil
}

var errConnectionGone = errors.New("the connection closed while a fetch waited")

// refused answers a fetch whose session is not usable.
func (c *fetchCall) refused(code kafka.ErrorCode) server.Body {
	resp := kmsg.NewPtrFetchResponse()
	resp.Version = c.req.version
	resp.ErrorCode = int16(code)
	return resp
}

// begin finds the replicas and groups the questions by shard.
func (c *fetchCall) begin() {
	if cap(c.parts) > fetchAsksKept {
		c.parts, c.encoder = nil, fetchEncoder{}
		clear(c.sends)
	}
	clear(c.parts)
	c.parts = c.session.partitions(c.parts[:0], &c.req, c.img)
	for _, f := range c.sends {
		if f != nil {
			clear(f.Parts)
			f.Parts = f.Parts[:0]
		}
	}
	c.shards = 0
	only := watchedNone
	for i := range c.parts {
		if s := c.place(i, &c.parts[i]); s != watchedNone {
			only = s
		}
	}
	// Watches of an earlier fetch may not have ended yet on shards that this
	// one does not ask; what grows there must not count here.
	if c.watched == watchedMany || c.watched >= 0 && (c.shards > 1 || c.shards == 1 && only != c.watched) {
		c.wait = shard.NewFetchWait()
	}
	c.watched = watchedNone
	for _, f := range c.sends {
		if f != nil {
			f.Wait, f.Watch = c.wait, c.req.maxWaitMs > 0
		}
	}
}

// place puts a partition with the others of its shard, or sets its error.
func (c *fetchCall) place(i int, p *fetchPartition) (shardIndex int) {
	if p.topic == nil {
		p.code = kafka.ErrUnknownTopicID
		if c.req.version < 13 {
			p.code = kafka.ErrUnknownTopicOrPartition
		}
		return watchedNone
	}
	if p.handle, p.code = c.h.topicHandle(p.topic, p.index); p.handle == nil {
		if p.code == kafka.ErrNotLeaderOrFollower {
			p.leader = p.topic.Partition(p.index)
		}
		return watchedNone
	}
	p.preferred, p.elsewhere = c.h.preferredReplica(c.img, p, &c.req, c.listener)
	s := p.handle.ShardIndex()
	if c.sends[s] == nil {
		c.sends[s] = &shard.Fetch{}
	}
	f := c.sends[s]
	if len(f.Parts) == 0 {
		c.shards++
	}
	f.Parts = append(f.Parts, shard.FetchPart{
		Handle: p.handle, Index: i,
		Ask: replica.Fetch{
			Offset: p.offset, CurrentLeaderEpoch: p.epoch, LastFetchedEpoch: p.lastEpoch,
			MaxBytes: int(p.maxBytes), ReadCommitted: c.req.committed, LeaderOnly: c.req.version < 11,
		},
	})
	return s
}

// gather asks the shards until there is enough to answer with. It reports
// false when the connection closed meanwhile.
func (c *fetchCall) gather(conn *server.Conn) bool {
	failed := c.shards == 0
	for i := range c.parts {
		failed = failed || c.parts[i].code != kafka.ErrNone
	}
	minBytes := int64(max(0, min(int(c.req.minBytes), c.h.answerRoom(c.req.maxBytes).left)))
	if failed || c.req.maxWaitMs <= 0 {
		minBytes = 0
	}
	deadline := c.h.cfg.Clock.Mono().Add(min(millis(c.req.maxWaitMs), fetchWaitMax))
	for c.shards > 0 {
		c.ask(minBytes)
		sum, stop := c.take(minBytes)
		left := deadline.Sub(c.h.cfg.Clock.Mono())
		if stop || sum >= minBytes || left <= 0 {
			break
		}
		if c.req.elements > 0 {
			if c.h.gate.crowded() {
				break
			}
			left = min(left, crowdedCheck)
		}
		c.timer.Reset(left)
		select {
		case <-c.wait.Wake():
			c.timer.Stop()
		case <-c.timer.C():
		case <-conn.Closed():
			c.unwatch()
			return false
		}
	}
	c.unwatch()
	return true
}

// ask sends the questions and waits for all answers.
func (c *fetchCall) ask(minBytes int64) {
	c.wait.Arm(c.shards, minBytes)
	for _, f := range c.sends {
		if f != nil && len(f.Parts) > 0 {
			f.Send()
		}
	}
	for !c.wait.Answered() {
		life.Receive(c.h.cfg.Life, c.wait.Wake())
	}
}

// take reads the answers: the bytes available, and whether one of them ends
// the wait at once. It notes which shards may watch now.
func (c *fetchCall) take(minBytes int64) (sum int64, stop bool) {
	for s, f := range c.sends {
		if f == nil || len(f.Parts) == 0 {
			continue
		}
		available, failed := int64(0), false
		for i := range f.Parts {
			from := &f.Parts[i]
			p := &c.parts[from.Index]
			p.answer, p.code = from.Answer, from.Answer.Code
			if p.elsewhere = p.elsewhere && p.code == kafka.ErrNone; p.elsewhere {
				p.answer.Available, stop = 0, true
				continue
			}
			available += from.Answer.Available
			sum += min(from.Answer.Available, int64(max(p.maxBytes, 1)))
			failed = failed || p.code != kafka.ErrNone || from.Answer.Diverging.Epoch >= 0
			if p.code == kafka.ErrNotLeaderOrFollower || p.code == kafka.ErrFencedLeaderEpoch {
				p.leader = c.img.Partition(p.handle.ID)
			}
		}
		stop = stop || failed
		if f.Watch && !failed && available < minBytes {
			switch c.watched {
			case watchedNone, s:
				c.watched = s
			default:
				c.watched = watchedMany
			}
		}
	}
	return sum, stop
}

// unwatch ends the watches that the shards may still keep. They are told; the
// fetch does not wait until they know.
func (c *fetchCall) unwatch() {
	if c.watched == watchedNone {
		return
	}
	for s, f := range c.sends {
		if f == nil || len(f.Parts) == 0 || c.watched >= 0 && c.watched != s {
			continue
		}
		u := &shard.Unwatch{Wait: c.wait, Handles: make([]*shard.Handle, len(f.Parts))}
		for i := range f.Parts {
			u.Handles[i] = f.Parts[i].Handle
		}
		u.Send()
	}
}
