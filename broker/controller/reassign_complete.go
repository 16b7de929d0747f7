package controller

import (
	"slices"
	"time"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
	"github.com/moldau/moldau/internal/guard"
	"github.com/moldau/moldau/internal/invariant"
)

// reassignCheckInterval passes between two looks at reassignments that wait for
// something else than a change of their own partition, as a lower
// min.insync.replicas.
const reassignCheckInterval = 30 * time.Second

// reassignChangesMax bounds the reassignments that one such look ends.
const reassignChangesMax = 1000

// withCompletions adds to a batch what ends the reassignments whose partitions
// it changes, if they can end by it.
func (m *Machine) withCompletions(records []metarecord.Record) []metarecord.Record {
	touched := m.reassignedBy(records)
	if len(touched) == 0 {
		return records
	}
	img := m.applied(m.img, records)
	for _, id := range touched {
		more := m.newTurnOn(img).complete(id)
		if len(more) == 0 {
			continue
		}
		img = m.applied(img, more)
		records = append(records, more...)
	}
	return records
}

func (m *Machine) applied(img *metaimage.Image, records []metarecord.Record) *metaimage.Image {
	next, _, err := img.Apply(records, img.Offset()+1, m.epoch)
	invariant.Check(err == nil, "own records: %v", err)
	return next
}

// reassignedBy are the partitions that records change and that are reassigned,
// before or by them.
func (m *Machine) reassignedBy(records []metarecord.Record) []kafka.TopicPartition {
	var touched []kafka.TopicPartition
	for _, r := range records {
		c, ok := r.(*metarecord.PartitionChange)
		if !ok {
			continue
		}
		id := kafka.TopicPartition{Topic: kafka.UUID(c.TopicID), Partition: c.PartitionID}
		p := m.img.Partition(id)
		begins := len(c.AddingReplicas)+len(c.RemovingReplicas) > 0
		if begins || p != nil && p.Reassigned() {
			touched = append(touched, id)
		}
	}
	return touched
}

// complete ends a partition's reassignment if that loses nothing (C3): all new
// replicas are in ISR, min.insync.replicas of those that stay are, none of them
// under a mark, and one of them leads or can be elected. Until then the old
// replicas stay, and no change is made.
//
// A min.insync.replicas that the controller derived follows the number of
// replicas in the same batch. It sinks only where it may: not while another
// partition has fewer in-sync replicas than that.
func (x *turn) complete(id kafka.TopicPartition) []metarecord.Record {
	topic, p := x.img.Topic(id.Topic), x.img.Partition(id)
	if p == nil || !p.Reassigned() || p.Leader == metaimage.NoLeader {
		return nil
	}
	stay := minus(p.Replicas, p.Removing)
	minInsync, consequences, ok := x.followCount(topic, p, len(stay))
	if !ok {
		return nil
	}
	whole := func(b int32) bool { _, marked := p.DoubtOf(b); return !marked }
	held := 0
	for _, b := range stay {
		if p.InISR(b) && whole(b) {
			held++
		} else if slices.Contains(p.Adding, b) && !x.m.cfg.Out.Out(guard.C3Reassign) {
			return nil
		}
	}
	if held < min(minInsync, len(stay)) && !x.m.cfg.Out.Out(guard.C3Reassign) || len(common(p.ISR, stay)) == 0 {
		return nil
	}
	c := x.newChange(topic, p)
	c.policy.minInsync = minInsync
	c.keepOnly(stay)
	if !slices.Contains(stay, c.leader) {
		if _, ok := c.candidate(c.isr); !ok {
			return nil
		}
	}
	c.settle()
	x.records = append(x.records, consequences...)
	x.keep(c)
	return x.records
}

// keepOnly drops all replicas but those that stay, and ends the reassignment.
func (c *change) keepOnly(stay []int32) {
	dirs := make([]kafka.UUID, len(stay))
	for i, b := range stay {
		dirs[i] = c.dirOf(b)
	}
	c.replicas, c.dirs, c.adding, c.removing = stay, dirs, nil, nil
	c.isr, c.elr, c.lastKnown = common(c.isr, stay), common(c.elr, stay), common(c.lastKnown, stay)
}

// followCount is the topic's min.insync.replicas once a partition has another
// number of replicas, with the records that make it so. It is false where the
// value would have to sink and may not.
func (x *turn) followCount(topic *metaimage.Topic, changed *metaimage.Partition, factor int) (minInsync int, records []metarecord.Record, ok bool) {
	r := metaimage.Resource{Type: metaimage.ResourceTopic, Name: topic.Name}
	set := x.m.cfg.Configs.TopicPolicy(topicSettings(x.img, topic.Name)).MinInsync
	if v, written := x.img.Config(r, configMinInsync); written && !v.Derived || !written && set > 0 {
		return set, nil, true
	}
	least := factor
	for _, p := range topic.Partitions() {
		if p != changed {
			least = min(least, p.Factor())
		}
	}
	minInsync = majority(least)
	if minInsync == set {
		return minInsync, nil, true
	}
	records = append(records, topicConfig(topic.Name, Setting{configMinInsync, itoa(int32(minInsync))}, true))
	sinks := false
	for _, p := range topic.Partitions() {
		if minInsync < orMajority(set, p) {
			sinks = true
			if p != changed && len(p.ISR) < minInsync {
				return 0, nil, false
			}
		}
	}
	if sinks {
		records = append(records, &metarecord.ClearELR{TopicName: topic.Name})
	}
	return minInsync, records, true
}

// completeWaiting looks at all reassignments when it is time; each that can end
// is a batch.
func (m *Machine) completeWaiting(t Times) (decisions [][]metarecord.Record) {
	if t.Mono < m.nextReassign {
		return nil
	}
	m.nextReassign = t.Mono.Add(reassignCheckInterval)
	var waiting []kafka.TopicPartition
	for _, topic := range m.img.Topics() {
		for id, p := range topic.Partitions() {
			if p.Reassigned() && len(waiting) < reassignChangesMax {
				waiting = append(waiting, kafka.TopicPartition{Topic: topic.ID, Partition: id})
			}
		}
	}
	for _, id := range waiting {
		if records := m.newTurn().complete(id); len(records) > 0 {
			decisions = append(decisions, m.commit(records))
		}
	}
	return decisions
}
