package workload

import (
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/linearizability/history"
)

const (
	inFlightMax       = 5   // requests under way to one node; brokers know that many batches of a producer again
	producersTries    = 200 // attempts at one batch; then its producer begins anew with another id
	retryLater        = 40 * time.Millisecond
	perMille          = 1000
	produceTimeoutMin = time.Second // that a broker may wait for replicas
)

// Producer appends to partitions of its topics.
type Producer struct {
	Topics     []*Topic
	Acks       int16 // -1, 1, 0; -1 when idempotent
	Idempotent bool  // a producer id, sequences, and repeats of what got no good answer
	Repeats    bool  // repeats without idempotence: a record may be there twice
	KeepsID    bool  // a sequence that is refused is a failure: nothing strikes that may forget a producer
	Codec      batch.Codec
	RecordsMax int           // in a batch, at least 1
	ValueBytes int           // of the largest value
	PartsMax   int           // partitions in a request, at least 1
	InFlight   int           // requests under way to one node, 1 to 5
	Every      time.Duration // mean time between requests
	Timeout    time.Duration // after which the connection of what got no answer is closed
	Hasty      bool          // it tries again soon after a failure, to find out when the cluster is there again
	GiveUp     int           // of 1000 requests whose connection is closed as soon as they are sent
}

// Run is Actor's.
func (a Producer) Run(env *Env) {
	p := &producer{
		Producer: a, env: env, client: newClient(env, a.Timeout), maker: newBatchMaker(env), id: history.Unknown, timer: env.Clock.NewTimer(0),
	}
	p.client.hasty = a.Hasty
	p.InFlight = min(max(1, p.InFlight), inFlightMax)
	if p.Idempotent {
		p.Acks = -1
	}
	defer p.client.close()
	defer p.timer.Stop()
	p.next = env.Clock.Mono()
	for !env.stopping() {
		p.step()
	}
	for len(p.flights) > 0 {
		p.await(p.flights[0].deadline, nil)
		p.reap()
	}
}

// producer is a Producer at work.
type producer struct {
	Producer
	env     *Env
	client  *client
	maker   *batchMaker
	timer   clock.Timer
	next    clock.Mono // when the next request is due
	flights []*flight  // by time of sending
	lanes   []*lane    // by topic and partition, as they were first used
	mourned *link      // the last whose end was noted
	id      int64      // producer id, Unknown before there is one
	epoch   int16
}

// lane is what a producer sends to one partition.
type lane struct {
	topic    *Topic
	number   int32
	sequence int32       // of the next new record
	unacked  []*outBatch // by sequence; idempotent producers', and those that repeat
}

// outBatch is a batch on its way into a log.
type outBatch struct {
	lane    *lane
	records []history.Record
	raw     []byte
	base    int32 // sequence, Unknown
	id      int64
	epoch   int16
	tries   int
	flying  bool
	first   bool // no batch before it was under way when it was sent last
	over    bool // nobody waits for it any more
}

// flight is a request under way.
type flight struct {
	link     *link
	call     *call
	batches  []*outBatch
	ops      []*history.Op
	deadline clock.Mono
}

// step does one thing: sends what is due, or waits for what comes next.
func (p *producer) step() {
	p.reap()
	now := p.env.Clock.Mono()
	if now < p.next {
		until := p.next
		if len(p.flights) > 0 {
			until = min(until, p.flights[0].deadline)
		}
		p.await(until, p.env.Stop)
		return
	}
	p.next = now.Add(p.spread())
	if !p.client.refresh(p.Topics) {
		return
	}
	if p.Idempotent && p.id < 0 {
		p.takeID()
		return
	}
	p.send()
}

// spread draws the time to the next request.
func (p *producer) spread() time.Duration {
	return p.Every/2 + time.Duration(p.env.Rand.Int64N(int64(p.Every)+1))
}

// await waits until the oldest flight is over, a time has come or stop closes.
func (p *producer) await(until clock.Mono, stop <-chan struct{}) {
	p.timer.Reset(until.Sub(p.env.Clock.Mono()))
	var done chan struct{}
	if len(p.flights) > 0 {
		done = p.flights[0].call.done
	}
	select {
	case <-done:
	case <-p.timer.C():
	case <-stop:
	}
}

// reap takes the flights that are over, and ends those that are late.
func (p *producer) reap() {
	for len(p.flights) > 0 {
		f := p.flights[0]
		if !closed(f.call.done) {
			if p.env.Clock.Mono() < f.deadline {
				return
			}
			f.link.close(errTimeout)
		}
		p.flights = p.flights[1:]
		p.land(f)
	}
}

// takeID asks for a producer id.
func (p *producer) takeID() {
	id, epoch, ok := takeProducerID(p.client)
	if !ok {
		return
	}
	p.id, p.epoch = id, epoch
}

