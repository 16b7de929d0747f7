package controller

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
	"github.com/moldau/moldau/internal/guard"
)

// alterPartition lets a leader change its ISR (KIP-497, 704, 841, 903). Version
// 3 names each member's broker epoch; version 2 cannot, so it may only take
// members out. A change that is accepted always begins a partition epoch, for
// the same ISR too (C2).
func (m *Machine) alterPartition(req *kmsg.AlterPartitionRequest) ([]metarecord.Record, kmsg.Response) {
	b := m.img.Broker(req.BrokerID)
	if b == nil || b.BrokerEpoch != req.BrokerEpoch {
		return nil, ErrorReply(req, kafka.ErrStaleBrokerEpoch, "")
	}
	x := m.newTurn()
	reply := kmsg.NewPtrAlterPartitionResponse()
	seen := make(map[kafka.TopicPartition]bool)
	for i := range req.Topics {
		asked := &req.Topics[i]
		rt := kmsg.NewAlterPartitionResponseTopic()
		rt.Topic, rt.TopidID = asked.Topic, asked.TopicID
		topic := m.img.Topic(asked.TopicID)
		for j := range asked.Partitions {
			ap := &asked.Partitions[j]
			tp := kafka.TopicPartition{Topic: asked.TopicID, Partition: ap.Partition}
			var rp kmsg.AlterPartitionResponseTopicPartition
			if seen[tp] {
				rp = refusedPartition(ap.Partition, kafka.ErrInvalidRequest)
			} else {
				seen[tp] = true
				rp = x.alterOne(req, topic, ap)
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		reply.Topics = append(reply.Topics, rt)
	}
	return x.records, reply
}

func refusedPartition(id int32, code kafka.ErrorCode) kmsg.AlterPartitionResponseTopicPartition {
	rp := kmsg.NewAlterPartitionResponseTopicPartition()
	rp.Partition, rp.ErrorCode = id, int16(code)
	return rp
}

func (x *turn) alterOne(req *kmsg.AlterPartitionRequest, topic *metaimage.Topic, ap *kmsg.AlterPartitionRequestTopicPartition) kmsg.AlterPartitionResponseTopicPartition {
	if topic == nil {
		return refusedPartition(ap.Partition, kafka.ErrUnknownTopicID)
	}
	p := topic.Partition(ap.Partition)
	members, code := x.checkAlter(req, p, ap)
	if code != kafka.ErrNone {
		return refusedPartition(ap.Partition, code)
	}
	c := x.newChange(topic, p)
	for _, b := range p.ISR {
		if !slices.Contains(members, b) {
			c.leave(b)
		}
	}
	for _, b := range members {
		c.isr = with(c.isr, b)
	}
	for i := range ap.NewEpochISR {
		if metarecord.Undoubt(&ap.NewEpochISR[i]) && !x.m.cfg.Out.Out(guard.S5Ends) || x.m.cfg.Out.Out(guard.S5Whole) {
			c.unmark(ap.NewEpochISR[i].BrokerID)
		}
	}
	c.recovery = ap.LeaderRecoveryState
	c.updateELR()
	c.dropMarks()
	rp := kmsg.NewAlterPartitionResponseTopicPartition()
	rp.Partition, rp.LeaderID, rp.LeaderEpoch = p.ID, p.Leader, p.LeaderEpoch
	rp.ISR, rp.LeaderRecoveryState, rp.PartitionEpoch = c.isr, c.recovery, p.PartitionEpoch
	if r := c.record(!x.m.cfg.Out.Out(guard.C2Writes)); r != nil {
		x.records = append(x.records, r)
		rp.PartitionEpoch++
	}
	return rp
}

// checkAlter validates one partition's request and returns its new ISR.
func (x *turn) checkAlter(req *kmsg.AlterPartitionRequest, p *metaimage.Partition, ap *kmsg.AlterPartitionRequestTopicPartition) ([]int32, kafka.ErrorCode) {
	switch {
	case p == nil:
		return nil, kafka.ErrUnknownTopicOrPartition
	case ap.LeaderEpoch > p.LeaderEpoch || ap.PartitionEpoch > p.PartitionEpoch:
		return nil, kafka.ErrNotController // it knows more than this controller
	case ap.LeaderEpoch < p.LeaderEpoch && !x.m.cfg.Out.Out(guard.C2LeaderEpoch):
		return nil, kafka.ErrFencedLeaderEpoch
	case req.BrokerID != p.Leader:
		return nil, kafka.ErrInvalidRequest
	case ap.PartitionEpoch < p.PartitionEpoch && !x.m.cfg.Out.Out(guard.C2PartitionEpoch):
		return nil, kafka.ErrInvalidUpdateVersion
	}
	members := ap.NewISR
	if req.Version >= 3 {
		members = nil
		for i := range ap.NewEpochISR {
			members = append(members, ap.NewEpochISR[i].BrokerID)
		}
	}
	for i, b := range members {
		if !p.HasReplica(b) || slices.Contains(members[:i], b) {
			return nil, kafka.ErrInvalidRequest
		}
	}
	switch {
	case !slices.Contains(members, p.Leader):
		return nil, kafka.ErrInvalidRequest
	case ap.LeaderRecoveryState != metaimage.Recovered && ap.LeaderRecoveryState != metaimage.Recovering:
		return nil, kafka.ErrInvalidRequest
	case ap.LeaderRecoveryState == metaimage.Recovering && (p.Recovery == metaimage.Recovered || len(members) > 1):
		return nil, kafka.ErrInvalidRequest
	}
	for i, b := range members {
		broker := x.img.Broker(b)
		switch {
		case broker == nil || !broker.Available() && !x.m.cfg.Out.Out(guard.C2Fenced):
			return nil, kafka.ErrIneligibleReplica
		case req.Version >= 3 && ap.NewEpochISR[i].BrokerEpoch != broker.BrokerEpoch && !x.m.cfg.Out.Out(guard.C2BrokerEpoch):
			return nil, kafka.ErrIneligibleReplica
		case req.Version < 3 && !p.InISR(b):
			return nil, kafka.ErrIneligibleReplica
		}
	}
	return members, kafka.ErrNone
}
