package controller

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
)

// alterPartitionAssignments moves replicas (KIP-455; v1: the replication factor
// may have to stay, KIP-860). The replicas of a partition are those it is to
// have, then those it had. The latter are dropped once that is safe (complete),
// in the same batch where it is at once.
//
// Null instead of replicas goes back to what the partition had. This too drops
// replicas by the rule of complete only, so it may take its time.
func (m *Machine) alterPartitionAssignments(req *kmsg.AlterPartitionAssignmentsRequest) ([]metarecord.Record, kmsg.Response) {
	total := 0
	for i := range req.Topics {
		total += len(req.Topics[i].Partitions)
	}
	if total > partitionsPerRequestMax {
		return nil, ErrorReply(req, kafka.ErrPolicyViolation, "Excessively large number of partitions per request.")
	}
	sameFactor := req.Version >= 1 && !req.AllowReplicationFactorChange
	x := m.newTurn()
	reply := kmsg.NewPtrAlterPartitionAssignmentsResponse()
	reply.AllowReplicationFactorChange = !sameFactor
	seen := make(map[kafka.TopicPartition]bool)
	for i := range req.Topics {
		rt := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		rt.Topic = req.Topics[i].Topic
		topic := m.img.TopicByName(rt.Topic)
		for j := range req.Topics[i].Partitions {
			asked := &req.Topics[i].Partitions[j]
			rp := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			rp.Partition = asked.Partition
			if refused := x.reassign(topic, rt.Topic, asked, sameFactor, seen); refused != nil {
				rp.ErrorCode, rp.ErrorMessage = int16(refused.code), &refused.message
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		reply.Topics = append(reply.Topics, rt)
	}
	return x.records, reply
}

// reassign begins, changes or cancels the reassignment of one partition.
func (x *turn) reassign(topic *metaimage.Topic, name string, asked *kmsg.AlterPartitionAssignmentsRequestTopicPartition, sameFactor bool, seen map[kafka.TopicPartition]bool) *refusal {
	if topic == nil {
		return refusef(kafka.ErrUnknownTopicOrPartition, "Unable to find a topic named %s.", name)
	}
	p := topic.Partition(asked.Partition)
	if p == nil {
		return refusef(kafka.ErrUnknownTopicOrPartition, "Unable to find partition %s:%d.", name, asked.Partition)
	}
	id := kafka.TopicPartition{Topic: topic.ID, Partition: p.ID}
	if seen[id] {
		return refusef(kafka.ErrInvalidRequest, "Partition %s-%d appears more than once.", name, p.ID)
	}
	seen[id] = true
	target := asked.Replicas
	if target == nil {
		if !p.Reassigned() {
			return refusef(kafka.ErrNoReassignmentInProgress, "No partition reassignment is in progress.")
		}
		target = minus(p.Replicas, p.Adding)
	} else {
		if refused := checkManual(x.img, target, len(target)); refused != nil {
			return refused
		}
		if sameFactor && len(target) != p.Factor() {
			return refusef(kafka.ErrInvalidReplicationFactor, "The replication factor is changed from %d to %d", p.Factor(), len(target))
		}
	}
	c := x.newChange(topic, p)
	c.retarget(x.img, target)
	x.keep(c)
	return nil
}

// retarget makes target the replicas that the partition is to have.
func (c *change) retarget(img *metaimage.Image, target []int32) {
	leaving := minus(c.p.Replicas, target)
	merged := append(slices.Clone(target), leaving...)
	dirs := make([]kafka.UUID, len(merged))
	for i, b := range merged {
		if c.p.HasReplica(b) {
			dirs[i] = c.p.DirectoryOf(b)
		} else {
			dirs[i] = newReplicaDir(img.Broker(b))
		}
	}
	// A replica that was being added and is not wanted any more is in both lists:
	// it was none of the partition's, and it goes when all of them go.
	c.adding = append(slices.Clone(c.p.Adding), minus(target, c.p.Replicas)...)
	c.removing = leaving
	c.replicas, c.dirs = merged, dirs
}

// minus is list without the members of others, in its order.
func minus(list, others []int32) []int32 {
	return slices.DeleteFunc(slices.Clone(list), func(b int32) bool { return slices.Contains(others, b) })
}

// common are the members of list that are in others too, in its order.
func common(list, others []int32) []int32 {
	return slices.DeleteFunc(slices.Clone(list), func(b int32) bool { return !slices.Contains(others, b) })
}

// listPartitionReassignments tells what is under way.
func (m *Machine) listPartitionReassignments(req *kmsg.ListPartitionReassignmentsRequest) ([]metarecord.Record, kmsg.Response) {
	reply := kmsg.NewPtrListPartitionReassignmentsResponse()
	list := func(topic *metaimage.Topic, wanted func(int32) bool) {
		rt := kmsg.NewListPartitionReassignmentsResponseTopic()
		rt.Topic = topic.Name
		for id, p := range topic.Partitions() {
			if !p.Reassigned() || !wanted(id) {
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
