package api

import (
	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
)

// preferredReplica is the broker of the consumer's rack from which it is better
// to read than from this leader, if there is one (KIP-392). An in-sync replica
// has every offset below the leader's high watermark, so that no position needs
// to be looked at; of several in the rack, partitions are spread over all.
func (h *Handler) preferredReplica(img *metaimage.Image, p *fetchPartition, r *fetchRequest, listener string) (int32, bool) {
	if h.cfg.Settings.ReplicaSelector != config.RackAwareSelector || len(r.rack) == 0 || p.topic == nil {
		return -1, false
	}
	part := img.Partition(kafka.TopicPartition{Topic: p.topic.ID, Partition: p.index})
	if part == nil || part.Leader != h.cfg.NodeID {
		return -1, false
	}
	var near []int32
	for _, id := range part.ISR {
		b := img.Broker(id)
		if !b.Available() || b.Rack == nil || *b.Rack != string(r.rack) {
			continue
		}
		if _, reached := b.EndPoint(listener); !reached {
			continue
		}
		if id == part.Leader {
			return -1, false
		}
		near = append(near, id)
	}
	if len(near) == 0 {
		return -1, false
	}
	return near[int(uint32(p.index))%len(near)], true
}
