package workload

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/linearizability/history"
)

const epochEndVersion = 4

// listOffset looks an offset up by a time in ms, or one of the special
// timestamps. offset is Unknown if the answer is that there is none.
func (f *fetcher) listOffset(at *spot, target int64) (offset int64, ok bool) {
	known, l := f.lead(at.topic, at.number)
	if l == nil {
		return 0, false
	}
	req := kmsg.NewPtrListOffsetsRequest()
	req.Version, req.ReplicaID, req.TimeoutMillis = f.versions.listOffsets, -1, int32(f.limit.Milliseconds())
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = at.topic.Spec.Name
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Partition, p.CurrentLeaderEpoch, p.Timestamp = at.number, known.epoch, target
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)

	op := &history.Op{Client: f.env.Name, Node: l.node, Kind: history.KindListOffsets, Topic: at.topic.Text(), Partition: at.number}
	call := f.record(l, req, op)
	if call.err != nil {
		return 0, false
	}
	resp := call.resp.(*kmsg.ListOffsetsResponse)
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 || resp.Topics[0].Partitions[0].Partition != at.number {
		f.odd(op, call)
		return 0, false
	}
	answer := &resp.Topics[0].Partitions[0]
	f.moved(answer.ErrorCode)
	if f.env.Recorder.flips(op) {
		f.env.Recorder.End(op, history.OutcomeFailed, 0, call.at)
		return 0, false
	}
	if answer.ErrorCode == 0 {
		op.ListOffsets = &history.ListOffsets{Target: target, Offset: answer.Offset, TimestampMs: answer.Timestamp}
	}
	f.env.Recorder.Answered(op, answer.ErrorCode, call.at)
	return answer.Offset, answer.ErrorCode == 0
}

// epochEnd asks where a leader epoch ended.
func (f *fetcher) epochEnd(at *spot, epoch int32) {
	known, l := f.lead(at.topic, at.number)
	if l == nil {
		return
	}
	req := kmsg.NewPtrOffsetForLeaderEpochRequest()
	req.Version, req.ReplicaID = epochEndVersion, -1
	t := kmsg.NewOffsetForLeaderEpochRequestTopic()
	t.Topic = at.topic.Spec.Name
	p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
	p.Partition, p.CurrentLeaderEpoch, p.LeaderEpoch = at.number, known.epoch, epoch
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)

	op := &history.Op{Client: f.env.Name, Node: l.node, Kind: history.KindEpochEnd, Topic: at.topic.Text(), Partition: at.number}
	call := f.record(l, req, op)
	if call.err != nil {
		return
	}
	resp := call.resp.(*kmsg.OffsetForLeaderEpochResponse)
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 || resp.Topics[0].Partitions[0].Partition != at.number {
		f.odd(op, call)
		return
	}
	answer := &resp.Topics[0].Partitions[0]
	f.moved(answer.ErrorCode)
	if answer.ErrorCode == 0 {
		op.EpochEnd = &history.EpochEnd{Asked: epoch, Epoch: answer.LeaderEpoch, EndOffset: answer.EndOffset}
	}
	f.env.Recorder.Answered(op, answer.ErrorCode, call.at)
}

// record begins an operation and asks. If no answer comes, it is ended.
func (c *client) record(l *link, req kmsg.Request, op *history.Op) *call {
	return c.recordUntil(l, req, op, c.limit, nil)
}

// recordUntil is record with a limit of its own, given up when stop closes.
func (c *client) recordUntil(l *link, req kmsg.Request, op *history.Op, limit time.Duration, stop <-chan struct{}) *call {
	c.env.Recorder.Begin(op)
	call := l.askUntil(req, limit, stop)
	if call.err == nil {
		c.answered()
		return call
	}
	outcome := call.unknown()
	if history.Classify(op.Kind, int16(kafka.ErrUnknownServerError)) == history.OutcomeFailed {
		outcome = history.OutcomeFailed // it changes nothing
	}
	c.env.Recorder.End(op, outcome, 0, call.at)
	c.failed(call.err)
	return call
}

// odd ends an operation whose answer is not about what was asked.
func (c *client) odd(op *history.Op, call *call) {
	c.env.Recorder.Fail(c.env.Name, "the answer to "+kmsg.NameForKey(call.req.Key())+" is not about what was asked")
	outcome := history.OutcomeMaybe
	if history.Classify(op.Kind, int16(kafka.ErrUnknownServerError)) == history.OutcomeFailed {
		outcome = history.OutcomeFailed
	}
	c.env.Recorder.End(op, outcome, 0, call.at)
}
