package api

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/replica"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/broker/server"
	"github.com/moldau/moldau/broker/shard"
)

// adminClientID may write to internal topics, as in Kafka: tools that move
// offsets between clusters use it.
const adminClientID = "__admin_client"

// produceCall is one Produce request under way, and then its answer.
//
//   - v3 to v12 name topics, v13 gives their ids (KIP-516).
//   - v5 adds the log start offset, v8 the records that made a batch fail and a
//     message (KIP-467), v10 the current leader where this broker is not it
//     (KIP-951).
//   - acks=0 has no answer; an error closes the connection.
//   - Batches of transactions are refused: INVALID_TXN_STATE.
type produceCall struct {
	h        *Handler
	slot     *server.Slot
	listener string
	version  int16
	flexible bool
	acks     int16
	timeout  time.Duration
	img      *metaimage.Image
	elements int // to be given back to the gate

	topics []produceTopic
	parts  []producePart
	sends  []*shard.Produce // by shard index
	left   atomic.Int32     // shards that have not answered

	// A request of one batch, the most frequent kind, needs no other memory.
	lone struct {
		topics [1]produceTopic
		parts  [1]producePart
		sends  [loneShardsMax]*shard.Produce
		send   shard.Produce
		batch  [1]shard.ProducePart
		used   bool
	}
}

// loneShardsMax is the number of shards up to which a request of one batch is
// one allocation.
const loneShardsMax = 8

type produceTopic struct {
	name  string
	id    kafka.UUID
	parts int
}

type producePart struct {
	index      int32
	code       kafka.ErrorCode
	message    string
	records    []batch.RecordError
	baseOffset int64
	appendTime int64
	logStart   int64
	leader     *metaimage.Partition // set where the client should look elsewhere
}

func (h *Handler) produce(req *server.Request) (server.Body, bool, error) {
	topics, parts, ok := countProduce(req)
	if !ok || topics+parts > requestElementsMax {
		return nil, false, malformed(req, fmt.Errorf("body of %d bytes is malformed or has more than %d elements", len(req.Body), requestElementsMax))
	}
	n, open := h.gate.enter(topics+parts, req.Conn.Closed())
	if !open {
		return nil, false, errGoneWaiting
	}
	c := &produceCall{h: h, listener: req.Conn.Listener.Name, version: req.Version, flexible: req.Flexible, img: h.cfg.Manager.Image(), elements: n}
	c.room(topics, parts, h.cfg.Manager.Shards())
	c.read(req)
	c.slot = req.Slot()
	c.send()
	return nil, true, nil
}

// countProduce walks a body: how many topics and partitions it has, and
// whether it has the right shape. What follows the body is ignored.
func countProduce(req *server.Request) (topics, parts int, ok bool) {
	r := newReader(req.Body, req.Flexible)
	r.string()
	r.Take(6) // acks, timeout
	topics = max(r.count(1), 0)
	for range topics {
		if req.Version >= 13 {
			r.Take(len(kafka.UUID{}))
		} else {
			r.string()
		}
		n := max(r.count(1), 0)
		for range n {
			r.Take(4)
			r.bytes()
			if r.tags(); r.Bad() {
				return 0, 0, false
			}
		}
		parts += n
		if r.tags(); r.Bad() {
			return 0, 0, false
		}
	}
	r.tags()
	return topics, parts, !r.Bad()
}

// room makes room for the counted topics and partitions.
func (c *produceCall) room(topics, parts, shards int) {
	if topics <= 1 && parts <= 1 {
		c.topics, c.parts = c.lone.topics[:0], c.lone.parts[:0]
	} else {
		c.topics, c.parts = make([]produceTopic, 0, topics), make([]producePart, 0, parts)
	}
	if shards <= loneShardsMax {
		c.sends = c.lone.sends[:shards]
	} else {
		c.sends = make([]*shard.Produce, shards)
	}
}

// read walks the request, whose shape is right, and validates its batches.
func (c *produceCall) read(req *server.Request) {
	r := newReader(req.Body, req.Flexible)
	transactional := r.string() != nil
	c.acks, c.timeout = r.Int16(), millis(r.Int32())
	now := c.h.cfg.Clock.Wall()
	for range r.count(1) {
		var topic *metaimage.Topic
		t := produceTopic{}
		if c.version >= 13 {
			t.id = r.UUID()
			topic = c.img.Topic(t.id)
		} else {
			name := r.string()
			if topic = c.img.TopicByName(string(name)); topic != nil {
				t.name = topic.Name
			} else {
				t.name = string(name)
			}
		}
		t.parts = max(r.count(1), 0)
		for range t.parts {
			index, records := r.Int32(), r.bytes()
			r.tags()
			c.parts = append(c.parts, producePart{index: index, baseOffset: -1, appendTime: -1, logStart: -1})
			c.part(req, topic, records, transactional, now)
		}
		r.tags()
		c.topics = append(c.topics, t)
	}
}

// part validates the batch of the last of c.parts and puts it with the others
// for its shard.
func (c *produceCall) part(req *server.Request, topic *metaimage.Topic, records []byte, transactional bool, now int64) {
	p := &c.parts[len(c.parts)-1]
	hd := c.check(p, req, topic, transactional)
	if hd == nil {
		return
	}
	policy := hd.Settings().Policy
	policy.ProduceVersion = c.version
	info, err := c.h.unpack.validate(records, policy, now)
	if err != nil {
		c.h.stats.rejected(len(records))
		refusal(p, err)
		return
	}
	if info.Header.IsTransactional() {
		p.code, p.message = kafka.ErrInvalidTxnState, noTransactions
		return
	}
	part := shard.ProducePart{Handle: hd, Batch: seglog.BatchOf(&info.Header), Index: len(c.parts) - 1}
	part.Batch.AppendTime = policy.TimestampType == batch.LogAppendTime
	if info.Rewritten != nil {
		part.Data = own(info.Rewritten)
	} else {
		part.Data = req.Frame.Slice(records)
	}
	to := c.sendTo(hd.ShardIndex())
	to.Parts = append(to.Parts, part)
	c.h.stats.produced(hd.Topic, len(records), int(info.Header.Count))
}

