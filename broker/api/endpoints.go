package api

import (
	"slices"

	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/broker/metaimage"
)

// endpoint is where clients of one listener reach a broker.
type endpoint struct {
	node int32
	host string
	port int32
	rack string
}

// endpointOf is a broker's address on the listener that the client came by.
func endpointOf(b *metaimage.Broker, listener string) (endpoint, bool) {
	e, ok := b.EndPoint(listener)
	if !ok {
		return endpoint{}, false
	}
	out := endpoint{node: b.BrokerID, host: e.Host, port: int32(e.Port)}
	if b.Rack != nil {
		out.rack = *b.Rack
	}
	return out, true
}

// leaderEndpoints are the addresses of the partitions' leaders on the client's
// listener, each once.
func (h *Handler) leaderEndpoints(img *metaimage.Image, parts []*metaimage.Partition, listener string) []endpoint {
	var out []endpoint
	for _, p := range parts {
		if slices.ContainsFunc(out, func(e endpoint) bool { return e.node == p.Leader }) {
			continue
		}
		if b := img.Broker(p.Leader); b != nil {
			if e, ok := endpointOf(b, listener); ok {
				out = append(out, e)
			}
		}
	}
	return out
}

// own wraps memory that the broker made itself.
func own(b []byte) buffer.Slice { return buffer.Own(b) }
