package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/replica"
	"github.com/moldau/moldau/broker/seglog/logdir"
	"github.com/moldau/moldau/broker/shard"
)

// listOffsets answers key 2: offsets by timestamp.
//
//   - v2 isolation level; v4 leader epochs; v7 the largest timestamp (-3,
//     KIP-734); v8 the earliest local offset (-4); v9 and v11 ask for tiers,
//     which are empty: offset -1.
//   - v10's timeout is for reads from remote tiers and not used.
func (h *Handler) listOffsets(r *kmsg.ListOffsetsRequest) kmsg.Response {
	resp := kmsg.NewPtrListOffsetsResponse()
	img := h.cfg.Manager.Image()
	type pending struct {
		query *shard.Query
		out   *kmsg.ListOffsetsResponseTopicPartition
	}
	var queries []pending
	twice := askedTwice(r)
	resp.Topics = make([]kmsg.ListOffsetsResponseTopic, len(r.Topics))
	for i, t := range r.Topics {
		out := &resp.Topics[i]
		*out = kmsg.NewListOffsetsResponseTopic()
		out.Topic = t.Topic
		out.Partitions = make([]kmsg.ListOffsetsResponseTopicPartition, len(t.Partitions))
		topic := img.TopicByName(t.Topic)
		for j, p := range t.Partitions {
			op := &out.Partitions[j]
			*op = kmsg.NewListOffsetsResponseTopicPartition()
			op.Partition, op.Offset, op.Timestamp, op.LeaderEpoch = p.Partition, -1, -1, -1
			switch {
			case twice[listedPartition{t.Topic, p.Partition}]:
				op.ErrorCode = int16(kafka.ErrInvalidRequest)
				continue
			case topic == nil:
				op.ErrorCode = int16(kafka.ErrUnknownTopicOrPartition)
				continue
			}
			hd, code := h.topicHandle(topic, p.Partition)
			if code == kafka.ErrNone && !timestampServed(r.Version, p.Timestamp) {
				code = kafka.ErrUnsupportedVersion
			}
			if code != kafka.ErrNone {
				op.ErrorCode = int16(code)
				continue
			}
			epoch := replica.NoEpoch
			if r.Version >= 4 {
				epoch = p.CurrentLeaderEpoch
			}
			q := &shard.Query{Handle: hd, Kind: shard.QueryOffset, ListOffset: replica.ListOffset{
				Timestamp: p.Timestamp, CurrentLeaderEpoch: epoch,
				ReadCommitted: r.Version >= 2 && r.IsolationLevel == 1, Debug: r.ReplicaID == -2,
			}}
			q.Start()
			queries = append(queries, pending{q, op})
		}
	}
	for _, p := range queries {
		if !p.query.Finish() {
			p.out.ErrorCode = int16(kafka.ErrNotLeaderOrFollower)
			continue
		}
		answer(p.query, p.out, r.Version)
	}
	return resp
}

type listedPartition struct {
	topic string
	index int32
}

// askedTwice are the partitions that a request names more than once.
func askedTwice(r *kmsg.ListOffsetsRequest) map[listedPartition]bool {
	seen := make(map[listedPartition]bool)
	for i := range r.Topics {
		for j := range r.Topics[i].Partitions {
			key := listedPartition{r.Topics[i].Topic, r.Topics[i].Partitions[j].Partition}
			_, again := seen[key]
			seen[key] = again
		}
	}
	return seen
}

// timestampServed says whether a version of ListOffsets knows a special timestamp.
func timestampServed(version int16, timestamp int64) bool {
	switch timestamp {
	case replica.TimestampMax:
		return version >= 7
	case replica.TimestampEarliestLocal:
		return version >= 8
	case replica.TimestampLatestTiered:
		return version >= 9
	case replica.TimestampEarliestPendingUpload:
		return version >= 11
	}
	return timestamp >= replica.TimestampEarliest
}

// answer fills in what the replica said, searching by time where it asks for that.
func answer(q *shard.Query, out *kmsg.ListOffsetsResponseTopicPartition, version int16) {
	a := q.Listed
	if a.Code == kafka.ErrNone && a.Searches {
		a = search(q.Handle, a.Search)
	}
	out.ErrorCode = int16(a.Code)
	if a.Code != kafka.ErrNone {
		return
	}
	out.Offset, out.Timestamp = a.Offset, a.Timestamp
	if version >= 4 {
		out.LeaderEpoch = a.LeaderEpoch
	}
}

// search looks into the segments on this goroutine.
func search(h *shard.Handle, s replica.TimeSearch) replica.ListOffsetAnswer {
	var found logdir.TimestampOffset
	err := h.Checked(func() (err error) {
		if s.Max {
			found, err = h.Partition().MaxTimestampOffset(s.From, s.UpTo)
		} else {
			found, err = h.Partition().OffsetForTimestamp(s.Timestamp, s.From, s.UpTo)
		}
		return err
	})
	switch {
	case err != nil:
		return replica.ListOffsetAnswer{Code: readError(err)}
	case found.Offset < 0:
		return replica.ListOffsetAnswer{Code: s.NotFound, Offset: -1, Timestamp: -1, LeaderEpoch: -1}
	}
	return replica.ListOffsetAnswer{Offset: found.Offset, Timestamp: found.Timestamp, LeaderEpoch: found.LeaderEpoch}
}
