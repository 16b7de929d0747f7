package controller

import (
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
)

// heartbeat keeps a broker's session and moves it between fenced, unfenced and
// controlled shutdown (KIP-631):
//
//	fenced ──caught up──► unfenced ──wants to shut down──► in controlled shutdown
//	   ▲                     │                                      │
//	   └───wants the fence───┘      all brokers know, no lead ──► may stop
//
// It also takes offline directories (KIP-858) and cordoned ones (KIP-1066).
func (m *Machine) heartbeat(t Times, req *kmsg.BrokerHeartbeatRequest) ([]metarecord.Record, kmsg.Response) {
	b := m.img.Broker(req.BrokerID)
	if b == nil || b.BrokerEpoch != req.BrokerEpoch {
		return nil, ErrorReply(req, kafka.ErrStaleBrokerEpoch, "")
	}
	stalled, err := metarecord.StalledDirs(req)
	if err != nil {
		return nil, ErrorReply(req, kafka.ErrInvalidRequest, "")
	}
	s := m.sessions.of(b.BrokerID, b.BrokerEpoch)
	if s == nil {
		m.sessions.begin(b.BrokerID, b.BrokerEpoch, t.Mono)
		s = m.sessions.of(b.BrokerID, b.BrokerEpoch)
	}
	s.heard, s.isGone, s.told = t.Mono, false, true
	s.offset = max(s.offset, req.CurrentMetadataOffset)
	s.stalled = stalled

	x := m.newTurn()
	reply := kmsg.NewPtrBrokerHeartbeatResponse()
	reply.IsCaughtUp, reply.IsFenced = req.CurrentMetadataOffset >= b.BrokerEpoch, b.Fenced
	if x.heartbeatDirs(b, s, req); len(x.records) > 0 {
		return x.records, reply // the state follows with the next heartbeat
	}
	switch {
	case req.WantFence || b.Fenced && req.WantShutdown:
		x.fence(b)
		reply.IsFenced = true
		reply.ShouldShutdown = req.WantShutdown
	case req.WantShutdown:
		reply.ShouldShutdown = x.shutDown(b, s)
	case b.Fenced:
		if reply.IsFenced = !reply.IsCaughtUp; !reply.IsFenced {
			x.unfence(b)
		}
	}
	return x.records, reply
}

// fence takes a broker out of service. It is done at most once.
func (x *turn) fence(b *metaimage.Broker) {
	if b.Fenced {
		return
	}
	x.setLive(b.BrokerID, false)
	x.records = append(x.records, &metarecord.BrokerRegistrationChange{BrokerID: b.BrokerID, BrokerEpoch: b.BrokerEpoch, Fenced: 1})
	x.withdraw(b.BrokerID)
}

func (x *turn) unfence(b *metaimage.Broker) {
	x.setLive(b.BrokerID, !b.InControlledShutdown)
	x.records = append(x.records, &metarecord.BrokerRegistrationChange{BrokerID: b.BrokerID, BrokerEpoch: b.BrokerEpoch, Fenced: -1})
	x.fill(b.BrokerID)
}

// shutDown begins a controlled shutdown, and reports whether it is at its end:
// the broker leads nothing, and every live broker has seen the records.
func (x *turn) shutDown(b *metaimage.Broker, s *session) (done bool) {
	if !b.InControlledShutdown {
		x.setLive(b.BrokerID, false)
		x.records = append(x.records, &metarecord.BrokerRegistrationChange{BrokerID: b.BrokerID, BrokerEpoch: b.BrokerEpoch, InControlledShutdown: 1})
		x.withdraw(b.BrokerID)
		s.shutdownOffset = x.img.Offset() + int64(len(x.records))
		return false
	}
	if s.shutdownOffset < 0 { // this office did not see the beginning
		s.shutdownOffset = x.img.Offset()
	}
	return s.shutdownOffset <= x.m.lowestLiveOffset()
}

