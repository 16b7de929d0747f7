package workload

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/linearizability/history"
)

const (
	createTopicsVersion = 7
	deleteTopicsVersion = 6
	callLimit           = 10 * time.Second // of the calls of CreateTopics and FinalReads
)

// CreateTopics makes topics within a time limit, trying again while the cluster
// refuses, and declares them. A topic that is there already is taken as it is.
func CreateTopics(env *Env, specs []TopicSpec, limit time.Duration) ([]*Topic, error) {
	c := newClient(env, callLimit)
	defer c.close()
	until := env.Clock.Mono().Add(limit)
	var topics []*Topic
	for _, spec := range specs {
		for {
			topic, code := c.createTopic(spec)
			if topic == nil && kafka.ErrorCode(code) == kafka.ErrTopicAlreadyExists {
				topic = c.findTopic(spec)
			}
			if topic != nil {
				topics = append(topics, topic)
				break
			}
			if env.Clock.Mono() >= until || env.stopping() {
				return nil, fmt.Errorf("workload: create topic %s: nothing within %s, the last code was %s", spec.Name, limit, kafka.ErrorCode(code).Name())
			}
			c.pause(retryLater)
		}
	}
	return topics, nil
}

// settings are what a spec says, in the order of names.
func (s *TopicSpec) settings() (all [][2]string) {
	configs := map[string]string{
		"moldau.durability": string(s.Durability), "retention.ms": strconv.FormatInt(s.RetentionMs, 10), "retention.bytes": strconv.FormatInt(s.RetentionBytes, 10),
	}
	if s.AppendTime {
		configs["message.timestamp.type"] = "LogAppendTime"
	}
	if s.MinInsync > 0 {
		configs["min.insync.replicas"] = strconv.Itoa(s.MinInsync)
	}
	if s.Unclean {
		configs["unclean.leader.election.enable"] = "true"
	}
	maps.Copy(configs, s.Configs)
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		all = append(all, [2]string{name, configs[name]})
	}
	return all
}

// createTopic asks for a topic once. It is nil if it was not made as far as is
// known; the code says why, 0 if there was no answer.
func (c *client) createTopic(spec TopicSpec) (*Topic, int16) {
	l := c.link(nobody)
	if l == nil {
		return nil, 0
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = createTopicsVersion, int32(c.limit.Milliseconds())
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = spec.Name, spec.Partitions, cmp.Or(spec.Replicas, -1)
	for _, setting := range spec.settings() {
		one := kmsg.NewCreateTopicsRequestTopicConfig()
		one.Name, one.Value = setting[0], kmsg.StringPtr(setting[1])
		t.Configs = append(t.Configs, one)
	}
	req.Topics = append(req.Topics, t)
	op := &history.Op{Client: c.env.Name, Node: l.node, Kind: history.KindCreateTopic}
	call := c.record(l, req, op)
	if call.err != nil {
		return nil, 0
	}
	resp := call.resp.(*kmsg.CreateTopicsResponse)
	if len(resp.Topics) != 1 || resp.Topics[0].Topic != spec.Name {
		c.odd(op, call)
		return nil, 0
	}
	answer := &resp.Topics[0]
	var topic *Topic
	if answer.ErrorCode == 0 {
		topic = c.env.Recorder.Declare(spec, answer.TopicID)
		op.Topic = topic.Text()
	} else if answer.ErrorMessage != nil {
		c.env.trace(fmt.Sprintf("create %s: %s", spec.Name, *answer.ErrorMessage))
	}
	c.env.Recorder.Answered(op, answer.ErrorCode, call.at)
	c.stale = true
	return topic, answer.ErrorCode
}

// findTopic declares a topic that was made by a request without an answer, nil
// if it cannot be seen at the moment.
func (c *client) findTopic(spec TopicSpec) *Topic {
	l := c.link(nobody)
	if l == nil {
		return nil
	}
	req := kmsg.NewPtrMetadataRequest()
	req.Version = metadataVersion
	one := kmsg.NewMetadataRequestTopic()
	one.Topic = kmsg.StringPtr(spec.Name)
	req.Topics = append(req.Topics, one)
	call := l.ask(req, c.limit)
	if call.err != nil {
		c.failed(call.err)
		return nil
	}
	c.answered()
	resp := call.resp.(*kmsg.MetadataResponse)
	if len(resp.Topics) != 1 || resp.Topics[0].ErrorCode != 0 {
		return nil
	}
	return c.env.Recorder.Declare(spec, resp.Topics[0].TopicID)
}

// deleteTopic asks for a topic's deletion once.
func (c *client) deleteTopic(topic *Topic) (gone bool) {
	l := c.link(nobody)
	if l == nil {
		return false
	}
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Version, req.TimeoutMillis = deleteTopicsVersion, int32(c.limit.Milliseconds())
	one := kmsg.NewDeleteTopicsRequestTopic()
	one.TopicID = topic.ID
	req.Topics = append(req.Topics, one)
	topic.deleting()
	op := &history.Op{Client: c.env.Name, Node: l.node, Kind: history.KindDeleteTopic, Topic: topic.Text()}
	call := c.record(l, req, op)
	defer func() { topic.deleted(op.Outcome) }()
	if call.err != nil {
		return false
	}
	resp := call.resp.(*kmsg.DeleteTopicsResponse)
	if len(resp.Topics) != 1 || resp.Topics[0].TopicID != topic.ID {
		c.odd(op, call)
		return false
	}
	code := resp.Topics[0].ErrorCode
	c.env.Recorder.Answered(op, code, call.at)
	return code == 0 || kafka.ErrorCode(code) == kafka.ErrUnknownTopicID
}
