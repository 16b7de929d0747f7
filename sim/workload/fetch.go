package workload

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/linearizability/history"
)

// spot is a place in a partition that an actor reads at.
type spot struct {
	topic    *Topic
	number   int32
	position int64 // next offset to read, Unknown before it is known
	asked    bool  // of a member: the committed offset has been asked for
}

// key names the partition as histories do.
func (s *spot) key() history.TopicPartition {
	return history.TopicPartition{Topic: s.topic.Text(), Partition: s.number}
}

func (s *spot) String() string { return fmt.Sprintf("%s/%d", s.topic.Spec.Name, s.number) }

// fetchLimits are what a fetch asks for.
type fetchLimits struct {
	minBytes, maxBytes, partBytes int32
	maxWait                       time.Duration
	committed                     bool // read_committed
	poll                          bool // recorded as what a consumer got next
	final                         bool // recorded as final
}

// fetched is the answer for one spot.
type fetched struct {
	spot      *spot
	code      int16
	high, low int64 // high watermark and log start
	records   []history.Record
	corrupt   bool // what came is no whole batches with right checksums
}

// codeDoubted stands for an answer that its client does not use: bytes that nobody
// wrote, or a flipped read on the way, which a checksum need not show.
const codeDoubted = -1

// first is the first offset that came, Unknown for none.
func (f *fetched) first() int64 {
	if len(f.records) == 0 {
		return history.Unknown
	}
	return f.records[0].Offset
}

// next is where reading goes on.
func (f *fetched) next() int64 {
	if n := len(f.records); n > 0 {
		return f.records[n-1].Offset + 1
	}
	return f.spot.position
}

// fetcher fetches for one actor.
type fetcher struct {
	*client
	reader *batchReader
}

// fetch asks a node for what is at some spots, without a session if that is nil,
// and records one operation for each answer. answers are in the order of spots;
// under a session only those that came. ok is false if no answer came or it was
// refused as a whole.
func (f *fetcher) fetch(l *link, spots []*spot, o fetchLimits, s *session) (answers []fetched, ok bool) {
	travel := f.env.Recorder.NewRequest()
	req := f.request(o)
	ops := make([]*history.Op, len(spots))
	for i, at := range spots {
		known := f.leaders[part{at.topic.ID, at.number}]
		ops[i] = f.opOf(at, l.node, travel, known.epoch, o)
		if s == nil || s.asks(at, known.epoch) {
			addSpot(req, at, known.epoch, o.partBytes)
		}
	}
	if s != nil {
		s.fill(req)
	}
	for _, op := range ops {
		f.env.Recorder.Begin(op)
	}
	call := l.ask(req, f.limit+o.maxWait)
	if call.err != nil {
		for _, op := range ops {
			f.env.Recorder.End(op, history.OutcomeFailed, 0, call.at)
		}
		f.failed(call.err)
		if s != nil {
			s.lost()
		}
		return nil, false
	}
	f.answered()
	resp := call.resp.(*kmsg.FetchResponse)
	if s != nil {
		s.take(resp, call.at)
	}
	if resp.ErrorCode != 0 {
		for _, op := range ops {
			f.env.Recorder.Answered(op, resp.ErrorCode, call.at)
		}
		return nil, false
	}
	for i, at := range spots {
		if answer, came := f.one(resp, at, ops[i], call.at, o, s != nil); came {
			answers = append(answers, answer)
		}
	}
	return answers, true
}

func (f *fetcher) request(o fetchLimits) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version = f.versions.fetch
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = int32(o.maxWait.Milliseconds()), o.minBytes, o.maxBytes
	req.SessionEpoch = -1
	if o.committed {
		req.IsolationLevel = 1
	}
	return req
}

func (f *fetcher) opOf(at *spot, node int32, travel int64, epoch int32, o fetchLimits) *history.Op {
	return &history.Op{
		Request: travel, Client: f.env.Name, Node: node, Kind: history.KindFetch, Topic: at.topic.Text(), Partition: at.number,
		Read: &history.Read{
			Position: at.position, Committed: o.committed, LeaderEpoch: epoch, HighWatermark: history.Unknown, LastStable: history.Unknown,
			LogStart: history.Unknown, Final: o.final,
		},
	}
}

