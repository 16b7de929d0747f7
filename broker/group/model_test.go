package group

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/moldau/moldau/broker/coord"
	"github.com/moldau/moldau/broker/kafka"
)

// actor is a client that keeps the protocol, except that it may be silent for
// any time. Partitions 0 to 7 of t are what a leader gives out.
type actor struct {
	name       string
	instance   *string
	id         string
	generation int32
	leads      bool
	members    []string // of the leader's last answer
	waits      coord.Token
	owns       []byte // partitions of generation, nil before the sync
	phase      phase
}

type phase uint8

const (
	outside  phase = iota
	joining        // has an id to join with, or joins anew
	joined         // has a generation, owes a sync
	assigned       // has its assignment
)

// model is a world with actors, and what must hold of all answers.
type model struct {
	*world
	t         interface{ Fatalf(string, ...any) }
	groupID   string
	actors    []*actor
	byToken   map[coord.Token]*actor
	committed map[int32]int64 // offsets that were acknowledged
	sent      map[int32][]int64
	asked     map[coord.Token]func(kmsg.Response)

	owners    map[int32]map[byte]string // generation, partition, member
	durable   int32                     // newest generation whose assignment was acknowledged
	stableGen map[int32]string          // generation to the first acknowledged description of its members
}

func newModel(t interface{ Fatalf(string, ...any) }, cfg Config, actors int, static int) *model {
	m := &model{
		t: t, groupID: "g", byToken: map[coord.Token]*actor{}, committed: map[int32]int64{}, sent: map[int32][]int64{},
		asked: map[coord.Token]func(kmsg.Response){}, owners: map[int32]map[byte]string{}, stableGen: map[int32]string{},
	}
	// A group that is deleted would begin again at generation 1.
	cfg.OffsetsRetentionCheckInterval = 10_000 * time.Hour
	m.world = newWorldWith(cfg, m.answered)
	for i := range actors {
		a := &actor{name: string(rune('a' + i))}
		if i < static {
			a.instance = ptr("i" + a.name)
		}
		m.actors = append(m.actors, a)
	}
	return m
}

// answered is the client side of every answer.
func (m *model) answered(r coord.Reply) {
	if ask := m.asked[r.Token]; ask != nil {
		delete(m.asked, r.Token)
		ask(r.Response)
		return
	}
	a := m.byToken[r.Token]
	delete(m.byToken, r.Token)
	if a == nil {
		return
	}
	late := a.waits != r.Token
	if !late {
		a.waits = 0
	}
	switch resp := r.Response.(type) {
	case *kmsg.JoinGroupResponse:
		if !late {
			a.onJoin(m, resp)
		}
	case *kmsg.SyncGroupResponse:
		if !late {
			a.onSync(m, resp)
		}
	case *kmsg.HeartbeatResponse:
		a.onError(kafka.ErrorCode(resp.ErrorCode))
	}
}

func (a *actor) onJoin(m *model, resp *kmsg.JoinGroupResponse) {
	switch code := kafka.ErrorCode(resp.ErrorCode); code {
	case kafka.ErrNone:
		if resp.Generation <= m.durable && m.stableGen[resp.Generation] == "" {
			m.t.Fatalf("join of %s in generation %d, though %d was durable", a.name, resp.Generation, m.durable)
		}
		a.id, a.generation, a.phase, a.owns = resp.MemberID, resp.Generation, joined, nil
		a.leads, a.members = resp.LeaderID == resp.MemberID && !resp.SkipAssignment, nil
		for _, mb := range resp.Members {
			a.members = append(a.members, mb.MemberID)
		}
	case kafka.ErrMemberIDRequired:
		a.id, a.phase = resp.MemberID, joining
	default:
		a.onError(code)
	}
}

func (a *actor) onSync(m *model, resp *kmsg.SyncGroupResponse) {
	if resp.ErrorCode != 0 {
		a.onError(kafka.ErrorCode(resp.ErrorCode))
		return
	}
	a.phase, a.owns = assigned, resp.MemberAssignment
	m.durable = max(m.durable, a.generation)
	m.stableGen[a.generation] = "seen"
	if m.owners[a.generation] == nil {
		m.owners[a.generation] = map[byte]string{}
	}
	for _, p := range resp.MemberAssignment {
		holder := a.id
		if a.instance != nil {
			holder = *a.instance // a static member keeps its place under new ids
		}
		if other := m.owners[a.generation][p]; other != "" && other != holder {
			m.t.Fatalf("partition %d of generation %d belongs to %s and to %s", p, a.generation, other, holder)
		}
		m.owners[a.generation][p] = holder
	}
}

