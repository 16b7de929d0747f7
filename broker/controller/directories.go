package controller

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
)

// assignReplicasToDirs notes where a broker keeps its replicas (KIP-858). A
// directory that is not of its registration is refused.
func (m *Machine) assignReplicasToDirs(req *kmsg.AssignReplicasToDirsRequest) ([]metarecord.Record, kmsg.Response) {
	b := m.img.Broker(req.BrokerID)
	if b == nil || b.BrokerEpoch != req.BrokerEpoch {
		return nil, ErrorReply(req, kafka.ErrStaleBrokerEpoch, "")
	}
	x := m.newTurn()
	reply := kmsg.NewPtrAssignReplicasToDirsResponse()
	seen := make(map[kafka.TopicPartition]bool)
	for i := range req.Directories {
		rd := kmsg.NewAssignReplicasToDirsResponseDirectory()
		rd.ID = req.Directories[i].ID
		for j := range req.Directories[i].Topics {
			asked := &req.Directories[i].Topics[j]
			rt := kmsg.NewAssignReplicasToDirsResponseDirectoryTopic()
			rt.TopicID = asked.TopicID
			for k := range asked.Partitions {
				tp := kafka.TopicPartition{Topic: asked.TopicID, Partition: asked.Partitions[k].Partition}
				rp := kmsg.NewAssignReplicasToDirsResponseDirectoryTopicPartition()
				rp.Partition = tp.Partition
				if seen[tp] {
					rp.ErrorCode = int16(kafka.ErrInvalidRequest)
				} else {
					rp.ErrorCode = int16(x.assignOne(b, rd.ID, tp))
				}
				seen[tp] = true
				rt.Partitions = append(rt.Partitions, rp)
			}
			rd.Topics = append(rd.Topics, rt)
		}
		reply.Directories = append(reply.Directories, rd)
	}
	return x.records, reply
}

func (x *turn) assignOne(b *metaimage.Broker, dir kafka.UUID, tp kafka.TopicPartition) kafka.ErrorCode {
	topic := x.img.Topic(tp.Topic)
	if topic == nil {
		return kafka.ErrUnknownTopicID
	}
	p := topic.Partition(tp.Partition)
	if p == nil {
		return kafka.ErrUnknownTopicOrPartition
	}
	i := slices.Index(p.Replicas, b.BrokerID)
	if i < 0 {
		return kafka.ErrNotLeaderOrFollower
	}
	if !slices.Contains(b.LogDirs, dir) {
		return kafka.ErrLogDirNotFound
	}
	c := x.newChange(topic, p)
	c.dirs = make([]kafka.UUID, len(p.Replicas))
	copy(c.dirs, p.Directories)
	c.dirs[i] = dir
	if r := c.record(false); r != nil {
		x.records = append(x.records, r)
	}
	return kafka.ErrNone
}
