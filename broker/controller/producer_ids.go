package controller

import (
	"math"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metarecord"
)

// producerIDBlock is how many producer ids a broker gets at a time (KIP-730).
const producerIDBlock = 1000

// allocateProducerIDs gives a block of producer ids that nobody gets again.
func (m *Machine) allocateProducerIDs(req *kmsg.AllocateProducerIDsRequest) ([]metarecord.Record, kmsg.Response) {
	b := m.img.Broker(req.BrokerID)
	if b == nil || b.BrokerEpoch != req.BrokerEpoch {
		return nil, ErrorReply(req, kafka.ErrStaleBrokerEpoch, "")
	}
	first := m.img.NextProducerID()
	if first > math.MaxInt64-producerIDBlock {
		return nil, ErrorReply(req, kafka.ErrUnknownServerError, "")
	}
	reply := kmsg.NewPtrAllocateProducerIDsResponse()
	reply.ProducerIDStart, reply.ProducerIDLen = first, producerIDBlock
	r := &metarecord.ProducerIDs{BrokerID: req.BrokerID, BrokerEpoch: req.BrokerEpoch, NextProducerID: first + producerIDBlock}
	return []metarecord.Record{r}, reply
}