// sendTo is the message for a shard.
func (c *produceCall) sendTo(index int) *shard.Produce {
	if c.sends[index] == nil {
		s := &c.lone.send
		if c.lone.used {
			s = &shard.Produce{}
		} else {
			c.lone.used = true
			s.Parts = c.lone.batch[:0]
		}
		s.Acks, s.Timeout, s.Done = int8(c.acks), c.timeout, c
		c.sends[index] = s
		c.left.Add(1)
	}
	return c.sends[index]
}

// noTransactions is the message of what transactional producers are refused with.
const noTransactions = "transactions are not served yet"

// check finds the replica, or says in p why there is none for this request.
func (c *produceCall) check(p *producePart, req *server.Request, topic *metaimage.Topic, transactional bool) *shard.Handle {
	switch {
	case c.acks < -1 || c.acks > 1:
		p.code = kafka.ErrInvalidRequiredAcks
	case transactional:
		p.code, p.message = kafka.ErrInvalidTxnState, noTransactions
	case topic == nil && c.version >= 13:
		p.code = kafka.ErrUnknownTopicID
	case topic == nil:
		p.code = kafka.ErrUnknownTopicOrPartition
	case topic.Internal() && string(req.ClientID) != adminClientID:
		p.code, p.message = kafka.ErrInvalidTopicException, "clients do not write to internal topics"
	default:
		hd, code := c.h.topicHandle(topic, p.index)
		p.code = code
		if code == kafka.ErrNotLeaderOrFollower {
			p.leader = topic.Partition(p.index)
		}
		return hd
	}
	return nil
}

// refusal takes a validation's error over.
func refusal(p *producePart, err error) {
	var e *batch.Error
	if errors.As(err, &e) {
		p.code, p.message, p.records = e.Code, e.Message, e.Records
		return
	}
	p.code, p.message = kafka.ErrUnknownServerError, err.Error()
}

// send gives the validated batches to their shards, or answers at once.
func (c *produceCall) send() {
	if c.left.Load() == 0 {
		c.finish()
		return
	}
	c.left.Add(1) // held until all are sent
	for _, p := range c.sends {
		if p != nil {
			p.Send()
		}
	}
	c.countDown()
}

// ProduceDone implements shard.ProduceDone.
func (c *produceCall) ProduceDone(p *shard.Produce) {
	for i := range p.Parts {
		from := &p.Parts[i]
		to := &c.parts[from.Index]
		to.code, to.message = from.Code, from.Message
		to.baseOffset, to.appendTime, to.logStart = from.BaseOffset, from.AppendTime, from.LogStart
		if from.Code == kafka.ErrNotLeaderOrFollower {
			to.leader = c.img.Partition(from.Handle.ID)
		}
	}
	c.countDown()
}

func (c *produceCall) countDown() {
	if c.left.Add(-1) == 0 {
		c.finish()
	}
}

// finish completes the slot.
func (c *produceCall) finish() {
	c.h.gate.leave(c.elements)
	c.h.stats.produceDone(c.parts)
	if c.acks != int16(replica.AcksNone) {
		c.slot.Complete(c)
		return
	}
	for i := range c.parts {
		if c.parts[i].code != kafka.ErrNone {
			c.slot.Disconnect()
			return
		}
	}
	c.slot.Complete(nil)
}

// AppendTo implements server.Body.
func (c *produceCall) AppendTo(dst []byte) []byte {
	w := writer{dst: dst, flexible: c.flexible}
	w.count(len(c.topics))
	parts := c.parts
	for _, t := range c.topics {
		if c.version >= 13 {
			w.uuid(t.id)
		} else {
			w.string(t.name)
		}
		w.count(t.parts)
		for i := range t.parts {
			c.appendPart(&w, &parts[i])
		}
		parts = parts[t.parts:]
		w.noTags()
	}
	w.int32(0) // throttle time
	c.appendEndpoints(&w)
	return w.dst
}

func (c *produceCall) appendPart(w *writer, p *producePart) {
	w.int32(p.index)
	w.int16(int16(p.code))
	w.int64(p.baseOffset)
	w.int64(p.appendTime)
	if c.version >= 5 {
		w.int64(p.logStart)
	}
	if c.version >= 8 {
		w.count(len(p.records))
		for _, r := range p.records {
			w.int32(r.Index)
			w.nullString(r.Message)
			w.noTags()
		}
		w.nullString(p.message)
	}
	if c.version < 10 || p.leader == nil {
		w.noTags()
		return
	}
	w.uvarint(1) // one tagged field
	w.uvarint(0) // current_leader
	w.uvarint(9)
	w.int32(p.leader.Leader)
	w.int32(p.leader.LeaderEpoch)
	w.noTags()
}

// appendEndpoints ends the answer; v10 and later name the leaders' addresses
// where a partition was not led here.
func (c *produceCall) appendEndpoints(w *writer) {
	var leaders []*metaimage.Partition
	for i := range c.parts {
		if l := c.parts[i].leader; l != nil && l.Leader >= 0 {
			leaders = append(leaders, l)
		}
	}
	if c.version < 10 {
		w.noTags()
		return
	}
	w.raw(nodeEndpointsTag(c.h.leaderEndpoints(c.img, leaders, c.listener)))
}
