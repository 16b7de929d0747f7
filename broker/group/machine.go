package group

import (
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/coord"
	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/clock"
)

// timersPerTickMax bounds the timers that one Tick lets fire.
const timersPerTickMax = 1000

// Machine is the group coordinator of one partition of __consumer_offsets.
// Make it with New. It implements coord.Machine.
type Machine struct {
	cfg    Config
	groups map[string]*group
	names  topicNames
	timers timerQueue
	sweep  timer
	jobs   []job // in the order of arrival

	groupsIn   [states]int // number of groups by state
	offsets    int         // number of committed offsets
	unknown    uint64      // records of kinds that are not ours, met at load
	unreadable uint64      // records that could not be understood

	// What the call that runs has of its arguments, and what it decides.
	now    coord.Times
	topics coord.Topics
	out    coord.Outcome
	size   int // bytes of out.Records, as coord.BatchSizeMax counts them
}

var _ coord.Machine = (*Machine)(nil)

// New returns the coordinator of an empty partition.
func New(cfg Config) (*Machine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("group coordinator: %w", err)
	}
	m := &Machine{cfg: cfg, groups: make(map[string]*group)}
	m.sweep.kind = timerSweep
	return m, nil
}

// Configure changes the limits from here on; sessions and phases that run keep
// the times that they began with.
func (m *Machine) Configure(cfg Config) error {
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("group coordinator: %w", err)
	}
	m.cfg = cfg
	return nil
}

// Counts is what the coordinator holds.
type Counts struct {
	// Groups is the number of groups in each State.
	Groups [states]int
	// Offsets is the number of committed offsets.
	Offsets int
	// UnknownRecords were skipped at load: kinds of record that belong to
	// other group protocols. UnreadableRecords were skipped with an error.
	UnknownRecords, UnreadableRecords uint64
}

// Counts tells how much is there.
func (m *Machine) Counts() Counts {
	return Counts{Groups: m.groupsIn, Offsets: m.offsets, UnknownRecords: m.unknown, UnreadableRecords: m.unreadable}
}

// CensusOffsets is what committed offsets are called in a Census; groups are
// called by their State.
const CensusOffsets = "offsets"

// Census implements coord.Machine. Dead groups are not there any more.
func (m *Machine) Census() []coord.Count {
	out := make([]coord.Count, 0, states)
	for s := Empty; s < Dead; s++ {
		out = append(out, coord.Count{What: s.String(), N: m.groupsIn[s]})
	}
	return append(out, coord.Count{What: CensusOffsets, N: m.offsets})
}

// begin takes the arguments of a call.
func (m *Machine) begin(t coord.Times, topics coord.Topics) {
	m.now, m.topics, m.out, m.size = t, topics, coord.Outcome{}, 0
}

// end returns what was decided.
func (m *Machine) end() coord.Outcome {
	out := m.out
	m.out, m.topics = coord.Outcome{}, nil
	return out
}

// Handle decides on one request of the classic protocol. Other requests are a
// mistake of the caller; they are answered UNSUPPORTED_VERSION.
func (m *Machine) Handle(t coord.Times, topics coord.Topics, req coord.Request) coord.Outcome {
	m.begin(t, topics)
	switch r := req.Body.(type) {
	case *kmsg.JoinGroupRequest:
		m.handleJoin(&req, r)
	case *kmsg.SyncGroupRequest:
		m.handleSync(&req, r)
	case *kmsg.HeartbeatRequest:
		m.handleHeartbeat(&req, r)
	case *kmsg.LeaveGroupRequest:
		m.handleLeave(&req, r)
	case *kmsg.OffsetCommitRequest:
		m.handleCommit(&req, r)
	case *kmsg.OffsetFetchRequest:
		m.handleFetch(&req, r)
	case *kmsg.OffsetDeleteRequest:
		m.handleOffsetDelete(&req, r)
	case *kmsg.ListGroupsRequest:
		m.handleList(&req, r)
	case *kmsg.DescribeGroupsRequest:
		m.handleDescribe(&req, r)
	case *kmsg.DeleteGroupsRequest:
		m.handleDelete(&req, r)
	default:
		m.reply(&req, m.Refuse(req.Body, kafka.ErrUnsupportedVersion))
	}
	return m.end()
}

// Deleted removes the offsets of topics that are gone.
func (m *Machine) Deleted(t coord.Times, topics coord.Topics, deleted []coord.DeletedTopic) coord.Outcome {
	m.begin(t, topics)
	for _, topic := range deleted {
		if m.names.uses(topic.Name) {
			m.jobs = append(m.jobs, &topicJob{topic: topic})
		}
	}
	m.work()
	return m.end()
}

