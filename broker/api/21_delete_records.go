package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/shard"
)

// deleteRecords answers key 21 (KIP-107): raises log starts. Offset -1 is the
// high watermark. A topic that is only compacted is refused: POLICY_VIOLATION.
func (h *Handler) deleteRecords(r *kmsg.DeleteRecordsRequest) kmsg.Response {
	resp := kmsg.NewPtrDeleteRecordsResponse()
	img := h.cfg.Manager.Image()
	type pending struct {
		query *shard.Query
		topic int
		index int
	}
	var queries []pending
	for i, t := range r.Topics {
		out := kmsg.NewDeleteRecordsResponseTopic()
		out.Topic = t.Topic
		topic := img.TopicByName(t.Topic)
		for j, p := range t.Partitions {
			op := kmsg.NewDeleteRecordsResponseTopicPartition()
			op.Partition, op.LowWatermark = p.Partition, -1
			hd, code := h.deletable(img, topic, p.Partition)
			op.ErrorCode = int16(code)
			if hd != nil {
				q := &shard.Query{Handle: hd, Kind: shard.QueryDelete, Offset: p.Offset}
				q.Start()
				queries = append(queries, pending{q, i, j})
			}
			out.Partitions = append(out.Partitions, op)
		}
		resp.Topics = append(resp.Topics, out)
	}
	for _, p := range queries {
		p.query.Finish()
		op := &resp.Topics[p.topic].Partitions[p.index]
		if op.ErrorCode = int16(p.query.Code); p.query.Code == kafka.ErrNone {
			op.LowWatermark = p.query.LogStart
		}
	}
	return resp
}

func (h *Handler) deletable(img *metaimage.Image, t *metaimage.Topic, partition int32) (*shard.Handle, kafka.ErrorCode) {
	switch {
	case t == nil:
		return nil, kafka.ErrUnknownTopicOrPartition
	case t.Internal():
		return nil, kafka.ErrInvalidTopicException
	}
	hd, code := h.topicHandle(t, partition)
	if hd != nil && hd.Settings().Compacted {
		if topic := config.ResolveTopic(h.cfg.Layers(img, t.Name)); !topic.Delete {
			return nil, kafka.ErrPolicyViolation
		}
	}
	return hd, code
}
