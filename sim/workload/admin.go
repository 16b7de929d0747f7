package workload

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/linearizability/history"
)

const (
	deleteRecordsVersion    = 2
	createPartitionsVersion = 3
	churnSteps              = 12 // mean number of steps for which a topic of the churn lives
	churnRecords            = 5
	churnValueBytes         = 200
)

// Admin makes and takes away topics, partitions, records and settings, and looks
// at what the cluster says of itself.
type Admin struct {
	Topics        []*Topic // of which records are deleted, partitions added, settings changed
	Groups        []string // whose offsets in Topics it reads
	Every         time.Duration
	Timeout       time.Duration
	DeleteRecords bool
	AddPartitions int32 // up to so many in a topic
	Configs       bool
	// Churn, if it has a name, is made, used a little and deleted, again and
	// again: with a number at the name's end, or, if SameName, without.
	Churn    TopicSpec
	SameName bool
}

// Run is Actor's.
func (a Admin) Run(env *Env) {
	client := newClient(env, a.Timeout)
	client.versions.produce, client.versions.fetch = produceMax, fetchMax // by id: names come back
	d := &admin{Admin: a, env: env, fetcher: &fetcher{client, newBatchReader()}, maker: newBatchMaker(env)}
	d.works = d.choose()
	defer client.close()
	for !env.stopping() {
		if client.refresh(a.Topics) {
			d.works[env.Rand.IntN(len(d.works))]()
		}
		client.pause(a.Every/2 + time.Duration(env.Rand.Int64N(int64(a.Every)+1)))
	}
}

// admin is an Admin at work.
type admin struct {
	Admin
	env     *Env
	fetcher *fetcher
	maker   *batchMaker
	works   []func()
	churned int
	living  *Topic // of the churn
	at      *spot
}

// choose lists what is to be done, each as often as it is there.
func (d *admin) choose() []func() {
	works := []func(){d.describe}
	if len(d.Topics) > 0 && d.DeleteRecords {
		works = append(works, d.deleteRecords)
	}
	if len(d.Topics) > 0 && d.AddPartitions > 0 {
		works = append(works, d.addPartition)
	}
	if len(d.Topics) > 0 && d.Configs {
		works = append(works, d.alter, d.alter, d.readBack)
	}
	if len(d.Topics) > 0 && len(d.Groups) > 0 {
		works = append(works, d.readOffsets)
	}
	if d.Churn.Name != "" {
		works = append(works, d.churn, d.churn, d.churn, d.churn)
	}
	return works
}

func (d *admin) topic() *Topic { return d.Topics[d.env.Rand.IntN(len(d.Topics))] }

// deleteRecords deletes what lies before some offset, or all.
func (d *admin) deleteRecords() {
	topic := d.topic()
	at := &spot{topic: topic, number: d.env.Rand.Int32N(max(1, topic.Partitions()))}
	before := history.Latest
	if d.env.Rand.IntN(4) > 0 {
		low, ok := d.fetcher.listOffset(at, history.Earliest)
		high, ok2 := d.fetcher.listOffset(at, history.Latest)
		if !ok || !ok2 || high < low {
			return
		}
		before = low + d.env.Rand.Int64N(high-low+1)
	}
	d.fetcher.deleteRecords(at, before)
}

// deleteRecords asks once for the deletion of what lies before an offset, Latest
// for all.
func (f *fetcher) deleteRecords(at *spot, before int64) (low int64, ok bool) {
	_, l := f.lead(at.topic, at.number)
	if l == nil {
		return 0, false
	}
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.Version, req.TimeoutMillis = deleteRecordsVersion, int32(f.limit.Milliseconds())
	t := kmsg.NewDeleteRecordsRequestTopic()
	t.Topic = at.topic.Spec.Name
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Partition, p.Offset = at.number, before
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	op := &history.Op{
		Client: f.env.Name, Node: l.node, Kind: history.KindDeleteRecords, Topic: at.topic.Text(), Partition: at.number,
		Delete: &history.Delete{Before: before, LowWatermark: history.Unknown},
	}
	call := f.record(l, req, op)
	if call.err != nil {
		return 0, false
	}
	resp := call.resp.(*kmsg.DeleteRecordsResponse)
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 || resp.Topics[0].Partitions[0].Partition != at.number {
		f.odd(op, call)
		return 0, false
	}
	answer := &resp.Topics[0].Partitions[0]
	f.moved(answer.ErrorCode)
	if answer.ErrorCode == 0 {
		op.Delete.LowWatermark = answer.LowWatermark
	}
	f.env.Recorder.Answered(op, answer.ErrorCode, call.at)
	return answer.LowWatermark, answer.ErrorCode == 0
}

