package shard

import (
	"cmp"
	"slices"

	"github.com/moldau/moldau/broker/kafka"
)

// Replicas that there was no space to make stay noted, and are tried again
// until there is: no newer image may come that would ask for them. There are at
// most as many as the image has partitions.

// MakeAgain tries to make the replicas of the last image that there was no
// space for. It is for Apply's goroutine.
func (m *Manager) MakeAgain() {
	img := m.image.Load()
	var ids []kafka.TopicPartition
	for id := range m.unmade { //det:ok sorted below
		if p := img.Partition(id); p == nil || !p.HasReplica(m.cfg.NodeID) || m.Find(id) != nil {
			delete(m.unmade, id)
			continue
		}
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return
	}
	slices.SortFunc(ids, func(a, b kafka.TopicPartition) int {
		return cmp.Or(slices.Compare(a.Topic[:], b.Topic[:]), cmp.Compare(a.Partition, b.Partition))
	})
	clear(m.topics)
	m.openAll(img, ids)
}

// Unmade reports whether there are replicas for MakeAgain. It is for Apply's
// goroutine.
func (m *Manager) Unmade() bool { return len(m.unmade) > 0 }

// notMade notes that a replica could not be made for want of space, and tells
// of it the first time.
func (m *Manager) notMade(topic string, id kafka.TopicPartition, err error) {
	if !m.unmade[id] {
		m.unmade[id] = true
		m.cfg.Events.Emit(ReplicaNotOpened{Topic: topic, ID: id, Err: err})
	}
}

// made tells that a replica was made that had waited for space.
func (m *Manager) made(topic string, id kafka.TopicPartition) {
	if m.unmade[id] {
		delete(m.unmade, id)
		m.cfg.Events.Emit(ReplicaMade{Topic: topic, ID: id})
	}
}
