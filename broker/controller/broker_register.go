package controller

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
	"github.com/moldau/moldau/internal/guard"
)

// Bounds of a registration.
const (
	listenersMax   = 64     // of one broker
	featuresMax    = 64     // of one broker
	logDirsMax     = 256    // of one broker
	replicaEndsMax = 10_000 // kept of the proof's ends; they only help an unclean election
)

// registerBroker admits a broker's new incarnation (KIP-631, KIP-858). In one
// step: its damaged replicas are struck out, it loses every role of its older
// incarnation, its doubtful replicas are marked, and last it is registered,
// fenced, with the offset of that record as its broker epoch. So it leads only
// what is granted after its own registration (L1).
//
// A registration with the incarnation id on record is a retry and changes
// nothing. Another incarnation is refused while the registered one is alive,
// unless it shares a log directory: the lock on that proves the old process gone.
func (m *Machine) registerBroker(t Times, req *kmsg.BrokerRegistrationRequest) ([]metarecord.Record, kmsg.Response) {
	refuse := func(code kafka.ErrorCode) ([]metarecord.Record, kmsg.Response) {
		return nil, ErrorReply(req, code, "")
	}
	if req.ClusterID != m.cfg.ClusterID {
		return refuse(kafka.ErrInconsistentClusterID)
	}
	dirs := uuids(req.LogDirs)
	if code := m.checkRegistration(req, dirs); code != kafka.ErrNone {
		return refuse(code)
	}
	proof, err := metarecord.ProofOf(req)
	if err != nil {
		return refuse(kafka.ErrInvalidRequest)
	}
	reply := kmsg.NewPtrBrokerRegistrationResponse()
	old := m.img.Broker(req.BrokerID)
	if old != nil {
		if old.IncarnationID == req.IncarnationID {
			reply.BrokerEpoch = old.BrokerEpoch
			return nil, reply
		}
		if m.sessionAlive(t, old) && !overlap(old.LogDirs, dirs) {
			return refuse(kafka.ErrDuplicateBrokerRegistration)
		}
	}
	x := m.newTurn()
	x.setLive(req.BrokerID, false)
	x.setDirs(req.BrokerID, dirs)
	x.newEnds = slices.Clone(proof.Ends[:min(len(proof.Ends), replicaEndsMax)])
	slices.SortStableFunc(x.newEnds, comparePartitions)
	x.withdrawIncarnation(req.BrokerID, old, dirs, &proof)
	r := registration(req, dirs)
	r.ReplicaEnds = x.newEnds
	x.records = append(x.records, r)
	r.BrokerEpoch = m.img.Offset() + int64(len(x.records))
	if !fits(x.records) {
		r.BrokerEpoch++ // a BeginTransaction comes first
	}
	reply.BrokerEpoch = r.BrokerEpoch
	m.sessions.begin(req.BrokerID, r.BrokerEpoch, t.Mono)
	return x.records, reply
}

func (m *Machine) checkRegistration(req *kmsg.BrokerRegistrationRequest, dirs []kafka.UUID) kafka.ErrorCode {
	switch {
	case req.BrokerID < 0 || len(req.Listeners) == 0:
		return kafka.ErrInvalidRegistration
	case len(req.Listeners) > listenersMax || len(req.Features) > featuresMax || len(dirs) > logDirsMax:
		return kafka.ErrInvalidRegistration
	}
	for i, d := range dirs {
		if reservedDir(d) || slices.Contains(dirs[:i], d) {
			return kafka.ErrInvalidRegistration
		}
	}
	for id, b := range m.img.Brokers() {
		if id != req.BrokerID && overlap(b.LogDirs, dirs) {
			return kafka.ErrInvalidRegistration
		}
	}
	for name, level := range m.img.Features() {
		if !supportsFeature(req.Features, name, level) {
			return kafka.ErrUnsupportedVersion
		}
	}
	return kafka.ErrNone
}

// supportsFeature reports whether a broker can run the finalized level. Only
// metadata.version must be named.
func supportsFeature(features []kmsg.BrokerRegistrationRequestFeature, name string, level int16) bool {
	for _, f := range features {
		if f.Name == name {
			return f.MinSupportedVersion <= level && level <= f.MaxSupportedVersion
		}
	}
	return name != metaimage.FeatureMetadataVersion
}

// reservedDir is one of the ids that stand for no directory.
func reservedDir(d kafka.UUID) bool {
	for _, b := range d[:15] {
		if b != 0 {
			return false
		}
	}
	return d[15] < 100
}

func overlap(a, b []kafka.UUID) bool {
	for _, d := range a {
		if slices.Contains(b, d) {
			return true
		}
	}
	return false
}

