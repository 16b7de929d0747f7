package group

import (
	"bytes"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/coord"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/internal/invariant"
)

// State is where a group is in its life, with Kafka's names.
//
//	Empty ──join──▶ PreparingRebalance ──all joined, or time up──▶ CompletingRebalance
//	  ▲                 ▲       │                                        │      │
//	  └──nobody joined──┼───────┘                                        │      │
//	                    ├──────────leave, expiry, new join───────────────┘      │
//	                    └──────────the same──────────────── Stable ◀──leader's sync
type State uint8

const (
	// Empty: no members; offsets may be there.
	Empty State = iota
	// PreparingRebalance: members are asked to join again.
	PreparingRebalance
	// CompletingRebalance: a generation has begun, the leader's assignment is waited for.
	CompletingRebalance
	// Stable: the generation has its assignment.
	Stable
	// Dead: the group is gone.
	Dead

	states = iota
)

func (s State) String() string {
	return [...]string{"Empty", "PreparingRebalance", "CompletingRebalance", "Stable", "Dead"}[s]
}

const consumerProtocolType = "consumer"

// group is one group of the classic protocol, or, without a protocol type,
// the mere holder of the offsets of a consumer that assigns itself.
type group struct {
	id         string
	state      State
	previous   State
	stateSince int64 // wall time in ms of the last change of state, -1 when not known
	generation int32

	protocolType string  // "" before the first member
	protocol     *string // the elected assignor, nil between generations of nobody
	leader       string  // member id, "" for none

	members []*member // in the order of joining
	byID    map[string]*member
	static  map[string]string // instance id to member id
	pending map[string]*timer // member ids given out, not yet used to join
	support map[string]int    // members that support the protocol of that name

	awaitingJoin int // members whose JoinGroup waits
	owingSync    int // members that owe a SyncGroup to this generation

	// newMemberAdded prolongs the first rebalance of an empty group.
	newMemberAdded                 bool
	initialDelay, initialRemaining time.Duration
	phase                          timer // of the join or the sync phase

	// subscribed are the topics of the members' subscriptions; nil when they
	// are not known (no consumers, or a protocol that nobody can read).
	subscribed map[string]struct{}

	offsets []*topicOffsets // by name
}

// member is one member of a group. Invariant: join and sync are not both set.
type member struct {
	id, clientID, clientHost string
	instanceID               *string
	sessionTimeout           int32 // ms
	rebalanceTimeout         int32 // ms
	protocols                []protocol
	assignment               []byte
	isNew                    bool // has not got its first JoinGroup answer
	owesSync                 bool
	join, sync               *coord.Request // the request that waits, nil for none
	session                  timer
}

// protocol is an assignor that a member supports, with its metadata.
type protocol struct {
	name     string
	metadata []byte
}

func protocolsOf(list []kmsg.JoinGroupRequestProtocol) []protocol {
	out := make([]protocol, len(list))
	for i := range list {
		out[i] = protocol{list[i].Name, bytes.Clone(list[i].Metadata)}
	}
	return out
}

// supports reports whether a member of that kind can join: some protocol that
// every member has.
func (g *group) supports(protocolType string, list []kmsg.JoinGroupRequestProtocol) bool {
	if g.state == Empty {
		return protocolType != "" && len(list) > 0
	}
	if g.protocolType != protocolType {
		return false
	}
	for i := range list {
		if n := g.support[list[i].Name]; n > 0 && n == len(g.members) {
			return true
		}
	}
	return len(g.members) == 0 && len(list) > 0
}

// matches reports whether the member would join with what it has.
func (mb *member) matches(list []kmsg.JoinGroupRequestProtocol) bool {
	if len(list) != len(mb.protocols) {
		return false
	}
	for i := range list {
		if list[i].Name != mb.protocols[i].name || !slices.Equal(list[i].Metadata, mb.protocols[i].metadata) {
			return false
		}
	}
	return true
}

// metadata is what the member said for the protocol of that name.
func (mb *member) metadata(name string) []byte {
	for i := range mb.protocols {
		if mb.protocols[i].name == name {
			return mb.protocols[i].metadata
		}
	}
	return nil
}

