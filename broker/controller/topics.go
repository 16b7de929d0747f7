package controller

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
)

// The texts that Kafka answers for these codes.
const (
	textUnknownTopicOrPartition = "This server does not host this topic-partition."
	textUnknownTopicID          = "This server does not host this topic ID."
)

// deleteTopics removes topics by name, or from version 6 on by id (KIP-516).
func (m *Machine) deleteTopics(req *kmsg.DeleteTopicsRequest) ([]metarecord.Record, kmsg.Response) {
	if !m.cfg.DeleteTopics {
		if req.Version < 3 {
			return nil, ErrorReply(req, kafka.ErrInvalidRequest, "Topic deletion is disabled.")
		}
		return nil, ErrorReply(req, kafka.ErrTopicDeletionDisabled, "Topic deletion is disabled.")
	}
	reply := kmsg.NewPtrDeleteTopicsResponse()
	var records []metarecord.Record
	counts := m.countTargets(deleteTargets(req))
	for _, asked := range deleteTargets(req) {
		res := kmsg.NewDeleteTopicsResponseTopic()
		res.Topic, res.TopicID = asked.Topic, asked.TopicID
		topic, refused := m.deleteTarget(asked)
		if refused == nil {
			switch n := counts[topic.ID]; {
			case n == 0:
				continue // the duplicate was answered
			case n > 1:
				counts[topic.ID] = 0
				refused = refusef(kafka.ErrInvalidRequest, "Duplicate topic %s.", duplicateOf(asked))
			}
		}
		if refused != nil {
			res.ErrorCode, res.ErrorMessage = int16(refused.code), &refused.message
		} else {
			res.Topic, res.TopicID = &topic.Name, topic.ID
			records = append(records, &metarecord.RemoveTopic{TopicID: topic.ID})
		}
		reply.Topics = append(reply.Topics, res)
	}
	return records, reply
}

func duplicateOf(asked kmsg.DeleteTopicsRequestTopic) string {
	if asked.Topic != nil {
		return "name"
	}
	return "id"
}

func (m *Machine) countTargets(targets []kmsg.DeleteTopicsRequestTopic) map[kafka.UUID]int {
	counts := make(map[kafka.UUID]int)
	for _, asked := range targets {
		if topic, refused := m.deleteTarget(asked); refused == nil {
			counts[topic.ID]++
		}
	}
	return counts
}

func (m *Machine) deleteTarget(asked kmsg.DeleteTopicsRequestTopic) (*metaimage.Topic, *refusal) {
	id := kafka.UUID(asked.TopicID)
	switch {
	case asked.Topic == nil && id.IsZero():
		return nil, refusef(kafka.ErrInvalidRequest, "Neither topic name nor id were specified.")
	case asked.Topic != nil && !id.IsZero():
		return nil, refusef(kafka.ErrInvalidRequest, "You may not specify both topic name and topic id.")
	case asked.Topic != nil:
		if topic := m.img.TopicByName(*asked.Topic); topic != nil {
			return topic, nil
		}
		return nil, refusef(kafka.ErrUnknownTopicOrPartition, textUnknownTopicOrPartition)
	}
	if topic := m.img.Topic(id); topic != nil {
		return topic, nil
	}
	return nil, refusef(kafka.ErrUnknownTopicID, textUnknownTopicID)
}