// addSpot adds a spot to a request.
func addSpot(req *kmsg.FetchRequest, at *spot, epoch, partBytes int32) {
	i := slices.IndexFunc(req.Topics, func(t kmsg.FetchRequestTopic) bool { return t.TopicID == at.topic.ID })
	if i < 0 {
		t := kmsg.NewFetchRequestTopic()
		t.Topic, t.TopicID = at.topic.Spec.Name, at.topic.ID
		i = len(req.Topics)
		req.Topics = append(req.Topics, t)
	}
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.CurrentLeaderEpoch, p.PartitionMaxBytes = at.number, at.position, epoch, partBytes
	req.Topics[i].Partitions = append(req.Topics[i].Partitions, p)
}

// one takes the answer for one spot and ends its operation. A partition that a
// session leaves out had no operation.
func (f *fetcher) one(resp *kmsg.FetchResponse, at *spot, op *history.Op, when int64, o fetchLimits, session bool) (fetched, bool) {
	p := answerFor(resp, at)
	if p == nil {
		if session {
			f.env.Recorder.Drop(op)
		} else {
			f.env.Recorder.Fail(f.env.Name, fmt.Sprintf("the answer to a fetch leaves %s out", at))
			f.env.Recorder.End(op, history.OutcomeFailed, 0, when)
		}
		return fetched{}, false
	}
	got := fetched{spot: at, code: p.ErrorCode, high: p.HighWatermark, low: p.LogStartOffset}
	if p.ErrorCode != 0 {
		f.moved(p.ErrorCode)
		f.env.Recorder.Answered(op, p.ErrorCode, when)
		return got, true
	}
	records, err := f.reader.read(p.RecordBatches, at.position)
	doubted := f.env.Recorder.doubted(op)
	if err == nil && doubted {
		err = continues(records, at.position)
	}
	if err != nil {
		what := fmt.Sprintf("%s from offset %d: %v", at, at.position, err)
		if errors.Is(err, errRot) || doubted {
			f.env.Recorder.rotten(op, what)
			got.corrupt = true
		} else {
			f.env.Recorder.Fail(f.env.Name, what)
		}
	}
	if err != nil || f.env.Recorder.flips(op) {
		f.env.Recorder.End(op, history.OutcomeFailed, 0, when)
		got.code = codeDoubted
		return got, true
	}
	got.records = records
	op.Read.HighWatermark, op.Read.LastStable, op.Read.LogStart, op.Read.Records = p.HighWatermark, p.LastStableOffset, p.LogStartOffset, records
	if o.poll && len(records) > 0 {
		op.Kind, op.Read.Position = history.KindPoll, history.Unknown
	}
	f.env.Recorder.Answered(op, 0, when)
	return got, true
}

func answerFor(resp *kmsg.FetchResponse, at *spot) *kmsg.FetchResponseTopicPartition {
	for i := range resp.Topics {
		t := &resp.Topics[i]
		if resp.Version >= fetchByID && t.TopicID != at.topic.ID || resp.Version < fetchByID && t.Topic != at.topic.Spec.Name {
			continue
		}
		for j := range t.Partitions {
			if t.Partitions[j].Partition == at.number {
				return &t.Partitions[j]
			}
		}
	}
	return nil
}

// seek moves a spot and says so.
func (f *fetcher) seek(at *spot, position int64) {
	op := &history.Op{Client: f.env.Name, Node: history.Unknown, Kind: history.KindSeek, Topic: at.topic.Text(), Partition: at.number}
	f.env.Recorder.Begin(op)
	at.position = position
	f.env.Recorder.End(op, history.OutcomeOK, 0, op.Invoke)
}

// groupByLeader splits spots whose leaders can be reached, in order.
func (f *fetcher) groupByLeader(spots []*spot) (links []*link, groups [][]*spot) {
	for _, at := range spots {
		_, l := f.lead(at.topic, at.number)
		if l == nil {
			continue
		}
		i := slices.Index(links, l)
		if i < 0 {
			i = len(links)
			links, groups = append(links, l), append(groups, nil)
		}
		groups[i] = append(groups[i], at)
	}
	return links, groups
}
