package group

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/coord"
	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/clock"
)

// world is a coordinator with a log in memory and a clock that the test moves.
type world struct {
	cfg    Config
	rt     *coord.Runtime
	log    []coord.Record
	hw     int64
	hold   bool // the high watermark stays
	refuse bool // appends fail
	quiet  bool // appends are shown by their size only
	t      coord.Times
	token  coord.Token
	random uint64
	topics topicTable
	events []event.Event
	show   func(line string)
	// answered sees every answer.
	answered func(coord.Reply)
}

type topicTable map[string]testTopic

type testTopic struct {
	id         kafka.UUID
	partitions int
}

func (tt topicTable) Name(id kafka.UUID) (string, bool) {
	for name, t := range tt {
		if t.id == id {
			return name, true
		}
	}
	return "", false
}

func (tt topicTable) ID(name string) (kafka.UUID, bool) { t, ok := tt[name]; return t.id, ok }

func (tt topicTable) Partitions(name string) int { return tt[name].partitions }

func topicID(n byte) kafka.UUID { return kafka.UUID{15: n, 0: 0x42} }

func testConfig() Config {
	cfg := DefaultConfig()
	cfg.InitialRebalanceDelay = 0
	return cfg
}

func newWorld(cfg Config) *world { return newWorldWith(cfg, func(coord.Reply) {}) }

func newWorldWith(cfg Config, answered func(coord.Reply)) *world {
	w := &world{answered: answered, cfg: cfg, t: coord.Times{Wall: 1_000_000, Mono: clock.Mono(time.Hour)}, show: func(string) {}}
	w.topics = topicTable{"t": {topicID(1), 8}, "u": {topicID(2), 8}}
	rt, err := coord.NewRuntime(coord.Config{New: w.machine, Log: w, Events: w})
	if err != nil {
		panic(err)
	}
	w.rt = rt
	w.load()
	return w
}

func (w *world) machine() coord.Machine {
	m, err := New(w.cfg)
	if err != nil {
		panic(err)
	}
	return m
}

func (w *world) m() *Machine { return w.rt.Machine().(*Machine) }

// Append is the log's.
func (w *world) Append(_ coord.Times, records []coord.Record) (int64, error) {
	if w.refuse {
		return 0, fmt.Errorf("not the leader")
	}
	if w.quiet {
		w.show(fmt.Sprintf("append %d: %d records", len(w.log), len(records)))
	}
	for _, rec := range records {
		if !w.quiet {
			w.show(fmt.Sprintf("append %d: %s", len(w.log), recordText(rec)))
		}
		rec.Key = slices.Clone(rec.Key)
		if rec.Value != nil {
			rec.Value = slices.Clone(rec.Value)
		}
		w.log = append(w.log, rec)
	}
	return int64(len(w.log)) - 1, nil
}

// Emit takes events.
func (w *world) Emit(ev event.Event) {
	w.events = append(w.events, ev)
	attrs := ""
	for _, a := range ev.Attrs() {
		attrs += " " + a.String()
	}
	w.show("event " + ev.Kind() + short(attrs))
}

// load begins anew with what the log has below the high watermark.
func (w *world) load() {
	w.log = w.log[:w.hw]
	w.takeOver()
}

// takeOver begins anew with the whole log, as a new leader that has all of it.
func (w *world) takeOver() {
	w.took(w.rt.Begin(0))
	for i, rec := range w.log {
		if err := w.rt.Replay(rec, int64(i)); err != nil {
			w.show("unreadable: " + err.Error())
		}
	}
	w.rt.Loaded(w.t, w.topics, int64(len(w.log)), w.hw)
}

// commit moves the high watermark to the end, unless it is held.
func (w *world) commit() {
	if !w.hold {
		w.hw = int64(len(w.log))
		w.took(w.rt.Committed(w.hw))
	}
}

func (w *world) took(replies []coord.Reply) {
	for _, r := range replies {
		back := r.Response.RequestKind().ResponseKind()
		back.SetVersion(r.Response.GetVersion())
		must(back.ReadFrom(r.Response.AppendTo(nil))) // every answer can be written in its version
		w.show(fmt.Sprintf("%d: %s", r.Token, responseText(r.Response)))
		w.answered(r)
	}
}

func (w *world) send(clientID string, body kmsg.Request) coord.Token {
	w.token++
	if join, ok := body.(*kmsg.JoinGroupRequest); ok && join.MemberID == "" {
		w.random++
	}
	req := coord.Request{Token: w.token, Body: body, ClientID: clientID, ClientHost: "/h"}
	binary.BigEndian.PutUint64(req.Random[8:], w.random)
	w.took(w.rt.Handle(w.t, w.topics, req))
	w.commit()
	w.settle()
	return w.token
}

