package api

import (
	"errors"
	"iter"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/broker/seglog/logdir"
	"github.com/moldau/moldau/broker/server"
)

// extent is the byte range that answers one partition.
type extent = logdir.Extent

// abortedTransaction is an aborted transaction in a read_committed answer.
type abortedTransaction struct{ producerID, firstOffset int64 }

// answerRoom is what an answer still holds: no more than left bytes, but for the
// first batch, which may be larger than all of it.
type answerRoom struct {
	left  int
	empty bool
}

// answerRoom is that of an answer to a request that asks for so many bytes of
// records at most.
func (h *Handler) answerRoom(asked int32) answerRoom {
	return answerRoom{left: max(0, min(int(asked), h.cfg.Settings.FetchMaxBytes)), empty: true}
}

func (r *answerRoom) full() bool { return r.left <= 0 && !r.empty }

// read opens the byte ranges, within the limits of the request.
func (c *fetchCall) read() {
	room := c.h.answerRoom(c.req.maxBytes)
	for i := range c.parts {
		p := &c.parts[i]
		if p.code != kafka.ErrNone || p.handle == nil || p.answer.Available == 0 || room.full() {
			continue
		}
		if p.read(&room) && p.answer.Aborted {
			c.aborted(p, p.answer.Plan.From)
		}
	}
}

// read opens the byte range of a partition within the answer's room. It reports
// whether there is one.
func (p *fetchPartition) read(room *answerRoom) bool {
	ext, err := p.handle.Read(p.plan(room))
	if err != nil {
		p.code = readError(err)
		return false
	}
	if ext == nil {
		return false
	}
	p.extent = ext
	room.left -= int(ext.Len)
	room.empty = false
	return true
}

// plan is what may be read within the answer's room.
func (p *fetchPartition) plan(room *answerRoom) seglog.ReadPlan {
	plan := p.answer.Plan
	plan.MaxBytes = max(0, min(int(p.maxBytes), room.left))
	plan.AtLeastOne = room.empty
	return plan
}

func (c *fetchCall) aborted(p *fetchPartition, from int64) {
	upTo := p.answer.LastStable
	if p.extent.Next >= 0 {
		upTo = min(upTo, p.extent.Next)
	}
	list, err := p.handle.Partition().AbortedTransactions(from, upTo)
	if err != nil {
		p.code = readError(err)
		return
	}
	for _, t := range list {
		p.abort = append(p.abort, abortedTransaction{t.ProducerID, t.FirstOffset})
	}
}

func readError(err error) kafka.ErrorCode {
	switch {
	case errors.Is(err, logdir.ErrOutOfRange):
		return kafka.ErrOffsetOutOfRange
	case errors.Is(err, logdir.ErrCorrupt):
		return kafka.ErrCorruptMessage
	}
	return kafka.ErrKafkaStorageError
}

// respond reads what may be read and encodes the answer (Fetch versions 4 to 18).
func (c *fetchCall) respond() server.Body {
	c.read()
	c.h.stats.fetchDone(c.parts)
	c.session.choose(c.parts)
	e := &c.encoder
	e.begin(&c.req)
	e.w.int32(0) // throttle time
	if c.req.version >= 7 {
		e.w.int16(0)
		e.w.int32(c.session.id)
	}
	e.topics(c.parts)
	e.endpoints(c)
	return e
}

// fetchEncoder is an encoded fetch answer with the ranges that belong between
// its bytes. It implements server.Streamed.
type fetchEncoder struct {
	w         writer
	version   int16
	committed bool
	cuts      []int // byte positions in w where extents go
	extents   []*extent
	chunks    []server.Chunk
}

func (e *fetchEncoder) begin(r *fetchRequest) {
	e.w = writer{dst: e.w.dst[:0], flexible: r.version >= 12}
	e.version, e.committed = r.version, r.committed
	e.cuts, e.extents, e.chunks = e.cuts[:0], e.extents[:0], e.chunks[:0]
}

// AppendTo is not used: the answer is streamed.
func (e *fetchEncoder) AppendTo(dst []byte) []byte { return dst }

// Chunks implements server.Streamed.
func (e *fetchEncoder) Chunks() []server.Chunk {
	from := 0
	for i, cut := range e.cuts {
		e.chunks = append(e.chunks,
			server.Chunk{Bytes: e.w.dst[from:cut]},
			server.Chunk{File: e.extents[i].File, Off: e.extents[i].Off, N: e.extents[i].Len})
		from = cut
	}
	e.chunks = append(e.chunks, server.Chunk{Bytes: e.w.dst[from:]})
	return e.chunks
}

// Verify implements server.Streamed: no truncation came between plan and sending.
func (e *fetchEncoder) Verify() bool {
	for _, x := range e.extents {
		if !x.Valid() {
			return false
		}
	}
	return true
}

// Sent implements server.Streamed.
func (e *fetchEncoder) Sent() {
	for _, x := range e.extents {
		x.Release()
	}
	clear(e.extents)
	clear(e.chunks)
	e.extents, e.chunks = e.extents[:0], e.chunks[:0]
}

