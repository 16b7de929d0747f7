package shard

import (
	"slices"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/internal/life"
)

// moved reports that the metadata no longer has an open replica where it lies:
// its directory is given up, as this broker's registration shows, and an
// election has named another one, or none yet. What the directory holds is then
// left to the election: from here on the replica is one that begins anew.
func (m *Manager) moved(img *metaimage.Image, h *Handle, p *metaimage.Partition) bool {
	me := img.Broker(m.cfg.NodeID)
	if me == nil || slices.ContainsFunc(me.LogDirs, func(id kafka.UUID) bool { return m.cfg.Directory(id) == h.dir }) {
		return false
	}
	assigned := p.DirectoryOf(m.cfg.NodeID)
	return assigned == kafka.DirUnassigned || slices.Contains(me.LogDirs, assigned)
}

// abandonMoved closes replicas that the metadata has moved. Their folders stay
// as they are: what is in them is a copy that nobody leads.
func (m *Manager) abandonMoved(ids []kafka.TopicPartition) {
	for _, h := range m.closeHandles(ids) {
		m.cfg.Events.Emit(LostLogBegunAnew{Dir: h.dir.Path(), Topic: h.Topic, Partition: h.ID.Partition})
	}
}

// closeHandles takes the replicas among ids that are open here from their
// shards, and returns them in the order in which the shards let go.
func (m *Manager) closeHandles(ids []kafka.TopicPartition) (closed []*Handle) {
	done := make(chan *Handle, len(ids))
	waiting := 0
	for _, id := range ids {
		h := m.Find(id)
		if h == nil {
			continue
		}
		m.mu.Lock()
		delete(m.handles, id)
		m.mu.Unlock()
		m.loads[h.shard.index]--
		if h.shard.in.Put(&closeReplica{h: h, done: done}) {
			waiting++
		}
	}
	for range waiting {
		closed = append(closed, life.Receive(m.cfg.Life, done))
	}
	return closed
}