// settle lets everything that is due now happen.
func (w *world) settle() {
	for range 10_000 {
		at, ok := w.rt.Deadline()
		if !ok || at > w.t.Mono {
			return
		}
		w.took(w.rt.Tick(w.t, w.topics))
		w.commit()
	}
	panic("the coordinator never comes to rest")
}

// pass lets time pass, stopping at every deadline.
func (w *world) pass(d time.Duration) {
	end := w.t.Mono.Add(d)
	for {
		at, ok := w.rt.Deadline()
		if !ok || at > end {
			break
		}
		w.jump(max(at, w.t.Mono))
		w.settle()
	}
	w.jump(end)
}

func (w *world) jump(to clock.Mono) {
	w.t.Wall += to.Sub(w.t.Mono).Milliseconds()
	w.t.Mono = to
}

var longIDs = regexp.MustCompile(`-00000000-0000-0000-([0-9a-f]{4})-([0-9a-f]{12})`)

// short writes member ids as name#n.
func short(s string) string {
	return longIDs.ReplaceAllStringFunc(s, func(id string) string {
		var n uint64
		fmt.Sscanf(strings.ReplaceAll(id[len("-00000000-0000-0000-"):], "-", ""), "%x", &n)
		return fmt.Sprintf("#%d", n)
	})
}

var shortIDs = regexp.MustCompile(`#([0-9]+)`)

// long undoes short.
func long(s string) string {
	return shortIDs.ReplaceAllStringFunc(s, func(id string) string {
		var n uint64
		fmt.Sscanf(id, "#%d", &n)
		h := fmt.Sprintf("%016x", n)
		return "-00000000-0000-0000-" + h[:4] + "-" + h[4:]
	})
}

func recordText(rec coord.Record) string {
	return recordTextIn(rec, true)
}

