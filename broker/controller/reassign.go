package controller

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
)

// alterPartitionAssignments is refused by name: replicas cannot move yet.
func (m *Machine) alterPartitionAssignments(req *kmsg.AlterPartitionAssignmentsRequest) ([]metarecord.Record, kmsg.Response) {
	return nil, ErrorReply(req, kafka.ErrUnsupportedVersion, "Partition reassignment is not supported yet.")
}

// listPartitionReassignments tells what is under way, which an imported
// cluster may have.
func (m *Machine) listPartitionReassignments(req *kmsg.ListPartitionReassignmentsRequest) ([]metarecord.Record, kmsg.Response) {
	reply := kmsg.NewPtrListPartitionReassignmentsResponse()
	list := func(topic *metaimage.Topic, wanted func(int32) bool) {
		rt := kmsg.NewListPartitionReassignmentsResponseTopic()
		rt.Topic = topic.Name
		for id, p := range topic.Partitions() {
			if len(p.Adding)+len(p.Removing) == 0 || !wanted(id) {
				continue
			}
			rp := kmsg.NewListPartitionReassignmentsResponseTopicPartition()
			rp.Partition, rp.Replicas, rp.AddingReplicas, rp.RemovingReplicas = id, p.Replicas, p.Adding, p.Removing
			rt.Partitions = append(rt.Partitions, rp)
		}
		if len(rt.Partitions) > 0 {
			reply.Topics = append(reply.Topics, rt)
		}
	}
	if req.Topics == nil {
		for _, topic := range m.img.Topics() {
			list(topic, func(int32) bool { return true })
		}
		return nil, reply
	}
	for i := range req.Topics {
		if topic := m.img.TopicByName(req.Topics[i].Topic); topic != nil {
			list(topic, func(id int32) bool { return slices.Contains(req.Topics[i].Partitions, id) })
		}
	}
	return nil, reply
}
