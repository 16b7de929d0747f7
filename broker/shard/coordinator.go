package shard

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/broker/coord"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/replica"
	"github.com/moldau/moldau/broker/seglog"
)

// hostedCoordinator is the coordinator of an internal partition, carried by
// the partition's replica.
type hostedCoordinator struct {
	runtime *coord.Runtime
	topics  func() *metaimage.Image
	loader  *loader

	epoch     int32  // leader epoch under which it was begun, -1 when idle
	load      uint64 // counts loads, so that a stale loader's chunks are dropped
	damaged   bool   // the log cannot be loaded in this incarnation
	encoder   coord.Encoder
	calls     map[coord.Token]*Call
	nextToken coord.Token
	// appended are the tokens of appends that are not acked yet: their failure
	// fails the runtime.
	appended map[uint64]struct{}
	shard    *Shard
	handle   *Handle
	maxBytes func() int
}

// Call is one request to the coordinator of an internal partition.
type Call struct {
	Handle               *Handle
	Body                 kmsg.Request
	ClientID, ClientHost string
	Random               kafka.UUID
	done                 chan kmsg.Response
}

// Start sends the call; the answer arrives on the result. It is nil when the
// shard has stopped.
func (c *Call) Start() <-chan kmsg.Response {
	c.done = make(chan kmsg.Response, 1)
	if !c.Handle.shard.in.Put(c) {
		c.done <- nil
	}
	return c.done
}

func (c *Call) on(s *Shard) {
	h := c.Handle
	if h.coord == nil {
		c.done <- nil
		return
	}
	hc := h.coord
	hc.nextToken++
	hc.calls[hc.nextToken] = c
	hc.answer(hc.runtime.Handle(hc.times(s), hc.image(), coord.Request{
		Token: hc.nextToken, Body: c.Body, ClientID: c.ClientID, ClientHost: c.ClientHost, Random: c.Random,
	}))
}

func newHostedCoordinator(s *Shard, h *Handle, newMachine func() coord.Machine, image func() *metaimage.Image, l *loader) (*hostedCoordinator, error) {
	hc := &hostedCoordinator{
		topics: image, loader: l, epoch: -1, shard: s, handle: h,
		calls: make(map[coord.Token]*Call), appended: make(map[uint64]struct{}),
		maxBytes: func() int { return h.Settings().Policy.MaxMessageBytes },
	}
	rt, err := coord.NewRuntime(coord.Config{New: newMachine, Log: hc, Events: s.events})
	if err != nil {
		return nil, fmt.Errorf("coordinator of %s-%d: %w", h.Topic, h.ID.Partition, err)
	}
	hc.runtime = rt
	return hc, nil
}

func (hc *hostedCoordinator) times(s *Shard) coord.Times {
	return coord.Times{Wall: s.now.Wall, Mono: s.now.Mono}
}

func (hc *hostedCoordinator) image() coord.Topics { return imageTopics{hc.topics()} }

// answer sends replies; whatever caused them may have set a new deadline.
func (hc *hostedCoordinator) answer(replies []coord.Reply) {
	if at, ok := hc.runtime.Deadline(); ok {
		hc.shard.wantTick(at)
	}
	for _, r := range replies {
		if c := hc.calls[r.Token]; c != nil {
			delete(hc.calls, r.Token)
			c.done <- r.Response
		}
	}
}

// Append implements coord.Log: one batch through the replica's own machine.
func (hc *hostedCoordinator) Append(t coord.Times, records []coord.Record) (int64, error) {
	s, h := hc.shard, hc.handle
	raw, err := hc.encoder.Encode(t, records, hc.maxBytes())
	if err != nil {
		return 0, err
	}
	header, err := batch.ParseHeader(raw)
	if err != nil {
		return 0, err
	}
	token := s.tokens.add(ref{})
	next := h.machine.Next()
	hc.appended[token] = struct{}{}
	h.machine.Produce(s.now, replica.Produce{
		Batch: seglog.BatchOf(&header), Data: buffer.Own(raw), Acks: replica.AcksAll, Token: token,
		LeaderEpoch: hc.epoch, Coordinator: true,
	}, &s.ready)
	for _, a := range s.ready.Acks {
		if a.Token == token && a.Code != kafka.ErrNone {
			delete(hc.appended, token)
			s.carryOut(h)
			return 0, fmt.Errorf("%s: %w", a.Message, a.Code)
		}
	}
	s.carryOut(h)
	return next + int64(len(records)) - 1, nil
}

