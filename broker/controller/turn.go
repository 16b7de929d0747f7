package controller

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
)

// The names of the settings that the machine itself reads and writes.
const (
	configMinInsync = "min.insync.replicas"
	configUnclean   = "unclean.leader.election.enable"
)

// turn is one decision under way: the image it rests on, and who is live once
// it is made.
type turn struct {
	m       *Machine
	img     *metaimage.Image
	records []metarecord.Record

	// changed brokers override the image's: true is live.
	changedID   int32
	changedLive bool
	hasChanged  bool
	// onlineDirs are those of changedID once the decision is made, if hasDirs.
	onlineDirs []kafka.UUID
	hasDirs    bool
	// newEnds are the ends that a registration under way brings.
	newEnds []metarecord.PartitionEnd
}

func (m *Machine) newTurn() *turn { return m.newTurnOn(m.img) }

// newTurnOn is a decision that rests on another image than the machine's: on
// what a decision under way makes of it.
func (m *Machine) newTurnOn(img *metaimage.Image) *turn {
	if m.policyImage == nil || !img.SameConfigs(m.policyImage) {
		m.policies = make(map[kafka.UUID]policy)
	}
	m.policyImage = img
	return &turn{m: m, img: img}
}

// setLive says that the decision makes the broker live, or not.
func (x *turn) setLive(broker int32, live bool) {
	x.changedID, x.changedLive, x.hasChanged = broker, live, true
}

func (x *turn) live(broker int32) bool {
	if x.hasChanged && broker == x.changedID {
		return x.changedLive
	}
	return x.img.Broker(broker).Available()
}

// setDirs says which directories a broker has once the decision is made.
func (x *turn) setDirs(broker int32, online []kafka.UUID) {
	x.changedID, x.onlineDirs, x.hasDirs = broker, online, true
}

// dirsOf are the directories that a broker has, and whether it is known at all.
func (x *turn) dirsOf(broker int32) (online []kafka.UUID, known bool) {
	if x.hasDirs && broker == x.changedID {
		return x.onlineDirs, true
	}
	b := x.img.Broker(broker)
	if b == nil {
		return nil, false
	}
	return b.LogDirs, true
}

func (x *turn) endOf(broker int32, topic kafka.UUID, partition int32) (metarecord.PartitionEnd, bool) {
	var ends []metarecord.PartitionEnd
	if b := x.img.Broker(broker); b != nil {
		ends = b.ReplicaEnds
	}
	if x.hasChanged && broker == x.changedID && x.newEnds != nil {
		ends = x.newEnds
	}
	i, ok := slices.BinarySearchFunc(ends, metarecord.PartitionEnd{TopicID: topic, PartitionID: partition}, comparePartitions)
	if !ok {
		return metarecord.PartitionEnd{}, false
	}
	return ends[i], true
}

// comparePartitions orders entries by the partition they are about.
func comparePartitions(a, b metarecord.PartitionEnd) int {
	return cmp.Or(bytes.Compare(a.TopicID[:], b.TopicID[:]), cmp.Compare(a.PartitionID, b.PartitionID))
}

// policyOf resolves the settings of a partition's topic.
func (x *turn) policyOf(t *metaimage.Topic, p *metaimage.Partition) policy {
	pol, ok := x.m.policies[t.ID]
	if !ok {
		r := x.m.cfg.Configs.TopicPolicy(topicSettings(x.img, t.Name))
		pol = policy{minInsync: r.MinInsync, unclean: r.Unclean, durability: r.Durability}
		x.m.policies[t.ID] = pol
	}
	if pol.minInsync == 0 {
		pol.minInsync = majority(p.Factor())
	}
	return pol
}

// majority is more than half.
func majority(n int) int { return n/2 + 1 }

// settle finishes a change and keeps its record, if there is one.
func (x *turn) settle(c *change) {
	c.settle()
	x.keep(c)
}

// keep keeps the record of a change that is settled, if there is one.
func (x *turn) keep(c *change) {
	if r := c.record(false); r != nil {
		x.records = append(x.records, r)
	}
}

// eachPartition visits all partitions that have a replica on the broker.
func (x *turn) eachPartition(broker int32, visit func(*metaimage.Topic, *metaimage.Partition)) {
	for _, t := range x.img.Topics() {
		for _, p := range t.Partitions() {
			if slices.Contains(p.Replicas, broker) {
				visit(t, p)
			}
		}
	}
}

// withdraw takes a broker that is live no more out of all its roles.
func (x *turn) withdraw(broker int32) {
	x.eachPartition(broker, func(t *metaimage.Topic, p *metaimage.Partition) {
		if p.Leader != broker && !p.InISR(broker) {
			return
		}
		c := x.newChange(t, p)
		c.leave(broker)
		x.settle(c)
	})
}

// fill elects leaders for partitions that have none and that the broker, now
// live, may help.
func (x *turn) fill(broker int32) {
	x.eachPartition(broker, func(t *metaimage.Topic, p *metaimage.Partition) {
		if p.Leader == metaimage.NoLeader {
			x.settle(x.newChange(t, p))
		}
	})
}

func topicSettings(img *metaimage.Image, topic string) TopicSettings {
	r := metaimage.Resource{Type: metaimage.ResourceTopic, Name: topic}
	return TopicSettings{
		Topic:         img.ExplicitConfigs(r),
		Derived:       img.DerivedConfigs(r),
		DefaultBroker: img.ExplicitConfigs(metaimage.Resource{Type: metaimage.ResourceBroker}),
	}
}
