package api

import (
	"sync"
	"sync/atomic"
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
	// followerFetchesMax are the fetches of a follower's connection that are not
	// answered yet: one that waits, and the one that it gives way to.
	followerFetchesMax = 2
	// followerFetchMinVersion is the first whose request names a broker epoch.
	followerFetchMinVersion = 15
	// followerProgressWait is how long a follower that has everything waits to
	// be told of a new high watermark or log start alone.
	followerProgressWait = 10 * time.Millisecond
	// followerRepeatsMax is how often a follower asks again for what it was sent
	// before its leader looks at the records: it may have found them not to be sound.
	followerRepeatsMax = 3
	// followerPartitionsMax bounds the partitions of a follower's session.
	followerPartitionsMax = requestElementsMax
)

// followerConn is a broker's connection that fetches as a follower. Its reader
// decodes requests; its writer answers them, one after the other, so that a
// fetch that waits does not keep the reader from what comes behind it: reports,
// and the next fetch, which ends the wait.
//
// The session is kept from one fetch to the next, and with it what the shards
// watch: a fetch costs by what it asks anew and what has moved, not by the
// partitions that rest. A partition that was answered with records, an error or
// a diverging epoch is silent until the follower asks for it again.
type followerConn struct {
	h        *Handler
	conn     *server.Conn
	listener string
	timer    clock.Timer

	mu      sync.Mutex
	waiting []*followerFetch // decoded, not answered yet
	// reported are the durable ends that came between fetches, so that a question
	// that is put again says the newest.
	reported map[kafka.TopicPartition]kafka.ReportedPosition

	// Guarded by followers: whose connection it is, once that is claimed.
	claimed bool
	broker  int32

	// The rest is the writer's.
	session *followerSession
	dirty   []int // partitions to ask the shards about
	marks   []shard.Mark
	sends   []*shard.FollowerFetch // by shard index
	parts   []fetchPartition       // of the answer
	encoder fetchEncoder
}

// followerFetch is one request. It implements server.Deferred.
type followerFetch struct {
	c   *followerConn
	req fetchRequest
}

// followerSession is the partitions that a follower fetches by its connection.
type followerSession struct {
	id     int32
	epoch  int32 // that the next request must have
	wait   atomic.Pointer[shard.FollowerSession]
	byKey  map[kafka.TopicPartition]int
	parts  []followerPart
	unread []int // indices of partitions that had more than an answer holds
}

// followerPart is a partition of a session.
type followerPart struct {
	id     kafka.TopicPartition
	ask    fetchAsk
	asked  bool // and not answered with records, an error or a diverging epoch since
	queued bool // in dirty
	// what the follower was told last
	hw, logStart int64
	sent         bool // records, for ask
	repeats      int  // how often ask was sent records for before

	handle *shard.Handle
	code   kafka.ErrorCode
	answer replica.FetchAnswer
}

// news says whether an answer must list the partition, and whether at once.
func (p *followerPart) news() (some, urgent bool) {
	switch {
	case !p.asked || p.code == kafka.ErrUnknownLeaderEpoch:
		return false, false // the leadership is waited for
	case p.code != kafka.ErrNone, p.answer.Available > 0, p.answer.Diverging.Epoch >= 0:
		return true, true
	}
	return p.hw != p.answer.HighWatermark || p.logStart != p.answer.LogStart, false
}

// followerFetch takes a follower's fetch from the reader; the writer answers it.
func (h *Handler) followerFetch(req *server.Request, c *fetchCall) (server.Body, bool, error) {
	if req.Version < followerFetchMinVersion {
		h.gate.leave(c.req.elements)
		return c.refused(kafka.ErrUnsupportedVersion), false, nil
	}
	if c.listener != h.cfg.Settings.InterBroker { // as with reports: what a follower says decides what is committed
		h.gate.leave(c.req.elements)
		return c.refused(kafka.ErrClusterAuthorizationFailed), false, nil
	}
	if c.follower == nil {
		c.follower = &followerConn{
			h: h, conn: req.Conn, listener: c.listener, timer: h.cfg.Clock.NewTimer(0),
			session: newFollowerSession(0), reported: make(map[kafka.TopicPartition]kafka.ReportedPosition),
			sends: make([]*shard.FollowerFetch, h.cfg.Manager.Shards()),
		}
		c.follower.timer.Stop()
		req.Overlap()
	}
	f := &followerFetch{c: c.follower, req: c.req}
	c.req = fetchRequest{}
	if !c.follower.admit(f) {
		h.gate.leave(f.req.elements)
		return nil, false, server.Refused{Text: "more fetches of a follower than may be under way"}
	}
	req.Slot().Complete(f)
	return nil, true, nil
}

