package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/shard"
)

// offsetForLeaderEpoch answers key 23: where a leader epoch ends (KIP-101,
// KIP-279, KIP-320).
func (h *Handler) offsetForLeaderEpoch(r *kmsg.OffsetForLeaderEpochRequest) kmsg.Response {
	resp := kmsg.NewPtrOffsetForLeaderEpochResponse()
	img := h.cfg.Manager.Image()
	for _, t := range r.Topics {
		out := kmsg.NewOffsetForLeaderEpochResponseTopic()
		out.Topic = t.Topic
		topic := img.TopicByName(t.Topic)
		for _, p := range t.Partitions {
			op := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			op.Partition, op.LeaderEpoch, op.EndOffset = p.Partition, -1, -1
			code := kafka.ErrUnknownTopicOrPartition
			var hd *shard.Handle
			if topic != nil {
				hd, code = h.topicHandle(topic, p.Partition)
			}
			if hd != nil {
				q := &shard.Query{Handle: hd, Kind: shard.QueryEpochEnd, CurrentLeaderEpoch: p.CurrentLeaderEpoch, Epoch: p.LeaderEpoch}
				if q.Do() {
					code = q.EpochEnd.Code
					if code == kafka.ErrNone {
						op.LeaderEpoch, op.EndOffset = q.EpochEnd.Epoch, q.EpochEnd.Offset
					}
				} else {
					code = kafka.ErrNotLeaderOrFollower
				}
			}
			op.ErrorCode = int16(code)
			out.Partitions = append(out.Partitions, op)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}