// acked takes the ack of an append of this coordinator.
func (hc *hostedCoordinator) acked(s *Shard, h *Handle, a replica.Ack) bool {
	if _, mine := hc.appended[a.Token]; !mine {
		return false
	}
	delete(hc.appended, a.Token)
	if a.Code != kafka.ErrNone {
		hc.answer(hc.runtime.Fail(fmt.Errorf("append to %s-%d: %w", h.Topic, h.ID.Partition, a.Code)))
		hc.begin(s, h)
	}
	return true
}

func (hc *hostedCoordinator) committed(s *Shard, h *Handle) {
	hc.answer(hc.runtime.Committed(h.machine.HighWatermark()))
}

func (hc *hostedCoordinator) tick(s *Shard, h *Handle) {
	if hc.runtime.State() == coord.Failed {
		if !hc.damaged {
			hc.begin(s, h)
		}
		return
	}
	if at, ok := hc.runtime.Deadline(); ok && at <= s.now.Mono {
		hc.answer(hc.runtime.Tick(hc.times(s), hc.image()))
	}
}

// role begins the coordinator on a new leadership, or ends it. A replica that is
// elected while it truncates leads later than its role says, when it is done.
func (hc *hostedCoordinator) role(s *Shard, h *Handle) {
	st := h.machine.Status()
	switch {
	case st.Leader && hc.epoch != st.LeaderEpoch:
		hc.epoch = st.LeaderEpoch
		hc.begin(s, h)
	case !st.Leader && hc.epoch != -1:
		hc.unload(s, h)
	}
}

func (hc *hostedCoordinator) unload(*Shard, *Handle) {
	hc.epoch = -1
	hc.load++
	hc.answer(hc.runtime.Unload())
}

// begin loads the coordinator from the log, up to where it ends now.
func (hc *hostedCoordinator) begin(_ *Shard, h *Handle) {
	st := h.machine.Status()
	if !st.Leader {
		return
	}
	hc.load++
	hc.answer(hc.runtime.Begin(st.LogStart))
	hc.loader.start(loadJob{h: h, load: hc.load, from: st.LogStart, upTo: st.Next})
}

// loadChunk is a piece of the log for a coordinator that loads.
type loadChunk struct {
	h       *Handle
	load    uint64
	batches []loadedBatch
	end     int64 // set on the last chunk: the offset it was read up to
	last    bool
	err     error
	damaged bool // err is damage of the log: to load it again is of no use
}

type loadedBatch struct {
	header batch.Header
	body   []byte // decompressed records, in memory of their own
}

func (m *loadChunk) on(s *Shard) {
	hc := m.h.coord
	if m.h.closed || hc == nil || hc.load != m.load || hc.runtime.State() != coord.Loading {
		return
	}
	for i := range m.batches {
		if m.err == nil {
			m.err = hc.runtime.ReplayBatch(m.batches[i].header, m.batches[i].body)
		}
	}
	switch {
	case m.err != nil:
		s.events.Emit(CoordinatorLoadFailed{Topic: m.h.Topic, Partition: m.h.ID.Partition, Err: m.err})
		hc.damaged = m.damaged
		hc.answer(hc.runtime.Fail(m.err))
	case m.last:
		hc.runtime.Loaded(hc.times(s), hc.image(), m.end, m.h.machine.HighWatermark())
	}
}

// topicsDeleted tells the coordinators of a shard of topics that are gone.
type topicsDeleted struct{ topics []coord.DeletedTopic }

func (m *topicsDeleted) on(s *Shard) {
	for _, h := range s.coords {
		h.coord.answer(h.coord.runtime.Deleted(h.coord.times(s), h.coord.image(), m.topics))
	}
}

// imageTopics is the image as coordinators see it.
type imageTopics struct{ img *metaimage.Image }

func (t imageTopics) Name(id kafka.UUID) (string, bool) {
	if topic := t.img.Topic(id); topic != nil {
		return topic.Name, true
	}
	return "", false
}

func (t imageTopics) ID(name string) (kafka.UUID, bool) {
	if topic := t.img.TopicByName(name); topic != nil {
		return topic.ID, true
	}
	return kafka.UUID{}, false
}

func (t imageTopics) Partitions(name string) int {
	if topic := t.img.TopicByName(name); topic != nil {
		return topic.NumPartitions()
	}
	return 0
}