// addPartition adds one to a topic.
func (d *admin) addPartition() {
	topic := d.topic()
	if topic.Partitions() >= d.AddPartitions || d.env.calm() { // groups are to settle
		return
	}
	l := d.fetcher.link(nobody)
	if l == nil {
		return
	}
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.Version, req.TimeoutMillis = createPartitionsVersion, int32(d.Timeout.Milliseconds())
	t := kmsg.NewCreatePartitionsRequestTopic()
	t.Topic, t.Count = topic.Spec.Name, topic.Partitions()+1
	req.Topics = append(req.Topics, t)
	op := &history.Op{Client: d.env.Name, Node: l.node, Kind: history.KindMetadata}
	call := d.fetcher.record(l, req, op)
	if call.err != nil {
		return
	}
	resp := call.resp.(*kmsg.CreatePartitionsResponse)
	if len(resp.Topics) != 1 {
		d.fetcher.odd(op, call)
		return
	}
	d.env.Recorder.Answered(op, resp.Topics[0].ErrorCode, call.at)
	d.env.trace(fmt.Sprintf("partition %d of %s: code %d", t.Count-1, topic.Spec.Name, resp.Topics[0].ErrorCode))
	d.fetcher.stale = true
}

// readOffsets reads what a group committed, from outside.
func (d *admin) readOffsets() {
	m := &member{
		Member: Member{Group: d.Groups[d.env.Rand.IntN(len(d.Groups))], Topics: d.Topics, Timeout: d.Timeout},
		env:    d.env, fetcher: d.fetcher, coordinator: nobody, generation: history.Unknown,
	}
	if m.findCoordinator() {
		topic := d.topic()
		m.fetchOffsets([]*spot{{topic: topic, number: d.env.Rand.Int32N(max(1, topic.Partitions()))}})
	}
}

// churn makes a topic, uses it, and deletes it.
func (d *admin) churn() {
	switch {
	case d.living == nil:
		d.born()
	case !d.living.Gone() && (d.env.calm() || d.env.Rand.IntN(churnSteps) > 0):
		d.use()
	case d.env.calm() && !d.living.Gone():
	default:
		if d.fetcher.deleteTopic(d.living) {
			d.living, d.at = nil, nil
		}
	}
}

// born makes the next topic.
func (d *admin) born() {
	spec := d.Churn
	if !d.SameName {
		spec.Name = fmt.Sprintf("%s-%d", spec.Name, d.churned)
	}
	topic, code := d.fetcher.createTopic(spec)
	if topic == nil && kafka.ErrorCode(code) == kafka.ErrTopicAlreadyExists {
		topic = d.fetcher.findTopic(spec)
	}
	if topic == nil || topic.Gone() {
		return
	}
	d.churned++
	d.living = topic
	d.at = &spot{topic: topic, number: d.env.Rand.Int32N(max(1, spec.Partitions))}
}

// use appends to the topic and reads what is there.
func (d *admin) use() {
	key := part{d.living.ID, d.at.number}
	if _, known := d.fetcher.leaders[key]; !known {
		d.fetcher.stale = true
		d.fetcher.refresh(append([]*Topic{d.living}, d.Topics...))
	}
	if d.env.Rand.IntN(2) == 0 {
		d.append()
		return
	}
	_, l := d.fetcher.lead(d.living, d.at.number)
	if l == nil {
		return
	}
	answers, _ := d.fetcher.fetch(l, []*spot{d.at}, fetchLimits{maxBytes: memberFetchBytes, partBytes: memberFetchBytes}, nil)
	d.fetcher.advance(answers)
	d.at.position = max(d.at.position, 0)
}

// append appends one batch.
func (d *admin) append() {
	known, l := d.fetcher.lead(d.living, d.at.number)
	if l == nil {
		return
	}
	raw, records, err := d.maker.fill(1+d.env.Rand.IntN(churnRecords), churnValueBytes, batch.CodecNone, nil)
	if err != nil {
		d.env.Recorder.Fail(d.env.Name, fmt.Sprintf("make a batch: %v", err))
		return
	}
	p := &producer{Producer: Producer{Acks: -1, Timeout: d.Timeout}, env: d.env, client: d.fetcher.client, id: history.Unknown}
	b := &outBatch{lane: p.lane(d.living, d.at.number), raw: raw, records: records, base: history.Unknown, id: history.Unknown, epoch: history.Unknown}
	p.request(known.node, []*outBatch{b})
	for len(p.flights) > 0 {
		p.timer = d.env.Clock.NewTimer(0)
		p.await(p.flights[0].deadline, nil)
		p.timer.Stop()
		p.reap()
	}
}
