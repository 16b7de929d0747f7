package api

import (
	"errors"
	"fmt"
	"sync/atomic"

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
	version  int16
	flexible bool
	acks     int16
	img      *metaimage.Image

	names  []byte // of the topics, one after the other
	topics []produceTopic
	parts  []producePart
	sends  []*shard.Produce // by shard index
	left   atomic.Int32     // shards that have not answered
}

type produceTopic struct {
	name  int // bytes of names
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

const (
	produceTopicBytesMin     = 2
	producePartitionBytesMin = 5
)

func (h *Handler) produce(req *server.Request) (server.Body, bool, error) {
	r := reader{b: req.Body, flexible: req.Flexible}
	transactional := r.string() != nil
	acks := r.int16()
	timeout := millis(r.int32())
	c := &produceCall{
		h: h, version: req.Version, flexible: req.Flexible, acks: acks,
		img: h.cfg.Manager.Image(), sends: make([]*shard.Produce, h.cfg.Manager.Shards()),
	}
	codecs := h.codecs.Get().(*batch.Codecs)
	c.read(&r, req, codecs, transactional)
	h.codecs.Put(codecs)
	if r.bad || len(r.b) > 0 {
		c.release()
		return nil, false, server.Refused{Text: fmt.Sprintf("Produce v%d: body of %d bytes is malformed", req.Version, len(req.Body))}
	}
	c.slot = req.Slot()
	c.send(timeout.Milliseconds())
	return nil, true, nil
}

// read walks the request and validates its batches.
func (c *produceCall) read(r *reader, req *server.Request, codecs *batch.Codecs, transactional bool) {
	byID := c.version >= 13
	now := c.h.cfg.Clock.Wall()
	for range r.count(produceTopicBytesMin) {
		var topic *metaimage.Topic
		t := produceTopic{}
		if byID {
			t.id = r.uuid()
			topic = c.img.Topic(t.id)
		} else {
			name := r.string()
			t.name = len(name)
			c.names = append(c.names, name...)
			topic = c.img.TopicByName(string(name))
		}
		t.parts = max(r.count(producePartitionBytesMin), 0)
		for range t.parts {
			index, records := r.int32(), r.bytes()
			r.tags()
			if r.bad {
				return
			}
			c.parts = append(c.parts, producePart{index: index, baseOffset: -1, appendTime: -1, logStart: -1})
			c.part(req, topic, records, codecs, transactional, now)
		}
		r.tags()
		c.topics = append(c.topics, t)
	}
	r.tags()
}

// part validates the batch of the last of c.parts and puts it with the others
// for its shard.
func (c *produceCall) part(req *server.Request, topic *metaimage.Topic, records []byte, codecs *batch.Codecs, transactional bool, now int64) {
	p := &c.parts[len(c.parts)-1]
	hd := c.check(p, req, topic, transactional)
	if hd == nil {
		return
	}
	settings := hd.Settings()
	policy := settings.Policy
	policy.ProduceVersion = c.version
	info, err := batch.Validate(codecs, records, policy, now)
	if err != nil {
		c.h.stats.rejected(len(records))
		refusal(p, err)
		return
	}
	if info.Header.IsTransactional() {
		p.code, p.message = kafka.ErrInvalidTxnState, "transactions are not served yet"
		return
	}
	part := shard.ProducePart{Handle: hd, Batch: seglog.BatchOf(&info.Header), Index: len(c.parts) - 1}
	part.Batch.AppendTime = policy.TimestampType == batch.LogAppendTime
	if info.Rewritten != nil {
		part.Data = own(info.Rewritten)
	} else {
		part.Data = req.Frame.Slice(records)
	}
	i := hd.ShardIndex()
	if c.sends[i] == nil {
		c.sends[i] = &shard.Produce{Acks: int8(c.acks), Done: c}
		c.left.Add(1)
	}
	c.sends[i].Parts = append(c.sends[i].Parts, part)
	c.h.stats.produced(hd.Topic, len(records), int(info.Header.Count))
}

// check finds the replica, or says in p why there is none for this request.
func (c *produceCall) check(p *producePart, req *server.Request, topic *metaimage.Topic, transactional bool) *shard.Handle {
	switch {
	case c.acks < -1 || c.acks > 1:
		p.code = kafka.ErrInvalidRequiredAcks
	case transactional:
		p.code, p.message = kafka.ErrInvalidTxnState, "transactions are not served yet"
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
func (c *produceCall) send(timeoutMs int64) {
	if c.left.Load() == 0 {
		c.finish()
		return
	}
	c.left.Add(1) // held until all are sent
	for _, p := range c.sends {
		if p != nil {
			p.Timeout = millis(int32(timeoutMs))
			p.Send()
		}
	}
	c.countDown()
}

// release gives the memory back of a request that is not carried out.
func (c *produceCall) release() {
	for _, p := range c.sends {
		if p == nil {
			continue
		}
		for i := range p.Parts {
			p.Parts[i].Data.Release()
		}
	}
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
	names, parts := c.names, c.parts
	for _, t := range c.topics {
		if c.version >= 13 {
			w.uuid(t.id)
		} else {
			w.string(names[:t.name])
			names = names[t.name:]
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
	w.raw(nodeEndpointsTag(c.h.leaderEndpoints(c.img, leaders)))
}
