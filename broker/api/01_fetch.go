package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/replica"
	"github.com/moldau/moldau/broker/server"
	"github.com/moldau/moldau/broker/shard"
	"github.com/moldau/moldau/clock"
)

// fetchCall is one Fetch under way.
//
//   - v4 isolation level, v7 sessions (KIP-227), v9 leader epochs (KIP-320),
//     v12 diverging epochs (KIP-595), v13 topic ids (KIP-516), v16 addresses of
//     leaders (KIP-951).
//   - It waits until min_bytes are there, max_wait_ms passed, or a partition has
//     an error.
//   - One batch is returned even if it exceeds the limits, so that consumers
//     get on.
type fetchCall struct {
	h       *Handler
	req     *kmsg.FetchRequest
	img     *metaimage.Image
	session *fetchContext
	parts   []*fetchPartition
	sends   []*shard.Fetch // by shard index
	shards  int
	state   *connState
}

// fetchPartition is one partition of a fetch, and then its answer.
type fetchPartition struct {
	topic     string
	id        kafka.UUID
	index     int32
	offset    int64
	maxBytes  int32
	epoch     int32
	lastEpoch int32

	handle *shard.Handle
	code   kafka.ErrorCode
	answer replica.FetchAnswer
	leader *metaimage.Partition
	extent *extent
	abort  []abortedTransaction

	sp *sessionPartition // nil without a session
}

// connState is what the API keeps for one connection.
type connState struct {
	wait  *shard.FetchWait
	timer clock.Timer
}

// state is the connection's; it is made with its first fetch.
func (h *Handler) state(c *server.Conn) *connState {
	if s, ok := c.State.(*connState); ok {
		return s
	}
	s := &connState{wait: shard.NewFetchWait(), timer: h.cfg.Clock.NewTimer(0)}
	s.timer.Stop()
	c.State = s
	return s
}

func (h *Handler) fetch(req *server.Request) (server.Body, bool, error) {
	decoded, err := decode(h.guard, req)
	if err != nil {
		return nil, false, err
	}
	c := &fetchCall{h: h, req: decoded.(*kmsg.FetchRequest), img: h.cfg.Manager.Image(), state: h.state(req.Conn)}
	var code kafka.ErrorCode
	if c.session, code = h.sessions.begin(c.req, c.img); code != kafka.ErrNone {
		return c.refused(code), false, nil
	}
	defer c.session.unlock()
	c.parts = c.session.partitions(c.req, c.img)
	c.resolve()
	if !c.gather(req.Conn) {
		return nil, false, errConnectionGone
	}
	return c.respond(req.Conn), false, nil
}

var errConnectionGone = server.Refused{Text: "the connection closed while a fetch waited"}

// refused answers a fetch whose session is not usable.
func (c *fetchCall) refused(code kafka.ErrorCode) server.Body {
	resp := kmsg.NewPtrFetchResponse()
	resp.Version = c.req.Version
	resp.ErrorCode = int16(code)
	return resp
}

// resolve finds the replicas and groups the questions by shard.
func (c *fetchCall) resolve() {
	c.sends = make([]*shard.Fetch, c.h.cfg.Manager.Shards())
	for i, p := range c.parts {
		if p.code != kafka.ErrNone {
			continue
		}
		topic := c.img.Topic(p.id)
		if topic == nil {
			p.code = kafka.ErrUnknownTopicID
			if c.req.Version < 13 {
				p.code = kafka.ErrUnknownTopicOrPartition
			}
			continue
		}
		if p.handle, p.code = c.h.topicHandle(topic, p.index); p.handle == nil {
			if p.code == kafka.ErrNotLeaderOrFollower {
				p.leader = topic.Partition(p.index)
			}
			continue
		}
		s := p.handle.ShardIndex()
		if c.sends[s] == nil {
			c.sends[s] = &shard.Fetch{Wait: c.state.wait, Watch: c.req.MaxWaitMillis > 0}
			c.shards++
		}
		c.sends[s].Parts = append(c.sends[s].Parts, shard.FetchPart{
			Handle: p.handle, Index: i,
			Ask: replica.Fetch{
				Offset: p.offset, CurrentLeaderEpoch: p.epoch, LastFetchedEpoch: p.lastEpoch,
				MaxBytes: int(p.maxBytes), ReadCommitted: c.req.IsolationLevel == 1, LeaderOnly: c.req.Version < 11,
			},
		})
	}
}

// gather asks the shards until there is enough to answer with. It reports
// false when the connection closed meanwhile.
func (c *fetchCall) gather(conn *server.Conn) bool {
	failed := c.shards == 0
	for _, p := range c.parts {
		failed = failed || p.code != kafka.ErrNone
	}
	minBytes := int64(max(c.req.MinBytes, 0))
	if failed || c.req.MaxWaitMillis <= 0 {
		minBytes = 0
	}
	deadline := c.h.cfg.Clock.Mono().Add(millis(c.req.MaxWaitMillis))
	defer c.unwatch()
	for c.shards > 0 {
		if !c.ask(conn, minBytes) {
			return false
		}
		sum, stop := c.take()
		left := deadline.Sub(c.h.cfg.Clock.Mono())
		if stop || sum >= minBytes || left <= 0 {
			break
		}
		c.state.timer.Reset(left)
		select {
		case <-c.state.wait.Wake():
			c.state.timer.Stop()
		case <-c.state.timer.C():
			minBytes = 0
		case <-conn.Closed():
			return false
		}
	}
	return true
}

// ask sends the questions and waits for all answers.
func (c *fetchCall) ask(conn *server.Conn, minBytes int64) bool {
	wait := c.state.wait
	wait.Arm(c.shards, minBytes)
	for _, f := range c.sends {
		if f != nil {
			f.Send()
		}
	}
	for !wait.Answered() {
		<-wait.Wake()
	}
	return true
}

// take reads the answers: the bytes available, and whether one of them ends
// the wait at once.
func (c *fetchCall) take() (sum int64, stop bool) {
	for _, f := range c.sends {
		if f == nil {
			continue
		}
		for i := range f.Parts {
			from := &f.Parts[i]
			p := c.parts[from.Index]
			p.answer, p.code = from.Answer, from.Answer.Code
			sum += min(from.Answer.Available, int64(max(p.maxBytes, 1)))
			stop = stop || p.code != kafka.ErrNone || from.Answer.Diverging.Epoch >= 0
			if p.code == kafka.ErrNotLeaderOrFollower || p.code == kafka.ErrFencedLeaderEpoch {
				p.leader = c.img.Partition(p.handle.ID)
			}
		}
	}
	return sum, stop
}

// unwatch ends the watches that shards keep for this fetch.
func (c *fetchCall) unwatch() {
	for _, f := range c.sends {
		if f == nil || !f.Watching {
			continue
		}
		u := &shard.Unwatch{Wait: c.state.wait}
		for i := range f.Parts {
			u.Handles = append(u.Handles, f.Parts[i].Handle)
		}
		u.Send()
	}
}
