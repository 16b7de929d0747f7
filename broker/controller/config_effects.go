package controller

import (
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
	"github.com/moldau/moldau/internal/guard"
)

// configConsequences checks what a resource's settings will be, and adds what
// must be decided in the same batch:
//
//   - A lower min.insync.replicas is refused while a partition has fewer in-sync
//     replicas than the new value, and comes with a ClearELR record: the high
//     watermark moves again under fewer members than the eligible leaders were
//     chosen by (C3).
//   - Unclean elections that become allowed are held.
func (x *turn) configConsequences(r metaimage.Resource, after namedSettings) ([]metarecord.Record, *refusal) {
	var records []metarecord.Record
	switch {
	case r.Type == metaimage.ResourceTopic:
		next := topicSettings(x.img, r.Name)
		next.Topic = after
		if x.wantsDerived(r) {
			next.Derived = namedSettings{{configMinInsync, itoa(int32(majority(x.replicasOf(r.Name))))}}
			next.Derived = overlay{next.Derived, topicSettings(x.img, r.Name).Derived}
		}
		if err := x.m.cfg.Configs.ValidateTopicSet(next); err != nil {
			return nil, refusalOf(err)
		}
		return x.topicConsequences(x.img.TopicByName(r.Name), next)
	case r.Name == "":
		for name, topic := range x.img.Topics() {
			next := topicSettings(x.img, name)
			next.DefaultBroker = after
			more, refused := x.topicConsequences(topic, next)
			if refused != nil {
				return nil, refused
			}
			records = append(records, more...)
		}
	}
	return records, nil
}

// overlay is two layers, the first one stronger.
type overlay [2]Settings

func (o overlay) Get(name string) (string, bool) {
	if v, ok := o[0].Get(name); ok {
		return v, true
	}
	return o[1].Get(name)
}

func (x *turn) topicConsequences(topic *metaimage.Topic, next TopicSettings) ([]metarecord.Record, *refusal) {
	before := x.m.cfg.Configs.TopicPolicy(topicSettings(x.img, topic.Name))
	after := x.m.cfg.Configs.TopicPolicy(next)
	var records []metarecord.Record
	lower := false
	for id, p := range topic.Partitions() {
		was, is := orMajority(before.MinInsync, p), orMajority(after.MinInsync, p)
		if is >= was {
			continue
		}
		lower = true
		if len(p.ISR) < is && !x.m.cfg.Out.Out(guard.C3Short) {
			return nil, refusef(kafka.ErrInvalidConfig, "min.insync.replicas of topic %s cannot become %d while partition %d has %d in-sync replica(s).", topic.Name, is, id, len(p.ISR))
		}
	}
	if lower && !x.m.cfg.Out.Out(guard.C3Lower) {
		records = append(records, &metarecord.ClearELR{TopicName: topic.Name})
	}
	if !after.Unclean || before.Unclean {
		return records, nil
	}
	for _, p := range topic.Partitions() {
		if p.Leader != metaimage.NoLeader {
			continue
		}
		c := x.newChange(topic, p)
		c.policy = policy{minInsync: orMajority(after.MinInsync, p), unclean: true, durability: after.Durability}
		c.settle()
		if r := c.record(false); r != nil {
			records = append(records, r)
		}
	}
	return records, nil
}

func orMajority(minInsync int, p *metaimage.Partition) int {
	if minInsync > 0 {
		return minInsync
	}
	return majority(p.Factor())
}
