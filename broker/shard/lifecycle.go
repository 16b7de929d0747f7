package shard

import (
	"slices"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/replica"
)

// open gives a replica to its shard.
type open struct {
	h    *Handle
	role replica.Role
}

func (m *open) on(s *Shard) {
	s.replicas = append(s.replicas, m.h)
	m.h.follower.leader = noLeader
	s.list(m.h)
	s.byKey[m.h.key] = m.h
	m.h.machine.Apply(s.now, m.role, &s.ready)
	s.carryOut(m.h)
	s.roleChanged(m.h)
}

// roles gives a replica its role in a newer image.
type roles struct {
	h    *Handle
	role replica.Role
}

func (m *roles) on(s *Shard) {
	if m.h.closed {
		return
	}
	s.list(m.h)
	m.h.machine.Apply(s.now, m.role, &s.ready)
	s.carryOut(m.h)
	m.h.askAgain()
	s.roleChanged(m.h)
}

// roleChanged begins or ends the coordinator of an internal partition.
func (s *Shard) roleChanged(h *Handle) {
	if h.coord == nil {
		return
	}
	if !slices.Contains(s.coords, h) {
		s.coords = append(s.coords, h)
	}
	h.coord.role(s, h)
}

// configure gives a replica its topic's changed configuration.
type configure struct {
	h   *Handle
	cfg replica.Config
}

func (m *configure) on(*Shard) {
	if !m.h.closed {
		m.h.machine.SetConfig(m.cfg)
	}
}

// closeReplica takes a replica from its shard. Requests that wait for it get
// NOT_LEADER_OR_FOLLOWER.
type closeReplica struct {
	h    *Handle
	done chan<- *Handle
}

func (m *closeReplica) on(s *Shard) {
	h := m.h
	if !h.closed {
		h.closed = true
		delete(s.byKey, h.key)
		if h.coord != nil {
			h.coord.unload(s, h)
		}
		s.failWaiting(h)
		for _, w := range h.watchers {
			w.wait.woken.Store(true)
			w.wait.signal()
		}
		h.watchers = nil
		h.moved()
		h.followers = nil
		s.unfollow(h)
		s.replicas = slices.DeleteFunc(s.replicas, func(x *Handle) bool { return x == h })
		s.coords = slices.DeleteFunc(s.coords, func(x *Handle) bool { return x == h })
		s.sweep = 0
	}
	if m.done != nil {
		m.done <- h
	}
}

// failWaiting answers what waits for acks of h.
func (s *Shard) failWaiting(h *Handle) {
	for i := range s.tokens.refs {
		w := s.tokens.refs[i]
		switch {
		case w.produce != nil && w.produce.Parts[w.part].Handle == h,
			w.query != nil && w.query.Handle == h:
			token := uint64(s.tokens.gen[i])<<32 | uint64(i)
			s.ack(replica.Ack{Token: token, Code: kafka.ErrNotLeaderOrFollower, BaseOffset: -1, LastOffset: -1, LogAppendTime: -1})
		}
	}
}
