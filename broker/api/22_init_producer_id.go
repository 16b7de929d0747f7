package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
)

// initProducerID answers key 22: a fresh producer id with epoch 0 (KIP-98), or
// the next epoch of the one that the producer had (v3, KIP-360): a new id
// serves as well, as its old sequence numbers mean nothing under it.
// Transactional ids are refused until transactions are served.
func (h *Handler) initProducerID(r *kmsg.InitProducerIDRequest) kmsg.Response {
	resp := kmsg.NewPtrInitProducerIDResponse()
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	if r.TransactionalID != nil {
		resp.ErrorCode = int16(kafka.ErrTransactionalIDAuthorizationFailed)
		if *r.TransactionalID == "" {
			resp.ErrorCode = int16(kafka.ErrInvalidRequest)
		}
		return resp
	}
	id, err := h.cfg.Controllers.NextProducerID()
	if err != nil {
		resp.ErrorCode = int16(kafka.ErrCoordinatorLoadInProgress)
		return resp
	}
	resp.ProducerID, resp.ProducerEpoch = id, 0
	return resp
}