// send sends a request to each leader of some partitions.
func (p *producer) send() {
	byNode := map[int32][]*outBatch{}
	var nodes []int32
	for range 1 + p.env.Rand.IntN(max(1, p.PartsMax)) {
		topic := p.Topics[p.env.Rand.IntN(len(p.Topics))]
		l := p.lane(topic, p.env.Rand.Int32N(max(1, topic.Partitions())))
		if slices.ContainsFunc(byNode[p.client.leaders[part{topic.ID, l.number}].node], func(b *outBatch) bool { return b.lane == l }) {
			continue
		}
		to, link := p.client.lead(topic, l.number)
		if link == nil || p.underWay(link) >= p.InFlight {
			continue
		}
		b := p.nextBatch(l)
		if b == nil {
			continue
		}
		if byNode[to.node] == nil {
			nodes = append(nodes, to.node)
		}
		byNode[to.node] = append(byNode[to.node], b)
	}
	for _, node := range nodes {
		p.request(node, byNode[node])
	}
}

func (p *producer) underWay(l *link) (n int) {
	for _, f := range p.flights {
		if f.link == l {
			n++
		}
	}
	return n
}

func (p *producer) lane(topic *Topic, number int32) *lane {
	for _, l := range p.lanes {
		if l.topic == topic && l.number == number {
			return l
		}
	}
	l := &lane{topic: topic, number: number}
	p.lanes = append(p.lanes, l)
	return l
}

// nextBatch is the oldest batch of a lane that is to be sent again, else a new
// one, nil if too many are under way. While the oldest is under way once more,
// nothing goes behind it: brokers know only the last batches again.
func (p *producer) nextBatch(l *lane) *outBatch {
	if len(l.unacked) > 0 && l.unacked[0].flying && l.unacked[0].tries > 1 {
		return nil
	}
	for i, b := range l.unacked {
		if !b.flying {
			b.first = i == 0
			return b
		}
	}
	if len(l.unacked) >= inFlightMax {
		return nil
	}
	b := &outBatch{lane: l, base: history.Unknown, id: history.Unknown, epoch: history.Unknown, first: len(l.unacked) == 0}
	var producer *batch.Producer
	if p.Idempotent {
		b.base, b.id, b.epoch = l.sequence, p.id, p.epoch
		producer = &batch.Producer{ID: p.id, Epoch: p.epoch, BaseSequence: l.sequence}
	}
	n := 1 + p.env.Rand.IntN(max(1, p.RecordsMax))
	var err error
	if b.raw, b.records, err = p.maker.fill(n, p.ValueBytes, p.Codec, producer); err != nil {
		p.env.Recorder.Fail(p.env.Name, fmt.Sprintf("make a batch: %v", err))
		return nil
	}
	if p.Idempotent {
		l.sequence = batch.AddSequence(l.sequence, int32(n))
	}
	if p.Idempotent || p.Repeats {
		l.unacked = append(l.unacked, b)
	}
	return b
}

// request sends one request with batches to one node.
func (p *producer) request(node int32, batches []*outBatch) {
	link := p.client.link(node)
	if link == nil {
		return
	}
	f := &flight{link: link, batches: batches, deadline: p.env.Clock.Mono().Add(p.Timeout)}
	travel := p.env.Recorder.NewRequest()
	for _, b := range batches {
		b.tries++
		b.flying = true
		op := &history.Op{
			Request: travel, Client: p.env.Name, Node: link.node, Kind: history.KindProduce, Topic: b.lane.topic.Text(), Partition: b.lane.number,
			Produce: &history.Produce{
				Acks: p.Acks, ProducerID: b.id, ProducerEpoch: b.epoch, BaseSequence: b.base, Repeats: p.Repeats && !p.Idempotent,
				Bytes: int64(len(b.raw)), BaseOffset: history.Unknown, LogStart: history.Unknown, Records: b.records,
			},
		}
		p.env.Recorder.Begin(op)
		f.ops = append(f.ops, op)
	}
	req := p.build(batches)
	if p.Acks == 0 {
		p.post(f, req)
		return
	}
	f.call = link.send(req, p.Timeout)
	p.flights = append(p.flights, f)
	if p.env.Rand.IntN(perMille) < p.GiveUp {
		link.close(errGivenUp)
	}
}

// post sends what gets no answer.
func (p *producer) post(f *flight, req *kmsg.ProduceRequest) {
	whole, part := f.link.post(req, p.Timeout)
	outcome := history.OutcomeOK
	switch {
	case !part:
		outcome = history.OutcomeFailed
	case !whole:
		outcome = history.OutcomeMaybe
	}
	at := p.env.Recorder.Now()
	for i, op := range f.ops {
		p.env.Recorder.End(op, outcome, 0, at)
		p.drop(f.batches[i])
	}
}

