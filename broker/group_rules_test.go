package broker_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/disk/memfs"
)

// quickGroups are properties for tests with groups: four partitions of
// offsets, no delay before a group's first rebalance.
var quickGroups = []config.Property{
	{Name: "offsets.topic.num.partitions", Value: "4"},
	{Name: "group.initial.rebalance.delay.ms", Value: "0"},
}

// Offsets of many groups, which lie in several partitions, are committed,
// fetched with one request in the order asked, and all there after a restart.
func TestOffsetsOverRestart(t *testing.T) {
	fsys := memfs.New()
	n := startNode(t, fsys, quickGroups...)
	c := n.client()
	id := c.createTopic("t", 3)
	groups := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	for _, g := range groups {
		awaitCoordinator(c, g)
	}
	for i, g := range groups {
		s := &session{t: t, broker: c, c: c}
		s.commit(g, 1, int64(100+i))
		s.commit(g, 2, int64(200+i))
		s.commit(g, 1, int64(300+i))
	}
	check := func(when string) {
		t.Helper()
		req := &kmsg.OffsetFetchRequest{Version: 10}
		for _, g := range groups {
			req.Groups = append(req.Groups, kmsg.OffsetFetchRequestGroup{Group: g, MemberEpoch: -1, Topics: []kmsg.OffsetFetchRequestGroupTopic{{TopicID: id, Partitions: []int32{0, 1, 2}}}})
		}
		resp := c.ask(req).(*kmsg.OffsetFetchResponse)
		if len(resp.Groups) != len(groups) {
			t.Fatalf("%s: %d groups are answered", when, len(resp.Groups))
		}
		for i, g := range resp.Groups {
			if g.Group != groups[i] || g.ErrorCode != 0 || len(g.Topics) != 1 {
				t.Fatalf("%s: group %d is %s: %s", when, i, g.Group, kafka.ErrorCode(g.ErrorCode))
			}
			p := g.Topics[0].Partitions
			if p[0].Offset != -1 || p[1].Offset != int64(300+i) || p[2].Offset != int64(200+i) || *p[1].Metadata != "m" {
				t.Errorf("%s: group %s has offsets %d, %d, %d", when, g.Group, p[0].Offset, p[1].Offset, p[2].Offset)
			}
		}
	}
	check("at once")
	n.stop()
	n = startNode(t, fsys, quickGroups...)
	defer n.stop()
	c = n.client()
	for _, g := range groups {
		awaitCoordinator(c, g)
	}
	check("after a restart")
}

// A member whose connection ends while it waits in JoinGroup does not keep
// the others: the rebalance goes on without its answer being read.
func TestJoinGroupConnectionCloses(t *testing.T) {
	n := startNode(t, memfs.New(), append([]config.Property{{Name: "group.min.session.timeout.ms", Value: "100"}}, quickGroups...)...)
	defer n.stop()
	c := n.client()
	c.createTopic("t", 1)
	awaitCoordinator(c, "g")
	s := &session{t: t, broker: c, c: c}
	leader, generation := s.member("g")
	// A second member joins: the group waits for the first to join again.
	first := n.client().ask(&kmsg.JoinGroupRequest{Version: 5, Group: "g", SessionTimeoutMillis: 30_000, RebalanceTimeoutMillis: 30_000, ProtocolType: "consumer", Protocols: joinRequest("g", "").Protocols}).(*kmsg.JoinGroupResponse)
	if kafka.ErrorCode(first.ErrorCode) != kafka.ErrMemberIDRequired {
		t.Fatal(kafka.ErrorCode(first.ErrorCode))
	}
	gone, err := n.net.Dial(n.broker.Addr(), time.Second, nil)
	if err != nil {
		t.Fatal(err)
	}
	join := joinRequest("g", first.MemberID)
	join.Version = 5
	join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 200, 30_000
	if _, err := gone.Write(kmsg.NewRequestFormatter().AppendRequest(nil, join, 1)); err != nil {
		t.Fatal(err)
	}
	beat := &kmsg.HeartbeatRequest{Version: 3, Group: "g", Generation: generation, MemberID: leader}
	for kafka.ErrorCode(c.ask(beat).(*kmsg.HeartbeatResponse).ErrorCode) != kafka.ErrRebalanceInProgress {
	}
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	// The leader joins again, and then once more when the dead member's session
	// is over; in the end it is alone.
	for members := 2; members != 1; {
		resp := s.prepare(5, joinRequest("g", leader)).(*kmsg.JoinGroupResponse)
		if resp.ErrorCode != 0 {
			t.Fatal(kafka.ErrorCode(resp.ErrorCode))
		}
		members = len(resp.Members)
		assign := &kmsg.SyncGroupRequest{Version: 3, Group: "g", Generation: resp.Generation, MemberID: leader, GroupAssignment: []kmsg.SyncGroupRequestGroupAssignment{{MemberID: leader}}}
		if code := kafka.ErrorCode(c.ask(assign).(*kmsg.SyncGroupResponse).ErrorCode); code != kafka.ErrNone && code != kafka.ErrRebalanceInProgress {
			t.Fatal(code)
		}
		beat.Generation = resp.Generation
		for members != 1 && kafka.ErrorCode(c.ask(beat).(*kmsg.HeartbeatResponse).ErrorCode) == kafka.ErrNone {
		}
	}
}