func (a *actor) onError(code kafka.ErrorCode) {
	switch code {
	case kafka.ErrNone, kafka.ErrCoordinatorNotAvailable, kafka.ErrNotCoordinator, kafka.ErrCoordinatorLoadInProgress:
	case kafka.ErrRebalanceInProgress:
		if a.phase == assigned || a.phase == joined {
			a.phase = joining
		}
	default:
		a.id, a.phase, a.generation, a.owns = "", outside, 0, nil
	}
}

// track sends a request whose answer moves the actor on.
func (m *model) track(a *actor, req kmsg.Request, version int16, waits bool) {
	req.SetVersion(version)
	token := m.token + 1
	m.byToken[token] = a
	if waits {
		a.waits = token
	}
	m.send(a.name, req)
}

// step lets the actor do what the protocol wants of it next.
func (m *model) step(a *actor) {
	switch a.phase {
	case outside, joining:
		r := kmsg.NewPtrJoinGroupRequest()
		r.Group, r.MemberID, r.InstanceID, r.ProtocolType = m.groupID, a.id, a.instance, "consumer"
		r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = 10_000, 5_000
		r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: subscription([]string{"t"})}}
		m.track(a, r, 9, true)
	case joined:
		r := kmsg.NewPtrSyncGroupRequest()
		r.Group, r.MemberID, r.InstanceID, r.Generation = m.groupID, a.id, a.instance, a.generation
		r.ProtocolType, r.Protocol = ptr("consumer"), ptr("range")
		if a.leads {
			for p := range 8 {
				i := (p + int(a.generation)) % len(a.members)
				for len(r.GroupAssignment) <= i {
					r.GroupAssignment = append(r.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: a.members[len(r.GroupAssignment)]})
				}
				one := &r.GroupAssignment[i]
				one.MemberAssignment = append(one.MemberAssignment, byte(p))
			}
		}
		m.track(a, r, 5, true)
	case assigned:
		m.heartbeat(a)
	}
}

func (m *model) heartbeat(a *actor) {
	r := kmsg.NewPtrHeartbeatRequest()
	r.Group, r.MemberID, r.InstanceID, r.Generation = m.groupID, a.id, a.instance, a.generation
	m.track(a, r, 4, false)
}