func (p *producer) build(batches []*outBatch) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks = p.client.versions.produce, p.Acks
	req.TimeoutMillis = int32(max(p.Timeout/2, produceTimeoutMin).Milliseconds())
	for _, b := range batches {
		at := slices.IndexFunc(req.Topics, func(t kmsg.ProduceRequestTopic) bool { return t.TopicID == b.lane.topic.ID })
		if at < 0 {
			t := kmsg.NewProduceRequestTopic()
			t.Topic, t.TopicID = b.lane.topic.Spec.Name, b.lane.topic.ID
			at = len(req.Topics)
			req.Topics = append(req.Topics, t)
		}
		one := kmsg.NewProduceRequestTopicPartition()
		one.Partition, one.Records = b.lane.number, b.raw
		req.Topics[at].Partitions = append(req.Topics[at].Partitions, one)
	}
	return req
}

// land takes what came of a flight.
func (p *producer) land(f *flight) {
	if f.call.err != nil {
		for i, b := range f.batches {
			p.env.Recorder.End(f.ops[i], f.call.unknown(), 0, f.call.at)
			p.again(b)
		}
		if f.link != p.mourned { // one failure a connection, however much was under way
			p.mourned = f.link
			p.client.failed(f.call.err)
		}
		return
	}
	p.client.answered()
	resp := f.call.resp.(*kmsg.ProduceResponse)
	for i, b := range f.batches {
		answer := p.answer(resp, b)
		if answer == nil {
			p.env.Recorder.Fail(p.env.Name, fmt.Sprintf("the answer to a produce request leaves %s/%d out", b.lane.topic.Spec.Name, b.lane.number))
			p.env.Recorder.End(f.ops[i], history.OutcomeMaybe, 0, f.call.at)
			p.again(b)
			continue
		}
		op := f.ops[i]
		if answer.ErrorCode == 0 {
			op.Produce.BaseOffset, op.Produce.LogStart = answer.BaseOffset, answer.LogStartOffset
		}
		p.env.Recorder.Answered(op, answer.ErrorCode, f.call.at)
		p.told(b, answer.ErrorCode)
	}
}

func (p *producer) answer(resp *kmsg.ProduceResponse, b *outBatch) *kmsg.ProduceResponseTopicPartition {
	for i := range resp.Topics {
		t := &resp.Topics[i]
		if resp.Version >= produceByID && t.TopicID != b.lane.topic.ID || resp.Version < produceByID && t.Topic != b.lane.topic.Spec.Name {
			continue
		}
		for j := range t.Partitions {
			if t.Partitions[j].Partition == b.lane.number {
				return &t.Partitions[j]
			}
		}
	}
	return nil
}

// told decides what becomes of a batch after an answer.
func (p *producer) told(b *outBatch, code int16) {
	p.client.moved(code)
	switch e := kafka.ErrorCode(code); {
	case b.over:
	case code == 0, e == kafka.ErrDuplicateSequenceNumber:
		p.drop(b)
	case e == kafka.ErrOutOfOrderSequenceNumber && !b.first:
		p.again(b) // what goes before it is to be sent again itself
	case e.Retriable():
		p.again(b)
	default:
		p.refused(b, e)
	}
}

// refused ends a batch that the broker will never take. What an idempotent
// producer has not got through is given up with it: its sequence has a hole.
func (p *producer) refused(b *outBatch, e kafka.ErrorCode) {
	p.env.trace(fmt.Sprintf("%s/%d sequence %d refused: %s", b.lane.topic.Spec.Name, b.lane.number, b.base, e.Name()))
	lost := e == kafka.ErrOutOfOrderSequenceNumber || e == kafka.ErrUnknownProducerID || e == kafka.ErrInvalidProducerEpoch
	if lost && p.KeepsID {
		p.env.Recorder.Fail(p.env.Name, fmt.Sprintf("producer %d/%d was forgotten by %s/%d: sequence %d answered %s", b.id, b.epoch, b.lane.topic.Spec.Name, b.lane.number, b.base, e.Name()))
	}
	p.drop(b)
	if p.Idempotent {
		p.renew()
	}
}

// renew lets an idempotent producer begin anew with another id.
func (p *producer) renew() {
	p.id = history.Unknown
	for _, l := range p.lanes {
		for _, b := range l.unacked {
			b.over = true
		}
		l.unacked, l.sequence = nil, 0
	}
}

// drop takes a batch out of its lane: it is there, or never will be.
func (p *producer) drop(b *outBatch) {
	b.over = true
	b.lane.unacked = slices.DeleteFunc(b.lane.unacked, func(other *outBatch) bool { return other == b })
}

// again has a batch sent once more, if its producer does that.
func (p *producer) again(b *outBatch) {
	b.flying = false
	switch {
	case b.over:
	case !p.Idempotent && !p.Repeats:
		p.drop(b)
	case b.tries >= producersTries:
		p.drop(b)
		if p.Idempotent {
			p.renew()
		}
	default:
		p.next = min(p.next, p.env.Clock.Mono().Add(retryLater))
	}
}
