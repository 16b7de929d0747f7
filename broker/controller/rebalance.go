package controller

import (
	"slices"

	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
)

// rebalanceChangesMax bounds the leaderships moved by one check; the rest waits
// for the next one.
const rebalanceChangesMax = 1000

// rebalance moves leaderships back to preferred replicas when it is time.
func (m *Machine) rebalance(t Times) []metarecord.Record {
	if m.cfg.RebalanceInterval <= 0 || t.Mono < m.nextRebalance {
		return nil
	}
	m.nextRebalance = t.Mono.Add(m.cfg.RebalanceInterval)
	x := m.newTurn()
	for _, topic := range m.img.Topics() {
		for _, p := range topic.Partitions() {
			if len(x.records) >= rebalanceChangesMax {
				return x.records
			}
			if p.Leader == p.Replicas[0] || m.stalledReplica(p, p.Replicas[0]) {
				continue
			}
			c := x.newChange(topic, p)
			if c.electPreferred() {
				x.records = append(x.records, c.record(false))
			}
		}
	}
	return x.records
}

// stalledReplica reports that the directory of a replica does not answer.
func (m *Machine) stalledReplica(p *metaimage.Partition, broker int32) bool {
	i, ok := m.sessions.find(broker)
	return ok && slices.Contains(m.sessions.list[i].stalled, p.DirectoryOf(broker))
}