// createPartitions adds partitions to topics (KIP-195). The new ones have as
// many replicas as partition 0.
func (m *Machine) createPartitions(req *kmsg.CreatePartitionsRequest) ([]metarecord.Record, kmsg.Response) {
	reply := kmsg.NewPtrCreatePartitionsResponse()
	x := m.newTurn()
	p := newPlacer(m.img, &m.rng)
	names := tallyNames(len(req.Topics), func(i int) string { return req.Topics[i].Topic })
	added := 0
	for i := range req.Topics {
		if topic := m.img.TopicByName(req.Topics[i].Topic); topic != nil {
			added += max(int(req.Topics[i].Count)-topic.NumPartitions(), 0)
		}
	}
	if added > partitionsPerRequestMax {
		return nil, ErrorReply(req, kafka.ErrPolicyViolation, "Excessively large number of additional partitions per request.")
	}
	for i := range req.Topics {
		asked := &req.Topics[i]
		res := kmsg.NewCreatePartitionsResponseTopic()
		res.Topic = asked.Topic
		var refused *refusal
		switch once, answered := names.take(asked.Topic); {
		case answered:
			continue
		case !once:
			refused = refusef(kafka.ErrInvalidRequest, "Duplicate topic name.")
		default:
			refused = x.growTopic(p, asked)
		}
		if refused != nil {
			res.ErrorCode, res.ErrorMessage = int16(refused.code), textOrNil(refused.message)
		}
		reply.Topics = append(reply.Topics, res)
	}
	if req.ValidateOnly {
		return nil, reply
	}
	return x.records, reply
}

func (x *turn) growTopic(p *placer, asked *kmsg.CreatePartitionsRequestTopic) *refusal {
	topic := x.img.TopicByName(asked.Topic)
	if topic == nil {
		return &refusal{kafka.ErrUnknownTopicOrPartition, ""} // without a text, as Kafka
	}
	now := topic.NumPartitions()
	add := int(asked.Count) - now
	switch {
	case add == 0:
		return refusef(kafka.ErrInvalidPartitions, "Topic already has %d partition(s).", now)
	case add < 0:
		return refusef(kafka.ErrInvalidPartitions, "The topic %s currently has %d partition(s); %d would not be an increase.", asked.Topic, now, asked.Count)
	case len(asked.Assignment) > 0 && len(asked.Assignment) != add:
		return refusef(kafka.ErrInvalidReplicaAssignment, "Attempted to add %d additional partition(s), but only %d assignment(s) were specified.", add, len(asked.Assignment))
	}
	factor := topic.Partition(0).Factor()
	var replicas [][]int32
	for i := range asked.Assignment {
		if err := checkManual(x.img, asked.Assignment[i].Replicas, factor); err != nil {
			return err
		}
		replicas = append(replicas, asked.Assignment[i].Replicas)
	}
	if replicas == nil {
		var refused *refusal
		if replicas, refused = x.autoReplicas(p, add, factor); refused != nil {
			return refused
		}
	}
	records := make([]metarecord.Record, 0, add)
	for i, set := range replicas {
		r, refused := newPartition(x.img, topic.ID, int32(now+i), set)
		if refused != nil {
			return refused
		}
		records = append(records, r)
	}
	x.records = append(x.records, records...)
	return nil
}

// namedSettings is a layer under way, in the order in which names came.
type namedSettings []Setting

func (l namedSettings) Get(name string) (string, bool) {
	for _, s := range l {
		if s.Name == name {
			return s.Value, true
		}
	}
	return "", false
}

// set returns the layer with a value set; the layer itself may change.
func (l namedSettings) set(name, value string) namedSettings {
	for i := range l {
		if l[i].Name == name {
			l[i].Value = value
			return l
		}
	}
	return append(l, Setting{name, value})
}

// unset returns the layer without a name; the layer itself may change.
func (l namedSettings) unset(name string) namedSettings {
	return slices.DeleteFunc(l, func(s Setting) bool { return s.Name == name })
}

// noSettings is the empty layer.
type noSettings struct{}

func (noSettings) Get(string) (string, bool) { return "", false }

// nameTally counts how often a request names each topic: one that is named
// twice is refused, in one answer.
type nameTally map[string]int

func tallyNames(n int, name func(i int) string) nameTally {
	t := make(nameTally)
	for i := range n {
		t[name(i)]++
	}
	return t
}

// take says whether a name is there once, or whether its duplicates were
// answered already.
func (t nameTally) take(name string) (once, answered bool) {
	n := t[name]
	if n > 1 {
		t[name] = 0
	}
	return n == 1, n == 0
}