// Loaded starts the sessions of all members, which begin anew.
func (m *Machine) Loaded(t coord.Times, topics coord.Topics) {
	m.begin(t, topics)
	for _, id := range m.groupIDs() {
		g := m.groups[id]
		for _, mb := range g.members {
			m.touch(mb)
		}
		if len(g.members) > m.cfg.MaxSize {
			m.prepareRebalance(g, "loaded group is larger than group.max.size")
		}
	}
	m.timers.arm(&m.sweep, t.Mono.Add(m.cfg.OffsetsRetentionCheckInterval))
	m.end()
}

// Tick lets timers fire and goes on with what did not fit into earlier steps.
func (m *Machine) Tick(t coord.Times, topics coord.Topics) coord.Outcome {
	m.begin(t, topics)
	for n := 0; n < timersPerTickMax && m.room(m.cfg.MaxMessageBytes/2); n++ {
		due := m.timers.due(t.Mono)
		if due == nil {
			break
		}
		m.fire(due)
	}
	m.work()
	return m.end()
}

// Deadline is when a timer fires next, or now while work is left.
func (m *Machine) Deadline() (clock.Mono, bool) {
	if len(m.jobs) > 0 {
		return m.now.Mono, true
	}
	return m.timers.first()
}

func (m *Machine) fire(t *timer) {
	if t.kind != timerSweep && t.group.state == Dead {
		return
	}
	switch t.kind {
	case timerSession:
		m.expireSession(t.group, t.member)
	case timerInitial:
		m.expireInitial(t.group)
	case timerJoin:
		m.completeJoin(t.group)
	case timerSync:
		m.expireSync(t.group)
	case timerSweep:
		m.jobs = append(m.jobs, &sweepJob{ids: m.groupIDs()})
		m.timers.arm(&m.sweep, m.now.Mono.Add(m.cfg.OffsetsRetentionCheckInterval))
	}
}

// reply answers at once: nothing of the log shows.
func (m *Machine) reply(req *coord.Request, resp kmsg.Response) {
	resp.SetVersion(req.Body.GetVersion())
	m.out.Immediate = append(m.out.Immediate, coord.Reply{Token: req.Token, Response: resp})
}

// replyCommitted answers when everything that was decided so far is committed.
func (m *Machine) replyCommitted(req *coord.Request, resp kmsg.Response) {
	resp.SetVersion(req.Body.GetVersion())
	m.out.Replies = append(m.out.Replies, coord.Reply{Token: req.Token, Response: resp})
	m.out.Barrier = true
}

// record appends to the outcome.
func (m *Machine) record(rec coord.Record) {
	m.out.Records = append(m.out.Records, rec)
	m.size += recordSizeMax(rec)
}

// room reports whether bytes more of records fit into this outcome for sure.
func (m *Machine) room(bytes int) bool {
	return coord.BatchSizeMax(nil)+m.size+bytes <= m.cfg.MaxMessageBytes
}

func recordSizeMax(rec coord.Record) int {
	one := [1]coord.Record{rec}
	return coord.BatchSizeMax(one[:]) - coord.BatchSizeMax(nil)
}

func (m *Machine) tell(ev event.Event) { m.out.Events = append(m.out.Events, ev) }

// groupIDs are the ids of all groups, sorted.
func (m *Machine) groupIDs() []string {
	ids := make([]string, 0, len(m.groups))
	for id := range m.groups { //det:ok sorted below
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// create makes an empty group that was not there.
func (m *Machine) create(id string, stateSince int64) *group {
	g := &group{id: strings.Clone(id), stateSince: stateSince}
	g.phase.group = g
	m.groups[g.id] = g
	m.groupsIn[Empty]++
	return g
}

// kill forgets a group without members and offsets.
func (m *Machine) kill(g *group) {
	delete(m.groups, g.id)
	for _, t := range g.pending { //det:ok disarming has no order
		t.stop()
	}
	g.phase.stop()
	m.setState(g, Dead)
	m.groupsIn[Dead]--
}

func (m *Machine) setState(g *group, s State) {
	m.groupsIn[g.state]--
	m.groupsIn[s]++
	g.previous, g.state, g.stateSince = g.state, s, m.now.Wall
}

// touch begins a member's session anew.
func (m *Machine) touch(mb *member) {
	m.touchFor(mb, clockMs(mb.sessionTimeout))
}
