package controller

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/clock"
)

// session is the soft state of one registered broker.
type session struct {
	id    int32
	epoch int64 // broker epoch
	// heard is the last heartbeat, or the beginning of the session.
	heard clock.Mono
	// gone is when the connection broke without a heartbeat since; valid if isGone.
	gone   clock.Mono
	isGone bool
	// told: this machine has had a heartbeat of the incarnation.
	told bool
	// offset is the metadata offset that the broker has applied, -1 unknown.
	offset int64
	// shutdownOffset is where the records of its controlled shutdown end, -1: none.
	shutdownOffset int64
	stalled        []kafka.UUID // directories that do not answer
}

// deadline is when the session ends.
func (s *session) deadline(cfg *Config) clock.Mono {
	d := s.heard.Add(cfg.SessionTimeout)
	if s.isGone {
		d = min(d, s.gone.Add(cfg.DisconnectGrace))
	}
	return d
}

// sessions are sorted by broker id.
type sessions struct{ list []session }

func (ss *sessions) find(id int32) (int, bool) {
	return slices.BinarySearchFunc(ss.list, id, func(s session, id int32) int { return int(s.id) - int(id) })
}

// of is the session of a broker incarnation, or nil.
func (ss *sessions) of(id int32, epoch int64) *session {
	if i, ok := ss.find(id); ok && ss.list[i].epoch == epoch {
		return &ss.list[i]
	}
	return nil
}

// begin starts a session anew, replacing an older incarnation's.
func (ss *sessions) begin(id int32, epoch int64, now clock.Mono) {
	s := session{id: id, epoch: epoch, heard: now, offset: -1, shutdownOffset: -1}
	i, ok := ss.find(id)
	if ok {
		ss.list[i] = s
		return
	}
	ss.list = slices.Insert(ss.list, i, s)
}

func (ss *sessions) end(id int32) {
	if i, ok := ss.find(id); ok {
		ss.list = slices.Delete(ss.list, i, i+1)
	}
}

// restart begins the sessions of all registered brokers anew. What was known of
// the same incarnations beside the time stays.
func (ss *sessions) restart(img *metaimage.Image, now clock.Mono) {
	old := *ss
	ss.list = nil
	for id, b := range img.Brokers() {
		ss.begin(id, b.BrokerEpoch, now)
		if s := old.of(id, b.BrokerEpoch); s != nil {
			kept := *s
			kept.heard, kept.isGone = now, false
			ss.list[len(ss.list)-1] = kept
		}
	}
}

// takeOver begins an office: a session of an incarnation that this machine heard
// while it stood by goes on, so that who fell silent with the office before is
// fenced at once; all others begin anew.
func (ss *sessions) takeOver(img *metaimage.Image, now clock.Mono) {
	old := *ss
	ss.list = nil
	for id, b := range img.Brokers() {
		ss.begin(id, b.BrokerEpoch, now)
		if s := old.of(id, b.BrokerEpoch); s != nil && s.told {
			ss.list[len(ss.list)-1] = *s
		}
	}
}

// Heard takes a heartbeat while the machine has no office (brokers send theirs
// to every controller), so that it knows who was silent when it gets it. img is
// the committed image; heartbeats of brokers that are not in it are passed by.
func (m *Machine) Heard(t Times, img *metaimage.Image, req *kmsg.BrokerHeartbeatRequest) {
	b := img.Broker(req.BrokerID)
	if m.active || b == nil || b.BrokerEpoch != req.BrokerEpoch {
		return
	}
	s := m.sessions.of(b.BrokerID, b.BrokerEpoch)
	if s == nil {
		m.sessions.begin(b.BrokerID, b.BrokerEpoch, t.Mono)
		s = m.sessions.of(b.BrokerID, b.BrokerEpoch)
	}
	s.heard, s.isGone, s.told = t.Mono, false, true
	s.offset = max(s.offset, req.CurrentMetadataOffset)
}

// StandBy tells the time to a machine without office, once a heartbeat
// interval: after a pause of its own it knows nothing of who was silent.
func (m *Machine) StandBy(t Times) {
	if m.active {
		return
	}
	if t.Mono > m.tickDue.Add(m.cfg.HeartbeatInterval) {
		for i := range m.sessions.list {
			m.sessions.list[i].heard, m.sessions.list[i].isGone = t.Mono, false
		}
	}
	m.tickDue = t.Mono.Add(m.cfg.HeartbeatInterval)
}

// expires reports whether silence ends the session. It does not fence a broker
// twice, nor the only broker that serves if it is this process: that time is
// told here shows that the process lives, its heartbeats are late because
// processor or disk are, and nobody else could take over what it leads. An
// incarnation that this machine never heard is one from before a restart.
func (m *Machine) expires(s *session) bool {
	b := m.img.Broker(s.id)
	if b == nil || b.BrokerEpoch != s.epoch || b.Fenced {
		return false
	}
	return s.id != m.cfg.NodeID || !s.told || m.othersServe(s.id)
}

// othersServe reports whether a broker other than id is not fenced.
func (m *Machine) othersServe(id int32) bool {
	for other, b := range m.img.Brokers() {
		if other != id && !b.Fenced {
			return true
		}
	}
	return false
}

// nextExpiry is the time to the earliest deadline, at most a session.
func (m *Machine) nextExpiry(now clock.Mono) time.Duration {
	next := m.cfg.SessionTimeout
	for i := range m.sessions.list {
		if s := &m.sessions.list[i]; m.expires(s) {
			next = min(next, s.deadline(&m.cfg).Sub(now))
		}
	}
	return next
}