// admit queues a request, and lets the one that waits go.
func (c *followerConn) admit(f *followerFetch) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) >= followerFetchesMax {
		return false
	}
	c.waiting = append(c.waiting, f)
	c.session.wait.Load().Interrupt()
	return true
}

// overtaken says that another request waits behind the one that is answered.
func (c *followerConn) overtaken() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiting) > 1
}

// done ends the first request.
func (c *followerConn) done() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting[0] = nil
	c.waiting = append(c.waiting[:0], c.waiting[1:]...)
}

// gone ends what the shards watch for a connection that has ended, and the
// requests that nobody answers any more.
func (c *followerConn) gone() {
	c.h.followers.leave(c)
	c.session.wait.Load().End()
	for _, f := range c.waiting {
		c.h.gate.leave(f.req.elements)
	}
	c.waiting = nil
}

func newFollowerSession(id int32) *followerSession {
	s := &followerSession{id: id, epoch: 1, byKey: make(map[kafka.TopicPartition]int)}
	s.wait.Store(shard.NewFollowerSession())
	return s
}

// AppendTo implements server.Body; what is sent is what Await returns.
func (f *followerFetch) AppendTo(dst []byte) []byte { return dst }

// Await implements server.Deferred, on the connection's writer.
func (f *followerFetch) Await() (server.Body, bool) {
	c := f.c
	defer c.done()
	defer c.h.gate.leave(f.req.elements)
	if code := c.begin(&f.req); code != kafka.ErrNone {
		resp := kmsg.NewPtrFetchResponse()
		resp.Version, resp.ErrorCode = f.req.version, int16(code)
		return resp, true
	}
	img := c.h.cfg.Manager.Image()
	c.update(&f.req)
	if !c.gather(&f.req, img) {
		return nil, false
	}
	return c.respond(&f.req, img), true
}

// begin finds the request's session, or begins one.
func (c *followerConn) begin(r *fetchRequest) kafka.ErrorCode {
	s := c.session
	switch {
	case r.sessionEpoch == sessionless || r.sessionEpoch == sessionEpochFirst:
		id := s.id
		for id == s.id || id == 0 {
			var b [4]byte
			c.h.cfg.Entropy.Read(b[:])
			id = int32(uint32(b[0])<<24|uint32(b[1])<<16|uint32(b[2])<<8|uint32(b[3])) & 0x7fffffff
		}
		if code := c.h.followers.claim(c, r.replica, r.replicaEpoch); code != kafka.ErrNone {
			return code
		}
		s.id, s.epoch = id, 1
		s.byKey, s.parts, s.unread = make(map[kafka.TopicPartition]int), nil, nil
		c.mu.Lock()
		clear(c.reported)
		c.mu.Unlock()
		c.dirty = c.dirty[:0]
		return kafka.ErrNone
	case s.id == 0 || r.sessionID != s.id:
		return kafka.ErrFetchSessionIDNotFound
	case r.sessionEpoch != s.epoch || len(s.parts) > followerPartitionsMax:
		return kafka.ErrInvalidFetchSessionEpoch
	}
	if s.epoch++; s.epoch <= 0 { // after the greatest int32 comes 1
		s.epoch = 1
	}
	return kafka.ErrNone
}

// update takes what the request asks anew and what it forgets into the session.
func (c *followerConn) update(r *fetchRequest) {
	s := c.session
	for _, at := range s.unread {
		c.queue(at)
	}
	s.unread = s.unread[:0]
	for _, f := range r.forgotten {
		if i, ok := s.byKey[kafka.TopicPartition{Topic: r.topics[f.topic].id, Partition: f.index}]; ok {
			s.parts[i].asked = false
		}
	}
	for i := range r.asks {
		a := &r.asks[i]
		id := kafka.TopicPartition{Topic: r.topics[a.topic].id, Partition: a.index}
		at, known := s.byKey[id]
		if !known {
			at = len(s.parts)
			s.byKey[id] = at
			s.parts = append(s.parts, followerPart{id: id, hw: -1, logStart: -1})
		}
		s.parts[at].asks(a)
		c.queue(at)
	}
}

// asks takes what is asked anew.
func (p *followerPart) asks(a *fetchAsk) {
	switch {
	case a.offset != p.ask.offset || a.epoch != p.ask.epoch:
		p.repeats = 0
	case p.sent:
		p.repeats++
	}
	p.ask, p.asked, p.sent = *a, true, false
}