// add takes a member in. Its id and instance id are not in the group.
func (g *group) add(mb *member, protocolType string) {
	_, dup := g.byID[mb.id]
	invariant.Check(!dup, "group %q: member %q joins twice", g.id, mb.id)
	if g.byID == nil {
		g.byID, g.support = make(map[string]*member), make(map[string]int)
	}
	if len(g.members) == 0 {
		g.protocolType = protocolType
	}
	if g.leader == "" {
		g.leader = mb.id
	}
	if mb.instanceID != nil {
		if g.static == nil {
			g.static = make(map[string]string)
		}
		g.static[*mb.instanceID] = mb.id
	}
	g.members = append(g.members, mb)
	g.byID[mb.id] = mb
	g.countSupport(mb, 1)
	delete(g.pending, mb.id)
}

// remove takes a member out. Its waiting requests are the caller's business.
func (g *group) remove(mb *member) {
	invariant.Check(mb.join == nil && mb.sync == nil, "group %q: member %q removed while it waits", g.id, mb.id)
	g.members = slices.DeleteFunc(g.members, func(other *member) bool { return other == mb })
	delete(g.byID, mb.id)
	g.countSupport(mb, -1)
	if mb.instanceID != nil {
		delete(g.static, *mb.instanceID)
	}
	g.setOwesSync(mb, false)
	mb.session.stop()
	if g.leader == mb.id {
		g.leader = ""
		if len(g.members) > 0 {
			g.leader = g.members[0].id
		}
	}
}

func (g *group) countSupport(mb *member, by int) {
	for i := range mb.protocols {
		name := mb.protocols[i].name
		if slices.ContainsFunc(mb.protocols[:i], func(p protocol) bool { return p.name == name }) {
			continue
		}
		if g.support[name] += by; g.support[name] == 0 {
			delete(g.support, name)
		}
	}
}

func (g *group) setOwesSync(mb *member, owes bool) {
	if mb.owesSync == owes {
		return
	}
	mb.owesSync = owes
	if owes {
		g.owingSync++
	} else {
		g.owingSync--
	}
}

// allJoined reports whether nobody is waited for in the join phase.
func (g *group) allJoined() bool {
	return g.awaitingJoin == len(g.members) && len(g.pending) == 0
}

// rebalanceTimeout is the longest of the members'.
func (g *group) rebalanceTimeout() time.Duration {
	var most int32
	for _, mb := range g.members {
		most = max(most, mb.rebalanceTimeout)
	}
	return time.Duration(most) * time.Millisecond
}

// selectProtocol lets every member vote for the first of its protocols that
// all have. Between equals the one that the leader prefers wins.
func (g *group) selectProtocol() string {
	votes := make(map[string]int)
	for _, mb := range g.members {
		for i := range mb.protocols {
			if name := mb.protocols[i].name; g.support[name] == len(g.members) {
				votes[name]++
				break
			}
		}
	}
	best, most := "", 0
	for _, p := range g.byID[g.leader].protocols {
		if n := votes[p.name]; n > most {
			best, most = p.name, n
		}
	}
	invariant.Check(most > 0, "group %q: no protocol that all %d members support", g.id, len(g.members))
	return best
}

// check finds the member that a request names: 25 for nobody, 82 for an
// instance that another member has taken over.
func (g *group) check(memberID string, instanceID *string) (*member, kafka.ErrorCode) {
	if instanceID != nil {
		current, ok := g.static[*instanceID]
		if !ok {
			return nil, kafka.ErrUnknownMemberID
		}
		if current != memberID {
			return nil, kafka.ErrFencedInstanceID
		}
	}
	mb := g.byID[memberID]
	if mb == nil {
		return nil, kafka.ErrUnknownMemberID
	}
	return mb, kafka.ErrNone
}

// subscribedTo reports whether the members read the topic. A consumer group
// whose subscriptions are not known counts as reading everything.
func (g *group) subscribedTo(topic string) bool {
	if g.subscribed == nil {
		return g.protocolType == consumerProtocolType
	}
	_, ok := g.subscribed[topic]
	return ok
}
