package api

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
)

// describeTopicPartitions answers key 75 (KIP-966): topics by name, page by
// page, with their eligible leader replicas; max.request.partition.size.limit
// bounds the partitions of a page, whatever the request asks for.
func (h *Handler) describeTopicPartitions(r *kmsg.DescribeTopicPartitionsRequest) kmsg.Response {
	resp := kmsg.NewPtrDescribeTopicPartitionsResponse()
	img := h.cfg.Manager.Image()
	from, first := "", int32(0)
	if r.Cursor != nil {
		from, first = r.Cursor.Topic, r.Cursor.Partition
	}
	left := int(r.ResponsePartitionLimit)
	left = max(1, min(left, h.cfg.Settings.DescribePartitionsMax))
	if first < 0 {
		return badCursor(r)
	}
	for _, name := range describedNames(img, r, from) {
		t := img.TopicByName(name)
		out := kmsg.NewDescribeTopicPartitionsResponseTopic()
		out.Topic, out.AuthorizedOperations = ptr(name), operationsTopic
		if t == nil {
			out.ErrorCode = int16(kafka.ErrUnknownTopicOrPartition)
			if !validTopicName(name) {
				out.ErrorCode = int16(kafka.ErrInvalidTopicException)
			}
			resp.Topics = append(resp.Topics, out)
			continue
		}
		out.TopicID, out.IsInternal = t.ID, t.Internal()
		start := int32(0)
		if name == from {
			start = first
		}
		for index := start; int(index) < t.NumPartitions(); index++ {
			if left == 0 {
				next := kmsg.NewDescribeTopicPartitionsResponseNextCursor()
				next.Topic, next.Partition = name, index
				resp.NextCursor = &next
				if len(out.Partitions) > 0 {
					resp.Topics = append(resp.Topics, out)
				}
				return resp
			}
			left--
			out.Partitions = append(out.Partitions, describedPartition(img, t.Partition(index)))
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

// badCursor refuses every topic of a request whose cursor is at no partition.
func badCursor(r *kmsg.DescribeTopicPartitionsRequest) kmsg.Response {
	resp := kmsg.NewPtrDescribeTopicPartitionsResponse()
	for _, t := range r.Topics {
		out := kmsg.NewDescribeTopicPartitionsResponseTopic()
		out.Topic, out.ErrorCode, out.AuthorizedOperations = ptr(t.Topic), int16(kafka.ErrInvalidRequest), operationsUnknown
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

// describedNames are the topics asked for, or all, in order, from a cursor on.
func describedNames(img *metaimage.Image, r *kmsg.DescribeTopicPartitionsRequest, from string) []string {
	var names []string
	for _, t := range r.Topics {
		names = append(names, t.Topic)
	}
	if len(r.Topics) == 0 {
		for name := range img.TopicsFrom(from) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return slices.DeleteFunc(names, func(n string) bool { return n < from })
}

func describedPartition(img *metaimage.Image, p *metaimage.Partition) kmsg.DescribeTopicPartitionsResponseTopicPartition {
	out := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
	out.Partition, out.LeaderID, out.LeaderEpoch = p.ID, p.Leader, p.LeaderEpoch
	out.Replicas, out.ISR = orEmpty(p.Replicas), orEmpty(p.ISR)
	out.EligibleLeaderReplicas, out.LastKnownELR = orEmpty(p.ELR), orEmpty(p.LastKnownELR)
	out.OfflineReplicas = offline(img, p.Replicas)
	if b := img.Broker(p.Leader); b == nil || b.Fenced {
		out.ErrorCode = int16(kafka.ErrLeaderNotAvailable)
	}
	return out
}
