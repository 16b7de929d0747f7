package controller

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
)

// The election types of ElectLeaders (KIP-183, KIP-460).
const (
	electionPreferred = 0
	electionUnclean   = 1
)

// electLeaders runs elections that an operator asks for: of the preferred
// replica, or of any live one where there is no leader (records may be lost).
// Without a list it covers all partitions and answers for those that it
// changed or could not.
func (m *Machine) electLeaders(req *kmsg.ElectLeadersRequest) ([]metarecord.Record, kmsg.Response) {
	if req.ElectionType != electionPreferred && req.ElectionType != electionUnclean {
		return nil, ErrorReply(req, kafka.ErrInvalidRequest, "")
	}
	x := m.newTurn()
	reply := kmsg.NewPtrElectLeadersResponse()
	if req.Topics == nil {
		for name, topic := range m.img.Topics() {
			rt := kmsg.NewElectLeadersResponseTopic()
			rt.Topic = name
			for id := range topic.Partitions() {
				if rp := x.electOne(req.ElectionType, name, topic, id); rp.ErrorCode != int16(kafka.ErrElectionNotNeeded) {
					rt.Partitions = append(rt.Partitions, rp)
				}
			}
			if len(rt.Partitions) > 0 {
				reply.Topics = append(reply.Topics, rt)
			}
		}
		return x.records, reply
	}
	seen := make(map[kafka.TopicPartition]bool)
	for i := range req.Topics {
		rt := kmsg.NewElectLeadersResponseTopic()
		rt.Topic = req.Topics[i].Topic
		topic := m.img.TopicByName(rt.Topic)
		for _, id := range req.Topics[i].Partitions {
			if topic != nil {
				tp := kafka.TopicPartition{Topic: topic.ID, Partition: id}
				if seen[tp] {
					continue // answered already
				}
				seen[tp] = true
			}
			rt.Partitions = append(rt.Partitions, x.electOne(req.ElectionType, rt.Topic, topic, id))
		}
		reply.Topics = append(reply.Topics, rt)
	}
	return x.records, reply
}

func (x *turn) electOne(election int8, name string, topic *metaimage.Topic, id int32) kmsg.ElectLeadersResponseTopicPartition {
	rp := kmsg.NewElectLeadersResponseTopicPartition()
	rp.Partition = id
	refuse := func(code kafka.ErrorCode, message string) kmsg.ElectLeadersResponseTopicPartition {
		rp.ErrorCode, rp.ErrorMessage = int16(code), &message
		return rp
	}
	if topic == nil {
		return refuse(kafka.ErrUnknownTopicOrPartition, "No such topic as "+name)
	}
	p := topic.Partition(id)
	if p == nil {
		return refuse(kafka.ErrUnknownTopicOrPartition, fmt.Sprintf("No such partition as %s-%d", name, id))
	}
	const notNeeded = "Leader election not needed for topic partition."
	c := x.newChange(topic, p)
	if election == electionPreferred {
		if p.Leader == p.Replicas[0] {
			return refuse(kafka.ErrElectionNotNeeded, notNeeded)
		}
		if !c.electPreferred() {
			return refuse(kafka.ErrPreferredLeaderNotAvailable, "The preferred leader was not available.")
		}
		x.records = append(x.records, c.record(false))
		return rp
	}
	if p.Leader != metaimage.NoLeader {
		return refuse(kafka.ErrElectionNotNeeded, notNeeded)
	}
	c.byOperator = true
	c.electAny(true)
	if c.leader == metaimage.NoLeader {
		return refuse(kafka.ErrEligibleLeadersNotAvailable, "Eligible topic partition leaders are not available.")
	}
	c.dropMarks()
	c.rehome()
	x.records = append(x.records, c.record(false))
	return rp
}