// queue has the shards asked about a partition.
func (c *followerConn) queue(at int) {
	if p := &c.session.parts[at]; p.asked && !p.queued {
		p.queued = true
		c.dirty = append(c.dirty, at)
	}
}

// gather asks the shards about what is asked anew and what moves, until there
// is something to answer. It reports false when the connection has closed.
func (c *followerConn) gather(r *fetchRequest, img *metaimage.Image) bool {
	wait := c.session.wait.Load()
	now := c.h.cfg.Clock.Mono()
	deadline := now.Add(min(millis(r.maxWaitMs), fetchWaitMax))
	if r.sessionEpoch == sessionless || r.sessionEpoch == sessionEpochFirst || r.minBytes <= 0 {
		deadline = now // a new session's id is waited for
	}
	c.parts = c.parts[:0]
	var listed []int
	progress := false // some are listed only for their high watermark or log start
	for {
		c.marks = wait.Marks(c.marks[:0])
		for _, m := range c.marks {
			c.queue(m.Index)
		}
		urgent := false
		if len(c.dirty) > 0 {
			c.ask(r, img, wait)
			for _, at := range c.dirty {
				p := &c.session.parts[at]
				p.queued = false
				if some, atOnce := p.news(); some {
					listed = append(listed, at)
					urgent, progress = urgent || atOnce, progress || !atOnce
				}
			}
			c.dirty = c.dirty[:0]
		}
		left := deadline.Sub(c.h.cfg.Clock.Mono())
		if urgent || left <= 0 || c.overtaken() {
			break
		}
		if wait.Marked() {
			continue
		}
		if progress {
			deadline = min(deadline, c.h.cfg.Clock.Mono().Add(followerProgressWait))
			left, progress = min(left, followerProgressWait), false
		}
		c.timer.Reset(left)
		select {
		case <-wait.Wake():
			c.timer.Stop()
		case <-c.timer.C():
		case <-c.conn.Closed():
			return false
		}
	}
	c.list(listed)
	return true
}

// ask sends what is dirty to its shards, and waits for the answers.
func (c *followerConn) ask(r *fetchRequest, img *metaimage.Image, wait *shard.FollowerSession) {
	for _, f := range c.sends {
		if f != nil {
			clear(f.Parts)
			f.Parts, f.Session = f.Parts[:0], wait
		}
	}
	shards := 0
	for _, at := range c.dirty {
		p := &c.session.parts[at]
		if c.place(p, img); p.handle == nil {
			continue
		}
		s := p.handle.ShardIndex()
		if c.sends[s] == nil {
			c.sends[s] = &shard.FollowerFetch{Session: wait}
		}
		f := c.sends[s]
		if len(f.Parts) == 0 {
			shards++
		}
		f.Parts = append(f.Parts, c.question(p, r, at))
	}
	if shards == 0 {
		return
	}
	wait.Arm(shards)
	for _, f := range c.sends {
		if f != nil && len(f.Parts) > 0 {
			f.Send()
		}
	}
	for !wait.Answered() {
		life.Receive(c.h.cfg.Life, wait.Wake())
	}
	for _, f := range c.sends {
		if f == nil {
			continue
		}
		for i := range f.Parts {
			p := &c.session.parts[f.Parts[i].Index]
			p.answer, p.code = f.Parts[i].Answer, f.Parts[i].Answer.Code
		}
	}
}

// place finds the replica, or sets why there is none.
func (c *followerConn) place(p *followerPart, img *metaimage.Image) {
	topic := img.Topic(p.id.Topic)
	if topic == nil {
		p.handle, p.code = nil, kafka.ErrUnknownTopicID
		return
	}
	p.handle, p.code = c.h.topicHandle(topic, p.id.Partition)
}