func recordTextIn(rec coord.Record, times bool) string {
	switch binary.BigEndian.Uint16(rec.Key) {
	case 0, 1:
		var k kmsg.OffsetCommitKey
		must(k.ReadFrom(rec.Key))
		name := fmt.Sprintf("offset %s/%s-%d", k.Group, k.Topic, k.Partition)
		if rec.Value == nil {
			return name + " tombstone"
		}
		v := kmsg.NewOffsetCommitValue()
		must(v.ReadFrom(rec.Value))
		s := fmt.Sprintf("%s v%d = %d epoch=%d metadata=%q", name, v.Version, v.Offset, v.LeaderEpoch, v.Metadata)
		if v.Version == 1 {
			s = fmt.Sprintf("%s v%d = %d expire=%d metadata=%q", name, v.Version, v.Offset, v.ExpireTimestamp, v.Metadata)
		}
		if times {
			s += fmt.Sprintf(" at=%d", v.CommitTimestamp)
		}
		if v.TopicID != ([16]byte{}) {
			s += fmt.Sprintf(" topic=%d", v.TopicID[15])
		}
		return s
	}
	var k kmsg.GroupMetadataKey
	must(k.ReadFrom(rec.Key))
	if rec.Value == nil {
		return "group " + k.Group + " tombstone"
	}
	v := kmsg.NewGroupMetadataValue()
	must(v.ReadFrom(rec.Value))
	s := fmt.Sprintf("group %s v%d type=%q generation=%d protocol=%s leader=%s", k.Group, v.Version, v.ProtocolType, v.Generation, str(v.Protocol), str(v.Leader))
	if times {
		s += fmt.Sprintf(" since=%d", v.CurrentStateTimestamp)
	}
	for _, mb := range v.Members {
		s += fmt.Sprintf("\n  %s instance=%s client=%s%s session=%d rebalance=%d subscription=%q assignment=%q",
			mb.MemberID, str(mb.InstanceID), mb.ClientID, mb.ClientHost, mb.SessionTimeoutMillis, mb.RebalanceTimeoutMillis, mb.Subscription, mb.Assignment)
	}
	return short(s)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func str(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}

func codeText(code int16) string { return kafka.ErrorCode(code).Name() }

func responseText(resp kmsg.Response) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	switch r := resp.(type) {
	case *kmsg.JoinGroupResponse:
		p("JoinGroup %s", codeText(r.ErrorCode))
		if r.ErrorCode != 0 {
			p(" member=%q", r.MemberID)
			break
		}
		p(" generation=%d type=%s protocol=%s leader=%s member=%s", r.Generation, str(r.ProtocolType), str(r.Protocol), r.LeaderID, r.MemberID)
		if r.SkipAssignment {
			p(" skip-assignment")
		}
		for _, mb := range r.Members {
			p("\n  %s instance=%s metadata=%q", mb.MemberID, str(mb.InstanceID), mb.ProtocolMetadata)
		}
	case *kmsg.SyncGroupResponse:
		p("SyncGroup %s", codeText(r.ErrorCode))
		if r.ErrorCode == 0 {
			p(" type=%s protocol=%s assignment=%q", str(r.ProtocolType), str(r.Protocol), r.MemberAssignment)
		}
	case *kmsg.HeartbeatResponse:
		p("Heartbeat %s", codeText(r.ErrorCode))
	case *kmsg.LeaveGroupResponse:
		p("LeaveGroup %s", codeText(r.ErrorCode))
		for _, mb := range r.Members {
			p("\n  %q instance=%s %s", mb.MemberID, str(mb.InstanceID), codeText(mb.ErrorCode))
		}
	case *kmsg.OffsetCommitResponse:
		p("OffsetCommit")
		for _, t := range r.Topics {
			for _, one := range t.Partitions {
				p("\n  %s-%d %s", topicText(t.Topic, t.TopicID), one.Partition, codeText(one.ErrorCode))
			}
		}
	case *kmsg.OffsetFetchResponse:
		p("OffsetFetch")
		if r.Version < 8 {
			p(" %s", codeText(r.ErrorCode))
		}
		for _, t := range r.Topics {
			for _, one := range t.Partitions {
				p("\n  %s-%d = %d epoch=%d metadata=%s %s", t.Topic, one.Partition, one.Offset, one.LeaderEpoch, str(one.Metadata), codeText(one.ErrorCode))
			}
		}
		for _, g := range r.Groups {
			p("\n  group %s %s", g.Group, codeText(g.ErrorCode))
			for _, t := range g.Topics {
				for _, one := range t.Partitions {
					p("\n    %s-%d = %d epoch=%d metadata=%s %s", topicText(t.Topic, t.TopicID), one.Partition, one.Offset, one.LeaderEpoch, str(one.Metadata), codeText(one.ErrorCode))
				}
			}
		}
	case *kmsg.OffsetDeleteResponse:
		p("OffsetDelete %s", codeText(r.ErrorCode))
		for _, t := range r.Topics {
			for _, one := range t.Partitions {
				p("\n  %s-%d %s", t.Topic, one.Partition, codeText(one.ErrorCode))
			}
		}
	case *kmsg.ListGroupsResponse:
		p("ListGroups %s", codeText(r.ErrorCode))
		for _, g := range r.Groups {
			p("\n  %q type=%q %s %s", g.Group, g.ProtocolType, g.GroupState, g.GroupType)
		}
	case *kmsg.DescribeGroupsResponse:
		p("DescribeGroups")
		for _, g := range r.Groups {
			p("\n  %q %s message=%s %s type=%q protocol=%q", g.Group, codeText(g.ErrorCode), str(g.ErrorMessage), g.State, g.ProtocolType, g.Protocol)
			for _, mb := range g.Members {
				p("\n    %s instance=%s client=%s%s metadata=%q assignment=%q", mb.MemberID, str(mb.InstanceID), mb.ClientID, mb.ClientHost, mb.ProtocolMetadata, mb.MemberAssignment)
			}
		}
	case *kmsg.DeleteGroupsResponse:
		p("DeleteGroups")
		for _, g := range r.Groups {
			p("\n  %q %s", g.Group, codeText(g.ErrorCode))
		}
	default:
		p("%T", resp)
	}
	return short(b.String())
}

func topicText(name string, id [16]byte) string {
	if id != ([16]byte{}) {
		return fmt.Sprintf("%s(%d)", name, id[15])
	}
	return name
}

// stateText is everything that a coordinator holds except its timers.
func stateText(m *Machine) string {
	var b strings.Builder
	for _, id := range m.groupIDs() {
		g := m.groups[id]
		fmt.Fprintf(&b, "%s %s generation=%d type=%q protocol=%s leader=%s", id, g.state, g.generation, g.protocolType, str(g.protocol), g.leader)
		if g.state == Empty && g.protocolType != "" {
			fmt.Fprintf(&b, " since=%d", g.stateSince)
		}
		fmt.Fprintf(&b, " subscribed=%d(%t)\n", len(g.subscribed), g.subscribed != nil)
		for _, mb := range g.members {
			fmt.Fprintf(&b, "  %s instance=%s session=%d rebalance=%d", mb.id, str(mb.instanceID), mb.sessionTimeout, mb.rebalanceTimeout)
			if g.protocol != nil {
				fmt.Fprintf(&b, " metadata=%q", mb.metadata(*g.protocol))
			}
			fmt.Fprintf(&b, " assignment=%q\n", mb.assignment)
		}
		for _, t := range g.offsets {
			for i := range t.partitions {
				c := t.at(i)
				fmt.Fprintf(&b, "  %s-%d = %d epoch=%d metadata=%q at=%d expires=%d topic=%d\n", t.name, t.partitions[i].partition,
					c.offset, c.leaderEpoch, c.metadata(), c.commitTime, c.expires(), c.topicID[15])
			}
		}
	}
	return short(b.String())
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	out := make([]K, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
