package controller

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/internal/invariant"
)

// Times is now, on both clocks.
type Times struct {
	Mono clock.Mono
	Wall int64 // ms
}

// Decision is the answer to a request and the records that it rests on.
type Decision struct {
	// Records are one atomic batch at the next offsets; see the package doc for
	// those that begin with BeginTransaction. Empty for reads and refusals.
	Records []metarecord.Record
	// Reply is sent when the offset After is committed. It is nil for a request
	// that is not the machine's (see Handles).
	Reply kmsg.Response
	After int64
}

// Machine is the controller. Make it with New; one goroutine uses it at a time.
type Machine struct {
	cfg      Config
	active   bool
	img      *metaimage.Image // speculative while active
	epoch    int32
	rng      rng
	sessions sessions
	// tickDue is when the last Tick wanted the next one.
	tickDue       clock.Mono
	nextRebalance clock.Mono
	// nextReassign is when reassignments that wait are looked at again.
	nextReassign clock.Mono
	// policies are what the configs of policyImage resolve to, by topic, as far
	// as was asked; at most one for each topic, since a deletion writes configs.
	policies    map[kafka.UUID]policy
	policyImage *metaimage.Image
}

// New makes a machine without office. cfg must be valid (Config.Validate).
func New(cfg Config) *Machine {
	err := cfg.Validate()
	invariant.Check(err == nil, "%v", err)
	return &Machine{cfg: cfg, rng: rng{cfg.Seed}, img: metaimage.New(cfg.ClusterID)}
}

// Activate begins the office of the epoch on the committed image, whose next
// record offset is nextOffset. It returns the records to append first: the
// bootstrap features of an empty cluster, or the abort of a transaction that
// an earlier office left open. The sessions go on that the machine knows from
// its time without office (Heard), those of other brokers begin anew.
func (m *Machine) Activate(img *metaimage.Image, nextOffset int64, epoch int32, t Times) []metarecord.Record {
	invariant.Check(nextOffset == img.Offset()+1, "activate at %d on an image that ends at %d", nextOffset, img.Offset())
	m.active, m.img, m.epoch = true, img, epoch
	if t.Mono > m.tickDue.Add(m.cfg.HeartbeatInterval) {
		m.sessions.restart(img, t.Mono)
	} else {
		m.sessions.takeOver(img, t.Mono)
	}
	m.tickDue = t.Mono.Add(m.cfg.HeartbeatInterval)
	m.nextRebalance = t.Mono.Add(m.cfg.RebalanceInterval)
	m.nextReassign = t.Mono.Add(reassignCheckInterval)
	var records []metarecord.Record
	if img.InTransaction() {
		reason := "the controller that began it lost its office"
		records = append(records, &metarecord.AbortTransaction{Reason: &reason})
	}
	if img.MetadataVersion() == 0 {
		for _, f := range m.cfg.Bootstrap {
			if f.Level > 0 {
				records = append(records, &metarecord.FeatureLevel{Name: f.Name, FeatureLevel: f.Level})
			}
		}
	}
	return m.commit(records)
}

// Resign ends the office and drops the speculative image. Requests are
// answered NOT_CONTROLLER from then on.
func (m *Machine) Resign() { m.active = false }

// Active reports whether the machine is in office.
func (m *Machine) Active() bool { return m.active }

// Image is the speculative image while the machine is active.
func (m *Machine) Image() *metaimage.Image { return m.img }

// Handle decides about one request. Requests that it does not serve get a
// Decision without a reply.
func (m *Machine) Handle(t Times, req kmsg.Request) Decision {
	if !m.active {
		return Decision{Reply: NotController(req), After: -1}
	}
	records, reply := m.dispatch(t, req)
	if reply == nil {
		return Decision{After: -1}
	}
	reply.SetVersion(req.GetVersion())
	return Decision{Records: m.commit(records), Reply: reply, After: m.img.Offset()}
}

// commit takes what was decided into the speculative image.
func (m *Machine) commit(records []metarecord.Record) []metarecord.Record {
	if len(records) == 0 {
		return nil
	}
	records = bracketed(m.withCompletions(records))
	img, _, err := m.img.Apply(records, m.img.Offset()+1, m.epoch)
	invariant.Check(err == nil, "own records: %v", err)
	m.img = img
	return records
}

// Tick does what time asks for: it fences brokers whose sessions ended, moves
// leaderships back to preferred replicas, ends reassignments that waited, and
// gives internal topics more replicas when there are more brokers. Each list is one batch. next is
// when it wants to be called again.
func (m *Machine) Tick(t Times) (decisions [][]metarecord.Record, next time.Duration) {
	if !m.active {
		return nil, m.cfg.HeartbeatInterval
	}
	if t.Mono > m.tickDue.Add(m.cfg.HeartbeatInterval) {
		m.sessions.restart(m.img, t.Mono)
	}
	decisions = append(decisions, m.fenceExpired(t)...)
	if records := m.rebalance(t); len(records) > 0 {
		decisions = append(decisions, m.commit(records))
	}
	decisions = append(decisions, m.completeWaiting(t)...)
	if records := m.raiseInternal(); len(records) > 0 {
		decisions = append(decisions, m.commit(records))
	}
	next = m.nextExpiry(t.Mono)
	next = max(min(next, m.cfg.HeartbeatInterval), time.Millisecond)
	m.tickDue = t.Mono.Add(next)
	return decisions, next
}
