package controller

import (
	"fmt"
	"math"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
)

// partitionsPerRequestMax bounds the partitions made by one request, as in Kafka.
const partitionsPerRequestMax = 10_000

// refusal is an error of one topic or resource, on its way to the answer.
type refusal struct {
	code    kafka.ErrorCode
	message string
}

func (r *refusal) Error() string { return r.message }

func refusef(code kafka.ErrorCode, format string, args ...any) *refusal {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// createTopics makes topics (KIP-4; v4: defaults by -1, KIP-464; v5: configs in
// the answer, KIP-525; v7: topic ids, KIP-516). Each topic is made or refused
// for itself, all in one batch.
func (m *Machine) createTopics(req *kmsg.CreateTopicsRequest) ([]metarecord.Record, kmsg.Response) {
	reply := kmsg.NewPtrCreateTopicsResponse()
	names := tallyNames(len(req.Topics), func(i int) string { return req.Topics[i].Topic })
	c := &creation{x: m.newTurn(), taken: make(map[string]string), ids: make(map[kafka.UUID]bool), placer: newPlacer(m.img, &m.rng)}
	if m.tooManyPartitions(req) {
		return nil, ErrorReply(req, kafka.ErrPolicyViolation, "Excessively large number of partitions per request.")
	}
	for i := range req.Topics {
		asked := &req.Topics[i]
		res := newCreateTopicsResult(asked.Topic)
		var refused *refusal
		switch once, answered := names.take(asked.Topic); {
		case answered:
			continue
		case !once:
			refused = refusef(kafka.ErrInvalidRequest, "Duplicate topic name.")
		case asked.Topic == kafka.MetadataTopicName:
			refused = refusef(kafka.ErrInvalidRequest, "Creation of internal topic %s is prohibited.", kafka.MetadataTopicName)
		default:
			refused = c.create(asked, &res)
		}
		if refused != nil {
			res = newCreateTopicsResult(asked.Topic)
			res.ErrorCode, res.ErrorMessage = int16(refused.code), &refused.message
		}
		reply.Topics = append(reply.Topics, res)
	}
	if req.ValidateOnly {
		for i := range reply.Topics {
			reply.Topics[i].TopicID = kafka.ZeroUUID
		}
		return nil, reply
	}
	return c.x.records, reply
}

func (m *Machine) tooManyPartitions(req *kmsg.CreateTopicsRequest) bool {
	total := 0
	for i := range req.Topics {
		n := len(req.Topics[i].ReplicaAssignment)
		if n == 0 {
			n = max(int(req.Topics[i].NumPartitions), 1)
		}
		if total += n; total > partitionsPerRequestMax {
			return true
		}
	}
	return false
}

// creation is one CreateTopics request under way.
type creation struct {
	x      *turn
	taken  map[string]string // metric names of the topics made before, to their names
	ids    map[kafka.UUID]bool
	placer *placer
}

func (c *creation) create(asked *kmsg.CreateTopicsRequestTopic, res *kmsg.CreateTopicsResponseTopic) *refusal {
	if err := c.checkName(asked.Topic); err != nil {
		return err
	}
	explicit, err := c.settings(asked)
	if err != nil {
		return err
	}
	replicas, err := c.replicas(asked)
	if err != nil {
		return err
	}
	factor := len(replicas[0])
	values := namedSettings(explicit)
	layers := TopicSettings{Topic: values, Derived: noSettings{}, DefaultBroker: topicSettings(c.x.img, asked.Topic).DefaultBroker}
	if err := c.x.m.cfg.Configs.ValidateTopicSet(layers); err != nil {
		return refusalOf(err)
	}
	topic := &metarecord.Topic{Name: asked.Topic, TopicID: c.newID()}
	records := []metarecord.Record{topic}
	for _, s := range explicit {
		records = append(records, topicConfig(asked.Topic, s, false))
	}
	for _, s := range c.x.m.cfg.Configs.CreationSettings(layers) {
		if _, ok := values.Get(s.Name); !ok {
			records = append(records, topicConfig(asked.Topic, s, true))
		}
	}
	pol := c.x.m.cfg.Configs.TopicPolicy(layers)
	derived := namedSettings(nil)
	if pol.MinInsync == 0 {
		derived = namedSettings{{configMinInsync, itoa(int32(majority(factor)))}}
		records = append(records, topicConfig(asked.Topic, derived[0], true))
	}
	for id, set := range replicas {
		p, err := newPartition(c.x.img, topic.TopicID, int32(id), set)
		if err != nil {
			return err
		}
		records = append(records, p)
	}
	c.x.records = append(c.x.records, records...)
	c.taken[metricName(asked.Topic)] = asked.Topic

	res.TopicID, res.NumPartitions, res.ReplicationFactor = topic.TopicID, int32(len(replicas)), int16(factor)
	layers.Derived = derived
	for _, d := range c.x.m.cfg.Configs.DescribeTopic(layers) {
		rc := kmsg.NewCreateTopicsResponseTopicConfig()
		rc.Name, rc.Value, rc.ReadOnly, rc.Source, rc.IsSensitive = d.Name, d.Value, d.ReadOnly, d.Source, d.Sensitive
		res.Configs = append(res.Configs, rc)
	}
	return nil
}

// newID draws an id that no topic has, whatever the entropy is worth.
func (c *creation) newID() kafka.UUID {
	for {
		id := kafka.NewUUID(c.x.m.cfg.Entropy)
		if c.x.img.Topic(id) == nil && !c.ids[id] {
			c.ids[id] = true
			return id
		}
	}
}

func (c *creation) checkName(name string) *refusal {
	if err := checkTopicName(name); err != nil {
		return refusef(kafka.ErrInvalidTopicException, "%s", err)
	}
	if c.x.img.TopicByName(name) != nil {
		return refusef(kafka.ErrTopicAlreadyExists, "Topic '%s' already exists.", name)
	}
	other, ok := collides(c.x.img, name)
	if !ok {
		other, ok = c.taken[metricName(name)]
	}
	if ok {
		return refusef(kafka.ErrInvalidTopicException, "Topic '%s' collides with existing topic: %s", name, other)
	}
	return nil
}

// settings checks the settings of a new topic one by one.
func (c *creation) settings(asked *kmsg.CreateTopicsRequestTopic) (namedSettings, *refusal) {
	var list namedSettings
	for i := range asked.Configs {
		name, value := asked.Configs[i].Name, asked.Configs[i].Value
		if value == nil {
			return nil, refusef(kafka.ErrInvalidConfig, "Null value not supported for topic configs: %s", name)
		}
		if err := checkValueSize(*value); err != nil {
			return nil, err
		}
		if err := c.x.m.cfg.Configs.ValidateTopic(name, *value); err != nil {
			return nil, refusalOf(err)
		}
		list = list.set(name, *value)
	}
	return list, nil
}

// replicas chooses, or checks, the replicas of every partition.
func (c *creation) replicas(asked *kmsg.CreateTopicsRequestTopic) ([][]int32, *refusal) {
	if len(asked.ReplicaAssignment) > 0 {
		return c.manualReplicas(asked)
	}
	partitions, factor := asked.NumPartitions, asked.ReplicationFactor
	switch {
	case factor < -1 || factor == 0:
		return nil, refusef(kafka.ErrInvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value.")
	case partitions < -1 || partitions == 0:
		return nil, refusef(kafka.ErrInvalidPartitions, "Number of partitions was set to an invalid non-positive value.")
	}
	if partitions == -1 {
		partitions = c.x.m.cfg.DefaultPartitions
	}
	if factor == -1 {
		factor = c.x.m.defaultReplicationFactor()
	}
	return c.x.autoReplicas(c.placer, int(partitions), int(factor))
}

func (m *Machine) defaultReplicationFactor() int16 {
	if f := m.cfg.DefaultReplicationFactor; f > 0 {
		return f
	}
	return int16(max(min(3, m.img.NumBrokers()), 1))
}

func (x *turn) autoReplicas(p *placer, partitions, factor int) ([][]int32, *refusal) {
	usable := len(p.ring) + len(p.fenced)
	switch {
	case len(p.ring) == 0:
		return nil, refusef(kafka.ErrInvalidReplicationFactor, "Unable to replicate the partition %d time(s): All brokers are currently fenced or in controlled shutdown.", factor)
	case factor > usable:
		return nil, refusef(kafka.ErrInvalidReplicationFactor, "Unable to replicate the partition %d time(s): The target replication factor of %d cannot be reached because only %d broker(s) are registered or some brokers have all their log directories cordoned.", factor, factor, usable)
	}
	all := make([][]int32, partitions)
	for i := range all {
		for _, b := range p.place(factor) {
			all[i] = append(all[i], b.BrokerID)
		}
	}
	return all, nil
}

func (c *creation) manualReplicas(asked *kmsg.CreateTopicsRequestTopic) ([][]int32, *refusal) {
	if asked.ReplicationFactor != -1 {
		return nil, refusef(kafka.ErrInvalidRequest, "A manual partition assignment was specified, but replication factor was not set to -1.")
	}
	if asked.NumPartitions != -1 {
		return nil, refusef(kafka.ErrInvalidRequest, "A manual partition assignment was specified, but numPartitions was not set to -1.")
	}
	all := make([][]int32, len(asked.ReplicaAssignment))
	for i := range asked.ReplicaAssignment {
		a := &asked.ReplicaAssignment[i]
		if a.Partition < 0 || int(a.Partition) >= len(all) {
			return nil, refusef(kafka.ErrInvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence")
		}
		if all[a.Partition] != nil {
			return nil, refusef(kafka.ErrInvalidReplicaAssignment, "Found multiple manual partition assignments for partition %d", a.Partition)
		}
		if err := checkManual(c.x.img, a.Replicas, len(asked.ReplicaAssignment[0].Replicas)); err != nil {
			return nil, err
		}
		all[a.Partition] = a.Replicas
	}
	return all, nil
}

// checkManual checks one manual assignment; factor is that of the others.
func checkManual(img *metaimage.Image, replicas []int32, factor int) *refusal {
	if len(replicas) == 0 {
		return refusef(kafka.ErrInvalidReplicaAssignment, "The manual partition assignment includes an empty replica list.")
	}
	seen := make(map[int32]bool)
	for _, b := range replicas {
		if seen[b] {
			return refusef(kafka.ErrInvalidReplicaAssignment, "The manual partition assignment includes the broker %d more than once.", b)
		}
		seen[b] = true
		if img.Broker(b) == nil {
			return refusef(kafka.ErrInvalidReplicaAssignment, "The manual partition assignment includes broker %d, but no such broker is registered.", b)
		}
	}
	if len(replicas) != factor || len(replicas) > math.MaxInt16 {
		return refusef(kafka.ErrInvalidReplicaAssignment, "The manual partition assignment includes a partition with %d replica(s), but this is not consistent with previous partitions, which have %d replica(s).", len(replicas), factor)
	}
	return nil
}

// newPartition is the record of a new partition: the replicas that are live are
// in sync, the first of them leads.
func newPartition(img *metaimage.Image, topic kafka.UUID, id int32, replicas []int32) (*metarecord.Partition, *refusal) {
	p := metarecord.NewPartition()
	p.PartitionID, p.TopicID, p.Replicas, p.LeaderEpoch, p.PartitionEpoch = id, topic, replicas, 0, 0
	for _, r := range replicas {
		b := img.Broker(r)
		if b.Available() {
			p.ISR = append(p.ISR, r)
		}
		p.Directories = append(p.Directories, newReplicaDir(b))
	}
	if len(p.ISR) == 0 {
		return nil, refusef(kafka.ErrInvalidReplicaAssignment, "All brokers specified in the manual partition assignment for partition %d are fenced or in controlled shutdown.", id)
	}
	p.Leader = p.ISR[0]
	return p, nil
}

// newReplicaDir is where a new replica goes: cordoned directories take none.
func newReplicaDir(b *metaimage.Broker) kafka.UUID {
	var open []kafka.UUID
	for _, d := range b.LogDirs {
		if !allIn([]kafka.UUID{d}, b.CordonedLogDirs) {
			open = append(open, d)
		}
	}
	return defaultDir(open)
}
