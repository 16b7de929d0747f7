package controller

import (
	"cmp"
	"slices"

	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
)

// raiseChangesMax bounds the partitions that get more replicas by one check; the
// rest waits for the next one.
const raiseChangesMax = 1000

// raiseInternal begins reassignments that give the partitions of internal topics
// as many replicas as a new topic gets, once there are brokers for them.
func (m *Machine) raiseInternal() []metarecord.Record {
	x := m.newTurn()
	for _, name := range m.cfg.RaisedTopics {
		if topic := m.img.TopicByName(name); topic != nil {
			x.raise(topic)
		}
	}
	return x.records
}

func (x *turn) raise(topic *metaimage.Topic) {
	brokers, _ := usableBrokers(x.img)
	want := min(int(x.m.defaultReplicationFactor()), len(brokers))
	short := func(p *metaimage.Partition) bool {
		return len(p.Replicas) < want && !p.Reassigned() && p.Leader != metaimage.NoLeader
	}
	var replicas, firsts map[int32]int
	for _, p := range topic.Partitions() {
		if !short(p) || len(x.records) >= raiseChangesMax {
			continue
		}
		if replicas == nil {
			replicas, firsts = tallyReplicas(topic)
		}
		target := widen(p.Replicas, brokers, want, replicas)
		firsts[p.Replicas[0]]--
		first := leastOf(target, firsts)
		firsts[target[first]]++
		target[0], target[first] = target[first], target[0]
		c := x.newChange(topic, p)
		c.retarget(x.img, target)
		x.keep(c)
	}
}

// tallyReplicas counts a topic's replicas and preferred leaders by broker.
func tallyReplicas(topic *metaimage.Topic) (replicas, firsts map[int32]int) {
	replicas, firsts = make(map[int32]int), make(map[int32]int)
	for _, p := range topic.Partitions() {
		firsts[p.Replicas[0]]++
		for _, b := range p.Replicas {
			replicas[b]++
		}
	}
	return replicas, firsts
}

// widen adds brokers until there are want: of other racks first, then those
// with the fewest replicas, by load, which it keeps.
func widen(replicas []int32, brokers []*metaimage.Broker, want int, load map[int32]int) []int32 {
	target := slices.Clone(replicas)
	racks := make(map[string]bool)
	var open []*metaimage.Broker
	for _, b := range brokers {
		if slices.Contains(replicas, b.BrokerID) {
			racks[rackOf(b)] = true
		} else {
			open = append(open, b)
		}
	}
	for len(target) < want && len(open) > 0 {
		next := slices.MinFunc(open, func(a, b *metaimage.Broker) int {
			return cmp.Or(compareBool(racks[rackOf(a)], racks[rackOf(b)]), cmp.Compare(load[a.BrokerID], load[b.BrokerID]), cmp.Compare(a.BrokerID, b.BrokerID))
		})
		open = slices.DeleteFunc(open, func(b *metaimage.Broker) bool { return b == next })
		target = append(target, next.BrokerID)
		racks[rackOf(next)] = true
		load[next.BrokerID]++
	}
	return target
}

// compareBool orders false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// leastOf is the index of the broker with the smallest count, the first of equals.
func leastOf(brokers []int32, count map[int32]int) int {
	least := 0
	for i, b := range brokers {
		if count[b] < count[brokers[least]] {
			least = i
		}
	}
	return least
}
