package workload

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/linearizability/history"
)

const (
	memberFetchBytes  = 256 << 10
	memberFetchWait   = 100 * time.Millisecond
	commitOne         = 400 // of 1000 steps that commit what was read
	beatsPerSession   = 3   // heartbeats in a session timeout
	listGroupsVersion = 5
	lookAgain         = 2 * time.Second // how often a group's leader asks for new partitions
)

// Member is a client in a group of the classic protocol, and its leader when it
// is chosen. It reads what it is given and commits.
type Member struct {
	Group      string
	Topics     []*Topic
	InstanceID string        // static membership, "" for none
	Session    time.Duration // session timeout
	Rebalance  time.Duration // rebalance timeout
	Every      time.Duration // mean time between steps, well below Session/3
	Timeout    time.Duration
	Deaths     int           // of 1000 steps that end its life without a word
	Leaves     int           // of 1000 steps that leave the group
	Away       time.Duration // mean time that it is gone then
	// Mute lets it join and never sync, though its heart beats, until the group
	// throws it out. It stays away for a while then, and for ever once all is calm.
	Mute bool
}

// Run is Actor's.
func (a Member) Run(env *Env) {
	client := newClient(env, a.Timeout)
	m := &member{Member: a, env: env, fetcher: &fetcher{client, newBatchReader()}, coordinator: nobody, generation: history.Unknown}
	defer client.close()
	for !env.stopping() {
		if m.out {
			m.outside()
		} else {
			m.step()
		}
		client.pause(a.Every/2 + time.Duration(env.Rand.Int64N(int64(a.Every)+1)))
	}
}

// member is a Member at work.
type member struct {
	Member
	env         *Env
	fetcher     *fetcher
	coordinator int32
	code        int16 // of the coordinator's last answer
	id          string
	generation  int32
	joined      bool // in generation, with spots
	leads       bool
	out         bool       // thrown out, when mute
	back        clock.Mono // when it comes back then
	planned     int32
	spots       []*spot
	beat        clock.Mono // when the next heartbeat is due
	looked      clock.Mono // when the leader looked for partitions last
}

func (m *member) step() {
	if !m.fetcher.refresh(m.Topics) {
		return
	}
	if m.coordinator == nobody && !m.findCoordinator() {
		return
	}
	if !m.joined {
		m.join()
		return
	}
	if !m.env.calm() {
		switch draw := m.env.Rand.IntN(perMille); {
		case draw < m.Deaths:
			m.die()
			return
		case draw < m.Deaths+m.Leaves:
			m.leave()
			return
		}
	}
	m.look()
	m.live()
}

// live reads and commits, and beats when it is time.
func (m *member) live() {
	if m.joined && m.env.Clock.Mono() >= m.beat {
		m.heartbeat()
	}
	if m.joined {
		m.find()
	}
	if m.joined && len(m.spots) > 0 {
		m.read()
		if m.env.Rand.IntN(perMille) < commitOne {
			m.commit()
		}
	}
}

// look lets the leader find new partitions, and rebalance for them.
func (m *member) look() {
	now := m.env.Clock.Mono()
	if !m.leads || now.Sub(m.looked) < lookAgain {
		return
	}
	m.looked = now
	m.fetcher.stale = true
	if m.fetcher.refresh(m.Topics) && m.known() != m.planned {
		m.joined = false
	}
}

// known is the number of partitions that are known.
func (m *member) known() (n int32) {
	for _, t := range m.Topics {
		n += t.Partitions()
	}
	return n
}

// read fetches once at every place it has.
func (m *member) read() {
	ready := make([]*spot, 0, len(m.spots))
	for _, at := range m.spots {
		if at.position >= 0 {
			ready = append(ready, at)
		}
	}
	links, groups := m.fetcher.groupByLeader(ready)
	for i, l := range links {
		if l.isDead() || m.env.stopping() {
			continue
		}
		answers, _ := m.fetcher.fetch(l, groups[i], fetchLimits{
			minBytes: 1, maxBytes: memberFetchBytes, partBytes: memberFetchBytes, maxWait: min(memberFetchWait, m.Every), poll: true,
		}, nil)
		m.fetcher.advance(answers)
	}
}

// find finds the places where reading begins: those committed, else the log
// starts.
func (m *member) find() {
	var asking []*spot
	for _, at := range m.spots {
		if !at.asked {
			asking = append(asking, at)
		}
	}
	if len(asking) > 0 {
		m.fetchOffsets(asking)
	}
	for _, at := range m.spots {
		if at.asked && at.position < 0 {
			if offset, ok := m.fetcher.listOffset(at, history.Earliest); ok {
				m.fetcher.seek(at, offset)
			}
		}
	}
}

// die is gone without a word for a while.
func (m *member) die() {
	m.env.trace("dies, member " + m.id)
	m.forget()
	m.stayAway()
}

// forget forgets what a process that ends forgets.
func (m *member) forget() {
	m.fetcher.close()
	m.id, m.generation, m.joined, m.leads, m.spots, m.coordinator = "", history.Unknown, false, false, nil, nobody
}

// stayAway waits, not beyond the calm and the stop.
func (m *member) stayAway() {
	timer := m.env.Clock.NewTimer(m.Away/2 + time.Duration(m.env.Rand.Int64N(int64(m.Away)+1)))
	defer timer.Stop()
	select {
	case <-timer.C():
	case <-m.env.Calm:
	case <-m.env.Stop:
	}
}

// told does what a code of the coordinator asks for, and reports whether all is
// well.
func (m *member) told(code int16) bool {
	if code != m.code {
		m.code = code
		m.env.trace(fmt.Sprintf("node %d says %s", m.coordinator, kafka.ErrorCode(code).Name()))
	}
	switch kafka.ErrorCode(code) {
	case kafka.ErrNone:
		return true
	case kafka.ErrRebalanceInProgress, kafka.ErrIllegalGeneration:
		m.joined = false
	case kafka.ErrUnknownMemberID, kafka.ErrFencedInstanceID:
		m.out = m.Mute
		m.id, m.joined = "", false
	case kafka.ErrCoordinatorLoadInProgress:
	default:
		m.coordinator = nobody
	}
	return false
}

// outside looks on from outside the group, which is all the progress of a mute
// member, until it comes back.
func (m *member) outside() {
	now := m.env.Clock.Mono()
	if m.back == 0 {
		m.back = now.Add(m.Away)
	}
	if m.back <= now && !m.env.calm() {
		m.out, m.back = false, 0
		return
	}
	if l := m.fetcher.link(nobody); l != nil {
		req := kmsg.NewPtrListGroupsRequest()
		req.Version = listGroupsVersion
		op := &history.Op{Client: m.env.Name, Node: l.node, Kind: history.KindMetadata}
		if call := m.fetcher.record(l, req, op); call.err == nil {
			m.env.Recorder.Answered(op, call.resp.(*kmsg.ListGroupsResponse).ErrorCode, call.at)
		}
	}
}

// instance is the instance id as requests have it.
func (m *member) instance() *string {
	if m.InstanceID == "" {
		return nil
	}
	return &m.InstanceID
}

// who is the member in histories: whoever comes back as a static member takes the
// old one's place, in the same generation and under another member id.
func (m *member) who() string {
	if m.InstanceID != "" {
		return m.InstanceID
	}
	return m.id
}

// topicIDs are those subscribed to.
func (m *member) topicIDs() (ids []string) {
	for _, t := range m.Topics {
		ids = append(ids, t.Text())
	}
	return ids
}
