package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/server"
)

// endpointTypeBroker is the endpoint type that a broker's listener answers for
// (v1, KIP-919); controllers answer for theirs on their own listener.
const endpointTypeBroker = 1

// describeCluster answers key 60; v2 tells of fenced brokers (KIP-1073).
func (h *Handler) describeCluster(req *server.Request, r *kmsg.DescribeClusterRequest) kmsg.Response {
	resp := kmsg.NewPtrDescribeClusterResponse()
	resp.ClusterAuthorizedOperations = asked(r.IncludeClusterAuthorizedOperations, operationsCluster)
	if r.Version >= 1 && r.EndpointType != endpointTypeBroker {
		resp.ErrorCode = int16(kafka.ErrMismatchedEndpointType)
		resp.ClusterAuthorizedOperations = operationsUnknown
		resp.ErrorMessage = ptr("this is a broker's listener: it answers for brokers only")
		return resp
	}
	img := h.cfg.Manager.Image()
	resp.EndpointType = endpointTypeBroker
	resp.ClusterID = h.cfg.ClusterID
	resp.ControllerID = h.someController(img)
	for id, b := range img.Brokers() {
		e, ok := endpointOf(b, req.Conn.Listener.Name)
		if !ok || b.Fenced && !(r.Version >= 2 && r.IncludeFencedBrokers) {
			continue
		}
		out := kmsg.NewDescribeClusterResponseBroker()
		out.NodeID, out.Host, out.Port, out.Rack, out.IsFenced = id, e.host, e.port, b.Rack, b.Fenced
		resp.Brokers = append(resp.Brokers, out)
	}
	return resp
}