// topics encodes runs of listed partitions of one topic.
func (e *fetchEncoder) topics(parts []fetchPartition) {
	n := 0
	for run := range runs(parts) {
		n += min(1, run.listed)
	}
	e.w.count(n)
	for run := range runs(parts) {
		first := &run.parts[0]
		if e.version >= 13 {
			e.w.uuid(first.id)
		} else if first.topic != nil {
			e.w.string(first.topic.Name)
		} else {
			e.w.string(first.name)
		}
		e.w.count(run.listed)
		for i := range run.parts {
			if p := &run.parts[i]; p.listed {
				e.partition(p)
			}
		}
		e.w.noTags()
	}
}

// topicRun is partitions of one topic, one after the other.
type topicRun struct {
	parts  []fetchPartition
	listed int
}

// runs gives the runs of which something is listed.
func runs(parts []fetchPartition) iter.Seq[topicRun] {
	return func(yield func(topicRun) bool) {
		for from := 0; from < len(parts); {
			to, listed := from, 0
			for ; to < len(parts) && sameTopic(&parts[from], &parts[to]); to++ {
				if parts[to].listed {
					listed++
				}
			}
			if listed > 0 && !yield(topicRun{parts[from:to], listed}) {
				return
			}
			from = to
		}
	}
}

func sameTopic(a, b *fetchPartition) bool {
	return a.topic == b.topic && a.id == b.id && a.name == b.name
}

func (e *fetchEncoder) partition(p *fetchPartition) {
	w := &e.w
	hw, lso, start := int64(-1), int64(-1), int64(-1)
	if p.handle != nil && (p.code == kafka.ErrNone || p.code == kafka.ErrOffsetOutOfRange) {
		hw, lso, start = p.answer.HighWatermark, p.answer.LastStable, p.answer.LogStart
	}
	w.int32(p.index)
	w.int16(int16(p.code))
	w.int64(hw)
	w.int64(lso)
	if e.version >= 5 {
		w.int64(start)
	}
	if e.committed || p.handle == nil {
		w.count(len(p.abort))
		for _, a := range p.abort {
			w.int64(a.producerID)
			w.int64(a.firstOffset)
			w.noTags()
		}
	} else {
		w.count(-1)
	}
	if e.version >= 11 {
		preferred := int32(-1)
		if p.elsewhere {
			preferred = p.preferred
		}
		w.int32(preferred)
	}
	if p.extent == nil || p.code != kafka.ErrNone {
		if p.extent != nil {
			p.extent.Release()
		}
		w.count(0)
	} else {
		w.count(int(p.extent.Len))
		e.cuts = append(e.cuts, len(w.dst))
		e.extents = append(e.extents, p.extent)
	}
	e.partitionTags(p)
}

// partitionTags ends a partition: tag 0 the diverging epoch, tag 1 the
// current leader.
func (e *fetchEncoder) partitionTags(p *fetchPartition) {
	w := &e.w
	if !w.flexible {
		return
	}
	diverging := p.code == kafka.ErrNone && p.handle != nil && p.answer.Diverging.Epoch >= 0
	n := 0
	if diverging {
		n++
	}
	if p.leader != nil {
		n++
	}
	w.uvarint(n)
	if diverging {
		w.uvarint(0)
		w.uvarint(13)
		w.int32(p.answer.Diverging.Epoch)
		w.int64(p.answer.Diverging.Offset)
		w.noTags()
	}
	if p.leader != nil {
		w.uvarint(1)
		w.uvarint(9)
		w.int32(p.leader.Leader)
		w.int32(p.leader.LeaderEpoch)
		w.noTags()
	}
}

// endpoints ends the answer; v16 and later name the leaders' addresses.
func (e *fetchEncoder) endpoints(c *fetchCall) {
	if e.version < 16 {
		e.w.noTags()
		return
	}
	var leaders []*metaimage.Partition
	for i := range c.parts {
		if p := &c.parts[i]; p.listed && p.leader != nil && p.leader.Leader >= 0 {
			leaders = append(leaders, p.leader)
		}
	}
	e.w.raw(nodeEndpointsTag(c.h.leaderEndpoints(c.img, leaders, c.listener)))
}

// nodeEndpointsTag encodes the tagged fields of an answer whose tag 0 is the
// list of node endpoints.
func nodeEndpointsTag(ends []endpoint) []byte {
	if len(ends) == 0 {
		return []byte{0}
	}
	body := writer{flexible: true}
	body.count(len(ends))
	for _, e := range ends {
		body.int32(e.node)
		body.string(e.host)
		body.int32(e.port)
		body.nullString(e.rack)
		body.noTags()
	}
	w := writer{flexible: true}
	w.uvarint(1)
	w.uvarint(0)
	w.uvarint(len(body.dst))
	w.raw(body.dst)
	return w.dst
}