// lowestLiveOffset is the metadata offset that all unfenced brokers have applied.
func (m *Machine) lowestLiveOffset() int64 {
	lowest := int64(math.MaxInt64)
	for i := range m.sessions.list {
		s := &m.sessions.list[i]
		if b := m.img.Broker(s.id); b != nil && b.BrokerEpoch == s.epoch && !b.Fenced {
			lowest = min(lowest, s.offset)
		}
	}
	return lowest
}

// heartbeatDirs takes what a heartbeat says of directories: offline ones end
// all roles of their replicas, stalled ones only their leaderships.
func (x *turn) heartbeatDirs(b *metaimage.Broker, s *session, req *kmsg.BrokerHeartbeatRequest) {
	change := &metarecord.BrokerRegistrationChange{BrokerID: b.BrokerID, BrokerEpoch: b.BrokerEpoch}
	offline := uuids(req.OfflineLogDirs)
	if overlap(b.LogDirs, offline) {
		online := slices.DeleteFunc(slices.Clone(b.LogDirs), func(d kafka.UUID) bool { return slices.Contains(offline, d) })
		change.LogDirs = online
		x.setDirs(b.BrokerID, online)
		x.loseDirs(b, offline, len(online) == 0)
	}
	if req.Version >= 2 && req.CordonedLogDirs != nil {
		if cordoned := uuids(req.CordonedLogDirs); !slices.Equal(cordoned, b.CordonedLogDirs) {
			change.CordonedLogDirs = cordoned
		}
	}
	if len(change.LogDirs) > 0 || change.CordonedLogDirs != nil {
		x.records = append(x.records, change)
	}
	if len(x.records) == 0 && len(s.stalled) > 0 && overlap(b.LogDirs, s.stalled) {
		x.relieve(b, s.stalled)
	}
}

// loseDirs strikes the replicas in directories that went offline (K2). Where no
// other replica leads, metadata still says which directory has the log.
func (x *turn) loseDirs(b *metaimage.Broker, offline []kafka.UUID, all bool) {
	x.eachPartition(b.BrokerID, func(t *metaimage.Topic, p *metaimage.Partition) {
		if !all && !slices.Contains(offline, p.DirectoryOf(b.BrokerID)) {
			return
		}
		c := x.newChange(t, p)
		c.strike(b.BrokerID)
		c.settle()
		if i := slices.Index(p.Replicas, b.BrokerID); i < len(c.dirs) && c.leader != metaimage.NoLeader {
			c.dirs = slices.Clone(c.dirs)
			c.dirs[i] = kafka.DirLost
		}
		x.keep(c)
	})
}

// relieve moves leaderships from replicas whose directory does not answer to
// other members of ISR; the replica stays in ISR (K1).
func (x *turn) relieve(b *metaimage.Broker, stalled []kafka.UUID) {
	x.eachPartition(b.BrokerID, func(t *metaimage.Topic, p *metaimage.Partition) {
		if p.Leader != b.BrokerID || !slices.Contains(stalled, p.DirectoryOf(b.BrokerID)) {
			return
		}
		c := x.newChange(t, p)
		others := slices.DeleteFunc(slices.Clone(p.ISR), func(o int32) bool { return o == b.BrokerID || x.m.stalledReplica(p, o) })
		if to, ok := c.candidate(others); ok {
			c.lead(to)
			x.records = append(x.records, c.record(false))
		}
	})
}

// Disconnected says that the connection of a broker's incarnation broke: its
// session ends after the grace time unless it is heard again.
func (m *Machine) Disconnected(t Times, broker int32, brokerEpoch int64) {
	if s := m.sessions.of(broker, brokerEpoch); s != nil && !s.isGone {
		s.gone, s.isGone = t.Mono, true
	}
}

// fenceExpired fences, one batch each, the brokers whose sessions ended.
func (m *Machine) fenceExpired(t Times) (decisions [][]metarecord.Record) {
	for i := range m.sessions.list {
		s := &m.sessions.list[i]
		if t.Mono < s.deadline(&m.cfg) || !m.expires(s) {
			continue
		}
		x := m.newTurn()
		x.fence(m.img.Broker(s.id))
		decisions = append(decisions, m.commit(x.records))
	}
	return decisions
}