// question is what a shard is asked about a partition.
func (c *followerConn) question(p *followerPart, r *fetchRequest, at int) shard.FollowerPart {
	a := &p.ask
	q := shard.FollowerPart{
		Handle: p.handle, Index: at,
		Position: replica.Position{
			Broker: r.replica, BrokerEpoch: r.replicaEpoch, LeaderEpoch: a.epoch, LEO: a.offset, LastEpoch: a.lastEpoch,
			Durable: a.follows.durable, DurableEpoch: a.follows.durableEpoch, LogStart: a.follows.logStart,
		},
		Ask: replica.Fetch{
			Offset: a.offset, CurrentLeaderEpoch: a.epoch, LastFetchedEpoch: a.lastEpoch,
			MaxBytes: int(a.maxBytes), AtLeastOne: true,
		},
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if d, ok := c.reported[p.id]; ok && d.LeaderEpoch == a.epoch && d.Durable > a.follows.durable && d.Durable <= a.offset {
		q.Position.Durable, q.Position.DurableEpoch = d.Durable, d.DurableEpoch
	}
	return q
}

// report notes what came between fetches, of partitions that are in the session.
func (c *followerConn) report(d *kafka.DurableReport) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range d.Positions {
		if len(c.reported) < followerPartitionsMax {
			c.reported[d.Positions[i].ID] = d.Positions[i]
		}
	}
}

// list makes the answer's partitions.
func (c *followerConn) list(listed []int) {
	for _, at := range listed {
		p := &c.session.parts[at]
		if some, _ := p.news(); !some || p.queued {
			continue // it is in the list twice
		}
		p.queued = true
		c.parts = append(c.parts, fetchPartition{
			id: p.id.Topic, index: p.id.Partition, maxBytes: p.ask.maxBytes,
			handle: p.handle, code: p.code, answer: p.answer, listed: true,
		})
	}
	for i := range listed {
		c.session.parts[listed[i]].queued = false
	}
}

// respond reads what may be read and encodes the answer.
func (c *followerConn) respond(r *fetchRequest, img *metaimage.Image) server.Body {
	s := c.session
	room := c.h.answerRoom(r.maxBytes)
	for i := range c.parts {
		fp := &c.parts[i]
		at := s.byKey[kafka.TopicPartition{Topic: fp.id, Partition: fp.index}]
		p := &s.parts[at]
		p.hw, p.logStart = fp.answer.HighWatermark, fp.answer.LogStart
		silent := fp.code != kafka.ErrNone || fp.answer.Diverging.Epoch >= 0
		if !silent && fp.answer.Available > 0 {
			if room.full() {
				s.unread = append(s.unread, at)
				continue
			}
			if p.repeats >= followerRepeatsMax {
				p.repeats = 0
				fp.handle.Verify(fp.plan(&room))
			}
			p.sent = fp.read(&room)
			silent = p.sent || fp.code != kafka.ErrNone
			if !silent {
				s.unread = append(s.unread, at)
			}
		}
		p.asked = p.asked && !silent
		if fp.code == kafka.ErrNotLeaderOrFollower || fp.code == kafka.ErrFencedLeaderEpoch {
			fp.leader = img.Partition(p.id)
		}
	}
	c.h.stats.followerFetchDone(c.parts)
	e := &c.encoder
	e.begin(r)
	e.w.int32(0) // throttle time
	e.w.int16(0)
	e.w.int32(s.id)
	e.topics(c.parts)
	e.w.noTags()
	clear(c.parts)
	c.parts = c.parts[:0]
	return e
}

// durableReport takes what a follower says between its fetches, at once.
func (h *Handler) durableReport(req *server.Request) error {
	if req.Version != 0 || req.Conn.Listener.Name != h.cfg.Settings.InterBroker {
		return server.Refused{Text: "DurableReport is for the listener between brokers, version 0"}
	}
	var report kafka.DurableReport
	if err := report.ReadFrom(req.Body); err != nil {
		return malformed(req, err)
	}
	call, ok := req.Conn.State.(*fetchCall)
	if !ok || call.follower == nil {
		return nil // it has no session, so the first fetch says all
	}
	call.follower.report(&report)
	session := call.follower.session.wait.Load()
	sends := make([]*shard.DurableReports, h.cfg.Manager.Shards())
	for i := range report.Positions {
		p := &report.Positions[i]
		handle := h.cfg.Manager.Find(p.ID)
		if handle == nil {
			continue
		}
		s := handle.ShardIndex()
		if sends[s] == nil {
			sends[s] = &shard.DurableReports{Session: session}
		}
		sends[s].Parts = append(sends[s].Parts, shard.ReportPart{Handle: handle, Position: replica.Position{
			Broker: report.Broker, BrokerEpoch: report.BrokerEpoch, LeaderEpoch: p.LeaderEpoch, LEO: p.LEO, LastEpoch: p.LastEpoch,
			Durable: p.Durable, DurableEpoch: p.DurableEpoch, LogStart: p.LogStart,
		}})
	}
	for _, d := range sends {
		if d != nil {
			d.Send()
		}
	}
	return nil
}
