package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/tests/node"
)

const fetchBytesMax = 4 << 20

// finalReads reads every partition at every replica, the leader's as the final
// read. Nothing is under way any more, and all replicas are in sync.
func (l *load) finalReads(ctx context.Context) error {
	c := l.client("final")
	meta, err := kadm.NewClient(c).Metadata(ctx)
	if err != nil {
		return err
	}
	for _, t := range l.topics {
		for p := range t.partitions {
			leader := meta.Topics[t.name].Partitions[p].Leader
			for id := int32(1); id <= node.Nodes; id++ {
				if err := l.finalRead(ctx, c, t, p, id, id == leader); err != nil {
					return fmt.Errorf("read %s-%d of leader %d at node %d: %w", t.name, p, leader, id, err)
				}
			}
		}
	}
	return nil
}

// finalRead reads a partition at one node up to its high watermark.
func (l *load) finalRead(ctx context.Context, c *kgo.Client, t *topic, p, id int32, leads bool) error {
	for at := int64(0); ; {
		op := &history.Op{Client: "final", Node: id, Kind: history.KindFetch, Topic: t.id, Partition: p}
		l.record.began(op)
		read, err := fetch(ctx, c, t, p, id, at)
		if err != nil {
			l.record.dropped(op)
			return err
		}
		op.Read = &history.Read{
			Position: at, LeaderEpoch: history.Unknown, HighWatermark: read.HighWatermark, LastStable: read.LastStableOffset, LogStart: read.LogStartOffset,
			Follower: !leads, Final: leads, Records: l.records(read.Records),
		}
		l.record.ended(op, history.OutcomeOK)
		if n := len(read.Records); n > 0 {
			at = read.Records[n-1].Offset + 1
		}
		switch {
		case at >= read.HighWatermark:
			return nil
		case len(read.Records) == 0:
			return fmt.Errorf("nothing at offset %d, the high watermark is %d", at, read.HighWatermark)
		}
	}
}

// fetch asks one node for a partition's records from an offset on.
func fetch(ctx context.Context, c *kgo.Client, t *topic, p, id int32, at int64) (kgo.FetchPartition, error) {
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes, req.SessionEpoch = fetchBytesMax, -1
	rt := kmsg.NewFetchRequestTopic()
	rt.Topic, rt.TopicID = t.name, t.uuid // by version, one or the other
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes, rp.CurrentLeaderEpoch = p, at, fetchBytesMax, -1
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	for {
		answer, err := c.Broker(int(id)).Request(ctx, req)
		if err != nil {
			return kgo.FetchPartition{}, err
		}
		part := &answer.(*kmsg.FetchResponse).Topics[0].Partitions[0]
		if retriable(part.ErrorCode) {
			select {
			case <-ctx.Done():
				return kgo.FetchPartition{}, fmt.Errorf("%w: %w", ctx.Err(), kerr.ErrorForCode(part.ErrorCode))
			case <-time.After(20 * time.Millisecond):
			}
			continue
		}
		if err := kerr.ErrorForCode(part.ErrorCode); err != nil {
			return kgo.FetchPartition{}, err
		}
		out, _ := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{Offset: at, Topic: t.name, Partition: p}, part, kgo.DefaultDecompressor(), nil)
		return out, out.Err
	}
}