func uuids(ids [][16]byte) []kafka.UUID {
	out := make([]kafka.UUID, len(ids))
	for i, id := range ids {
		out[i] = id
	}
	return out
}

func registration(req *kmsg.BrokerRegistrationRequest, dirs []kafka.UUID) *metarecord.RegisterBroker {
	r := metarecord.NewRegisterBroker()
	r.BrokerID, r.IncarnationID, r.Rack, r.LogDirs = req.BrokerID, req.IncarnationID, req.Rack, dirs
	for _, l := range req.Listeners {
		r.EndPoints = append(r.EndPoints, metarecord.BrokerEndpoint{Name: l.Name, Host: l.Host, Port: l.Port, SecurityProtocol: l.SecurityProtocol})
	}
	for _, f := range req.Features {
		r.Features = append(r.Features, metarecord.BrokerFeature{Name: f.Name, MinSupportedVersion: f.MinSupportedVersion, MaxSupportedVersion: f.MaxSupportedVersion})
	}
	return r
}

// withdrawIncarnation takes the roles of a broker's older incarnation away, by
// what the new one's recovery found.
func (x *turn) withdrawIncarnation(broker int32, old *metaimage.Broker, dirs []kafka.UUID, proof *metarecord.Proof) {
	damaged, doubtful := indexEnds(proof.Damaged), indexEnds(proof.Doubtful)
	x.eachPartition(broker, func(t *metaimage.Topic, p *metaimage.Partition) {
		tp := kafka.TopicPartition{Topic: t.ID, Partition: p.ID}
		c := x.newChange(t, p)
		if _, ok := damaged[tp]; ok || directoryLost(p, broker, old, dirs) {
			c.strike(broker)
		} else {
			if p.Leader == broker && x.m.cfg.Out.Out(guard.L1Controller) {
				return
			}
			c.leave(broker)
			if d, ok := doubtful[tp]; ok {
				c.mark(broker, d.LastEpoch, d.End)
			}
		}
		if reservedDir(c.dirOf(broker)) {
			c.move(broker)
		}
		x.settle(c)
	})
}

// indexEnds finds entries by partition; the map is only looked up.
func indexEnds(list []metarecord.PartitionEnd) map[kafka.TopicPartition]metarecord.PartitionEnd {
	m := make(map[kafka.TopicPartition]metarecord.PartitionEnd, len(list))
	for _, e := range list {
		m[kafka.TopicPartition{Topic: e.TopicID, Partition: e.PartitionID}] = e
	}
	return m
}

// directoryLost reports that the directory of the replica is not among those
// that the new incarnation has. Where metadata names none, the replica may lie
// in any directory of the old registration, so all must still be there.
func directoryLost(p *metaimage.Partition, broker int32, old *metaimage.Broker, dirs []kafka.UUID) bool {
	if d := p.DirectoryOf(broker); !reservedDir(d) {
		return !slices.Contains(dirs, d)
	}
	if old == nil {
		return len(p.Directories) > 0
	}
	for _, d := range old.LogDirs {
		if !slices.Contains(dirs, d) {
			return true
		}
	}
	return false
}

// defaultDir is where a replica of a broker goes if there is no choice, else
// unassigned: the broker then tells.
func defaultDir(dirs []kafka.UUID) kafka.UUID {
	if len(dirs) == 1 {
		return dirs[0]
	}
	return kafka.DirUnassigned
}

// sessionAlive reports that a registered incarnation was heard within its session.
func (m *Machine) sessionAlive(t Times, b *metaimage.Broker) bool {
	s := m.sessions.of(b.BrokerID, b.BrokerEpoch)
	return s != nil && t.Mono < s.deadline(&m.cfg)
}

// unregisterBroker forgets a broker (KIP-631). Its replicas count as damaged.
func (m *Machine) unregisterBroker(req *kmsg.UnregisterBrokerRequest) ([]metarecord.Record, kmsg.Response) {
	b := m.img.Broker(req.BrokerID)
	if b == nil {
		return nil, ErrorReply(req, kafka.ErrBrokerIDNotRegistered, "Broker ID "+itoa(req.BrokerID)+" is not currently registered")
	}
	x := m.newTurn()
	x.setLive(b.BrokerID, false)
	x.eachPartition(b.BrokerID, func(t *metaimage.Topic, p *metaimage.Partition) {
		c := x.newChange(t, p)
		c.strike(b.BrokerID)
		x.settle(c)
	})
	m.sessions.end(b.BrokerID)
	x.records = append(x.records, &metarecord.UnregisterBroker{BrokerID: b.BrokerID, BrokerEpoch: b.BrokerEpoch})
	return x.records, kmsg.NewPtrUnregisterBrokerResponse()
}
