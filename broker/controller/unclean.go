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
	joined := make(map[kafka.TopicPartition][]int32) // ISR as records before made it
	for _, r := range records {
		c, ok := r.(*metarecord.PartitionChange)
		if !ok {
			continue
		}
		id := kafka.TopicPartition{Topic: kafka.UUID(c.TopicID), Partition: c.PartitionID}
		p := img.Partition(id)
		clean := c.Leader < 0 || p == nil || p.InISR(c.Leader) || p.InELR(c.Leader) || slices.Contains(joined[id], c.Leader)
		if c.ISR != nil {
			joined[id] = c.ISR
		}
		if clean {
			continue
		}
		out = append(out, UncleanElection{Topic: img.Topic(kafka.UUID(c.TopicID)).Name, Partition: c.PartitionID, Leader: c.Leader})
	}
	return out
}