func (m *model) commitOffset(a *actor, p int32, offset int64) {
	r := commitRequest(args{"g": m.groupID, "m": a.id, "gen": fmt.Sprint(a.generation), "offsets": fmt.Sprintf("t:%d:%d", p, offset)}).(*kmsg.OffsetCommitRequest)
	r.InstanceID = a.instance
	r.SetVersion(9)
	m.sent[p] = append(m.sent[p], offset)
	m.asked[m.token+1] = func(resp kmsg.Response) {
		switch code := resp.(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode; {
		case code == 0:
			m.committed[p] = offset
			m.sent[p] = m.sent[p][slices.Index(m.sent[p], offset)+1:]
		case kafka.ErrorCode(code) != kafka.ErrNotCoordinator && kafka.ErrorCode(code) != kafka.ErrCoordinatorNotAvailable:
			m.sent[p] = slices.DeleteFunc(m.sent[p], func(o int64) bool { return o == offset })
		}
	}
	m.send(a.name, r)
}

// fetchOffsets compares what the coordinator shows with what was acknowledged:
// that, or something sent later whose answer was lost.
func (m *model) fetchOffsets() {
	r := fetchRequest(args{"g": m.groupID})
	r.SetVersion(7)
	want := maps.Clone(m.committed)
	m.asked[m.token+1] = func(resp kmsg.Response) {
		f := resp.(*kmsg.OffsetFetchResponse)
		if f.ErrorCode != 0 {
			return
		}
		got := map[int32]int64{}
		for _, t := range f.Topics {
			for _, p := range t.Partitions {
				got[p.Partition] = p.Offset
			}
		}
		for p := range int32(8) {
			acked, wasAcked := want[p]
			if now := m.committed[p]; now > acked {
				acked, wasAcked = now, true // acknowledged while the fetch waited
			}
			if g, ok := got[p]; wasAcked && (!ok || g < want[p]) || ok && g > acked && !slices.Contains(m.sent[p], g) {
				m.t.Fatalf("partition %d: offset %d shown (%t), %d was acknowledged, %v sent", p, g, ok, acked, m.sent[p])
			}
		}
	}
	m.send("fetcher", r)
}

// checkReload compares the state with what a coordinator loads that is given
// the same log. Rebalances are not in the log: a group that is in one loads as
// it was before.
func (m *model) checkReload() {
	if m.rt.State() != coord.Active || m.hw != int64(len(m.log)) {
		return
	}
	live := m.m()
	if g := live.groups[m.groupID]; g != nil && (g.state == PreparingRebalance || g.state == CompletingRebalance) {
		return
	}
	fresh := m.machine().(*Machine)
	for i, rec := range m.log {
		if err := fresh.Replay(rec, int64(i)); err != nil {
			m.t.Fatalf("replay of an own record: %v", err)
		}
	}
	if a, b := stateText(live), stateText(fresh); a != b {
		m.t.Fatalf("live:\n%s\nloaded:\n%s", a, b)
	}
	if a, b := live.Counts(), fresh.Counts(); a != b {
		m.t.Fatalf("live %+v, loaded %+v", a, b)
	}
}

// checkInside checks the machine's own counters.
func (m *model) checkInside() {
	if m.rt.State() != coord.Active {
		return
	}
	mm := m.m()
	var counts [states]int
	offsets := 0
	for _, g := range mm.groups {
		counts[g.state]++
		waiting, owing := 0, 0
		for _, mb := range g.members {
			if mb.join != nil {
				waiting++
			}
			if mb.owesSync {
				owing++
			}
			if g.byID[mb.id] != mb {
				m.t.Fatalf("member %s is not found by its id", mb.id)
			}
			if !mb.session.armed && mb.join == nil && mb.sync == nil {
				m.t.Fatalf("member %s in %s has no session", mb.id, g.state)
			}
		}
		if waiting != g.awaitingJoin || owing != g.owingSync {
			m.t.Fatalf("%d wait to join, counted %d; %d owe a sync, counted %d", waiting, g.awaitingJoin, owing, g.owingSync)
		}
		if g.state == Empty && len(g.members) > 0 || g.state != Empty && g.byID[g.leader] == nil && len(g.members) > 0 {
			m.t.Fatalf("group in %s with %d members, leader %q", g.state, len(g.members), g.leader)
		}
		if (g.state == PreparingRebalance || g.state == CompletingRebalance) && !g.phase.armed {
			m.t.Fatalf("group in %s without a timer", g.state)
		}
		for _, t := range g.offsets {
			offsets += len(t.partitions)
		}
	}
	if counts != mm.groupsIn || offsets != mm.offsets {
		m.t.Fatalf("groups %v, counted %v; offsets %d, counted %d", counts, mm.groupsIn, offsets, mm.offsets)
	}
}

// behave lets every actor keep the protocol until the group is at rest.
func (m *model) behave() {
	for range 200 {
		for _, a := range m.actors {
			if a.waits == 0 {
				m.step(a)
			}
		}
		if m.atRest() {
			return
		}
		m.pass(500 * time.Millisecond)
	}
	m.t.Fatalf("the group never comes to rest:\n%s", stateText(m.m()))
}

// atRest: stable, every actor a member with an assignment of this generation.
func (m *model) atRest() bool {
	g := m.m().groups[m.groupID]
	if g == nil || g.state != Stable || len(g.members) != len(m.actors) {
		return false
	}
	for _, a := range m.actors {
		if a.phase != assigned || a.generation != g.generation || g.byID[a.id] == nil {
			return false
		}
	}
	return true
}

// TestModel lets actors, time, failures and new leaders come in any order.
func TestModel(t *testing.T) {
	for range modelRounds {
		rapid.Check(t, checkModel)
	}
}

// modelRounds times rapid's number of checks are run.
const modelRounds = 5

func checkModel(t *rapid.T) {
	cfg := testConfig()
	cfg.InitialRebalanceDelay = time.Duration(rapid.SampledFrom([]int{0, 0, 3000}).Draw(t, "delay")) * time.Millisecond
	n := rapid.IntRange(1, 4).Draw(t, "actors")
	m := newModel(t, cfg, n, rapid.IntRange(0, n).Draw(t, "static"))
	offset := int64(0)
	pick := func() *actor { return m.actors[rapid.IntRange(0, n-1).Draw(t, "actor")] }
	t.Repeat(map[string]func(*rapid.T){
		"step": func(*rapid.T) {
			if a := pick(); a.waits == 0 {
				m.step(a)
			}
		},
		"burst": func(t *rapid.T) { // several do what the protocol wants of them
			for range rapid.IntRange(1, 12).Draw(t, "steps") {
				if a := pick(); a.waits == 0 {
					m.step(a)
				}
			}
		},
		"again":     func(*rapid.T) { m.step(pick()) }, // a retry while the first waits
		"heartbeat": func(*rapid.T) { m.heartbeat(pick()) },
		"restart": func(*rapid.T) { // the client forgets who it was
			a := pick()
			*a = actor{name: a.name, instance: a.instance}
		},
		"leave": func(*rapid.T) {
			a := pick()
			r := kmsg.NewPtrLeaveGroupRequest()
			r.Group = m.groupID
			r.Members = []kmsg.LeaveGroupRequestMember{{MemberID: a.id, InstanceID: a.instance}}
			m.track(a, r, 5, false)
			a.onError(kafka.ErrUnknownMemberID)
		},
		"commit": func(t *rapid.T) {
			offset++
			m.commitOffset(pick(), int32(rapid.IntRange(0, 7).Draw(t, "partition")), offset)
		},
		"fetch": func(*rapid.T) { m.fetchOffsets() },
		"pass":  func(t *rapid.T) { m.pass(time.Duration(rapid.IntRange(1, 12_000).Draw(t, "ms")) * time.Millisecond) },
		"hold":  func(*rapid.T) { m.hold = true },
		"release": func(*rapid.T) {
			m.hold = false
			m.commit()
		},
		"some": func(t *rapid.T) {
			m.hw = int64(rapid.IntRange(int(m.hw), len(m.log)).Draw(t, "hw"))
			m.took(m.rt.Committed(m.hw))
		},
		"takeover": func(*rapid.T) { m.takeOver() },
		"crash":    func(*rapid.T) { m.load() },
		"fail": func(*rapid.T) {
			m.took(m.rt.Fail(fmt.Errorf("a write failed")))
			m.load()
		},
		"describe": func(*rapid.T) { m.send("x", requestOf("describe", args{"g": m.groupID})) },
		"": func(*rapid.T) {
			m.checkInside()
			m.checkReload()
		},
	})
	m.hold = false
	m.commit()
	m.behave()
	m.fetchOffsets()
	m.checkInside()
	m.checkReload()
	if left := m.rt.Waiting(); left != 0 {
		t.Fatalf("%d requests have no answer though all is at rest", left)
	}
}

// fingerprint is a machine's state, rebalances and clients included.
func (m *model) fingerprint() string {
	var b strings.Builder
	b.WriteString(stateText(m.m()))
	for _, id := range m.m().groupIDs() {
		g := m.m().groups[id]
		fmt.Fprintf(&b, "%v previous=%v added=%t phase=%d/%t/%d pending=%d remaining=%d\n", g.state, g.previous, g.newMemberAdded,
			g.phase.kind, g.phase.armed, m.in(&g.phase), len(g.pending), g.initialRemaining)
		for _, mb := range g.members {
			fmt.Fprintf(&b, " %s new=%t owes=%t join=%t sync=%t session=%d", mb.id, mb.isNew, mb.owesSync, mb.join != nil, mb.sync != nil, m.in(&mb.session))
		}
		for _, id := range sortedKeys(g.pending) {
			fmt.Fprintf(&b, " pending %s %d", id, m.in(g.pending[id]))
		}
	}
	for _, a := range m.actors {
		fmt.Fprintf(&b, "\n%s %s generation=%d phase=%d leads=%t members=%v waits=%t", a.name, a.id, a.generation, a.phase, a.leads, a.members, a.waits != 0)
	}
	fmt.Fprintf(&b, "\nhold=%t", m.hold)
	return b.String()
}

// in is the time until the timer fires, -1 when it does not.
func (m *model) in(t *timer) int64 {
	if !t.armed {
		return -1
	}
	return t.at.Sub(m.world.t.Mono).Milliseconds()
}
