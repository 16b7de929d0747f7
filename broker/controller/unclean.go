package controller

import (
	"slices"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
)

// UncleanElection is a leader that was neither in sync nor eligible (C1): its
// log may lack committed records.
type UncleanElection struct {
	Topic     string
	Partition int32
	Leader    int32
}

// UncleanElections finds those that records decide upon img.
func UncleanElections(img *metaimage.Image, records []metarecord.Record) []UncleanElection {
	var out []UncleanElection
	for _, r := range records {
		c, ok := r.(*metarecord.PartitionChange)
		if !ok || c.Leader < 0 {
			continue
		}
		p := img.Partition(kafka.TopicPartition{Topic: kafka.UUID(c.TopicID), Partition: c.PartitionID})
		if p == nil || p.InISR(c.Leader) || slices.Contains(p.ELR, c.Leader) {
			continue
		}
		out = append(out, UncleanElection{Topic: img.Topic(kafka.UUID(c.TopicID)).Name, Partition: c.PartitionID, Leader: c.Leader})
	}
	return out
}
