package server

import (
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Stats counts what a server did. All fields only grow, but Connections.
type Stats struct {
	Connections    int64
	Accepted       uint64
	BytesIn        uint64
	BytesOut       uint64
	Refused        uint64 // connections closed for a malformed or unserved request
	OverHost       uint64 // connections closed for the limit of their address
	BlockedNanos   uint64 // time that listeners waited for a connection to end
	ThrottledNanos uint64 // nanoseconds that they waited for the rates of new connections
	Evicted        uint64
	BudgetUsed     int64
	Requests       [kmsg.MaxKey + 1]uint64 // by API key
	RequestNanos   [kmsg.MaxKey + 1]uint64 // time on the connection's goroutine
	RequestsBytes  [kmsg.MaxKey + 1]uint64
}

type counters struct {
	connections atomic.Int64
	accepted    atomic.Uint64
	refused     atomic.Uint64
	overHost    atomic.Uint64
	blocked     atomic.Uint64 // nanoseconds
	throttled   atomic.Uint64 // nanoseconds
	bytesIn     atomic.Uint64
	bytesOut    atomic.Uint64
	byKey       [kmsg.MaxKey + 1]struct{ requests, nanos, bytes atomic.Uint64 }
}

func (s *counters) request(key, _ int16, bytes int, took time.Duration) {
	k := &s.byKey[key]
	k.requests.Add(1)
	k.nanos.Add(uint64(took))
	k.bytes.Add(uint64(bytes))
}

// Stats is a snapshot of the server's counters.
func (s *Server) Stats() Stats {
	st := Stats{
		Connections: s.stats.connections.Load(),
		Accepted:    s.stats.accepted.Load(),
		Refused:     s.stats.refused.Load(),
		OverHost:    s.stats.overHost.Load(), BlockedNanos: s.stats.blocked.Load(), ThrottledNanos: s.stats.throttled.Load(),
		BytesIn:    s.stats.bytesIn.Load(),
		BytesOut:   s.stats.bytesOut.Load(),
		Evicted:    s.budget.Evicted(),
		BudgetUsed: s.budget.Used(),
	}
	for i := range s.stats.byKey {
		k := &s.stats.byKey[i]
		st.Requests[i], st.RequestNanos[i], st.RequestsBytes[i] = k.requests.Load(), k.nanos.Load(), k.bytes.Load()
	}
	return st
}
