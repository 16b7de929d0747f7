package api

import (
	"sync"
	"sync/atomic"

	"github.com/moldau/moldau/broker/kafka"
)

// topicsCountedMax bounds the topics that are counted by name; the rest share
// one entry, so that clients cannot grow the metrics without end.
const topicsCountedMax = 10_000

// TopicStats counts what went through one topic.
type TopicStats struct {
	MessagesIn, BytesIn, BytesOut atomic.Uint64
	ProduceRequests, Fetches      atomic.Uint64
}

// Stats counts what the API did. All counters only grow.
type Stats struct {
	BytesRejected atomic.Uint64
	FailedProduce atomic.Uint64
	FailedFetch   atomic.Uint64
	// ReplicationBytesOut is what followers were sent of records.
	ReplicationBytesOut atomic.Uint64
	mu                  sync.RWMutex
	topics              map[string]*TopicStats
	other               TopicStats
}

// topic is the entry of a topic.
func (s *Stats) topic(name string) *TopicStats {
	s.mu.RLock()
	t := s.topics[name]
	s.mu.RUnlock()
	if t != nil {
		return t
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t = s.topics[name]; t != nil {
		return t
	}
	if len(s.topics) >= topicsCountedMax {
		return &s.other
	}
	if s.topics == nil {
		s.topics = make(map[string]*TopicStats)
	}
	t = &TopicStats{}
	s.topics[name] = t
	return t
}

func (s *Stats) produced(topic string, bytes, records int) {
	t := s.topic(topic)
	t.MessagesIn.Add(uint64(records))
	t.BytesIn.Add(uint64(bytes))
	t.ProduceRequests.Add(1)
}

func (s *Stats) rejected(bytes int) { s.BytesRejected.Add(uint64(bytes)) }

func (s *Stats) fetchDone(parts []fetchPartition) {
	for i := range parts {
		p := &parts[i]
		if p.code != kafka.ErrNone {
			s.FailedFetch.Add(1)
		}
		if p.topic == nil {
			continue
		}
		t := s.topic(p.topic.Name)
		t.Fetches.Add(1)
		if p.extent != nil {
			t.BytesOut.Add(uint64(p.extent.Len))
		}
	}
}

func (s *Stats) followerFetchDone(parts []fetchPartition) {
	for i := range parts {
		if x := parts[i].extent; x != nil {
			s.ReplicationBytesOut.Add(uint64(x.Len))
		}
	}
}

func (s *Stats) produceDone(parts []producePart) {
	for i := range parts {
		if parts[i].code != kafka.ErrNone {
			s.FailedProduce.Add(1)
		}
	}
}

// Topics calls visit for every counted topic, in no order.
func (s *Stats) Topics(visit func(name string, t *TopicStats)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for name, t := range s.topics { //det:ok metrics are sorted where they are shown
		visit(name, t)
	}
}

// Stats are the handler's counters.
func (h *Handler) Stats() *Stats { return &h.stats }

// FetchSessions is the number of incremental fetch sessions.
func (h *Handler) FetchSessions() int { return h.sessions.len() }
