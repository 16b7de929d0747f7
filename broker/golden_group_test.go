package broker_test

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
)

// coordinator makes sure that the coordinator is there.
func (s *session) coordinator() {
	if !s.once() {
		return
	}
	s.topic("t", 2)
	awaitCoordinator(s.broker, "g")
}

// awaitCoordinator asks until the group's coordinator serves.
func awaitCoordinator(c *client, group string) {
	for {
		find := &kmsg.FindCoordinatorRequest{CoordinatorKey: group}
		if code := kafka.ErrorCode(c.ask(find).(*kmsg.FindCoordinatorResponse).ErrorCode); code != kafka.ErrNone {
			continue
		}
		list := &kmsg.ListGroupsRequest{Version: 4}
		if c.ask(list).(*kmsg.ListGroupsResponse).ErrorCode == 0 {
			return
		}
	}
}

func joinRequest(group, member string) *kmsg.JoinGroupRequest {
	return &kmsg.JoinGroupRequest{
		Group: group, MemberID: member, SessionTimeoutMillis: 30_000, RebalanceTimeoutMillis: 30_000, ProtocolType: "consumer",
		Protocols: []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}},
	}
}

// member makes a group with one member, in generation 1, without recording it.
func (s *session) member(group string) (member string, generation int32) {
	resp := s.prepare(5, joinRequest(group, "")).(*kmsg.JoinGroupResponse)
	if kafka.ErrorCode(resp.ErrorCode) == kafka.ErrMemberIDRequired {
		resp = s.prepare(5, joinRequest(group, resp.MemberID)).(*kmsg.JoinGroupResponse)
	}
	if member = resp.MemberID; resp.ErrorCode != 0 {
		s.t.Fatalf("join %s: %s", group, kafka.ErrorCode(resp.ErrorCode))
	}
	sync := &kmsg.SyncGroupRequest{Group: group, Generation: resp.Generation, MemberID: member,
		GroupAssignment: []kmsg.SyncGroupRequestGroupAssignment{{MemberID: member, MemberAssignment: []byte{1, 2, 3}}}}
	if code := s.prepare(3, sync).(*kmsg.SyncGroupResponse).ErrorCode; code != 0 {
		s.t.Fatalf("sync %s: %s", group, kafka.ErrorCode(code))
	}
	return member, resp.Generation
}

func (s *session) commit(group string, partition int32, offset int64) {
	req := &kmsg.OffsetCommitRequest{Group: group, Generation: -1, Topics: []kmsg.OffsetCommitRequestTopic{{
		Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Partition: partition, Offset: offset, LeaderEpoch: -1, Metadata: str("m")}},
	}}}
	if code := s.prepare(8, req).(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode; code != 0 {
		s.t.Fatalf("commit: %s", kafka.ErrorCode(code))
	}
}

func scriptOffsetCommit(v int16, s *session) {
	s.coordinator()
	req := func(group, topic string, id kafka.UUID) *kmsg.OffsetCommitRequest {
		return &kmsg.OffsetCommitRequest{Group: group, Generation: -1, RetentionTimeMillis: -1, Topics: []kmsg.OffsetCommitRequestTopic{{
			Topic: topic, TopicID: id, Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Partition: 1, Offset: 5, LeaderEpoch: -1, Metadata: str("m")}},
		}}}
	}
	s.do("without a member", req(fmt.Sprint("g", v), "t", s.ids["t"]))
	s.do("unknown topic", req(fmt.Sprint("g", v), "nowhere", kafka.UUID{15: 9}))
	group := fmt.Sprint("m", v)
	member, generation := s.member(group)
	good := req(group, "t", s.ids["t"])
	good.MemberID, good.Generation = member, generation
	s.do("of a member", good)
	stale := req(group, "t", s.ids["t"])
	stale.MemberID, stale.Generation = member, 99
	s.do("of another generation", stale)
	s.do("without a member while there are members", req(group, "t", s.ids["t"]))
	s.do("empty group", req("", "t", s.ids["t"]))
}

func scriptOffsetFetch(v int16, s *session) {
	s.coordinator()
	if v == 1 {
		s.commit("g", 0, 7)
	}
	if v < 8 {
		s.do("committed and not", &kmsg.OffsetFetchRequest{Group: "g", Topics: []kmsg.OffsetFetchRequestTopic{{Topic: "t", Partitions: []int32{0, 1}}}})
		s.do("unknown topic", &kmsg.OffsetFetchRequest{Group: "g", Topics: []kmsg.OffsetFetchRequestTopic{{Topic: "nowhere", Partitions: []int32{0}}}})
		s.do("unknown group", &kmsg.OffsetFetchRequest{Group: "none", Topics: []kmsg.OffsetFetchRequestTopic{{Topic: "t", Partitions: []int32{0}}}})
		if v >= 2 {
			s.do("all topics", &kmsg.OffsetFetchRequest{Group: "g"})
		}
		return
	}
	group := func(name string, topics []kmsg.OffsetFetchRequestGroupTopic) kmsg.OffsetFetchRequestGroup {
		return kmsg.OffsetFetchRequestGroup{Group: name, MemberEpoch: -1, Topics: topics}
	}
	topics := []kmsg.OffsetFetchRequestGroupTopic{{Topic: "t", TopicID: s.ids["t"], Partitions: []int32{0, 1}}}
	unknown := []kmsg.OffsetFetchRequestGroupTopic{{Topic: "nowhere", TopicID: kafka.UUID{15: 9}, Partitions: []int32{0}}}
	s.do("several groups", &kmsg.OffsetFetchRequest{Groups: []kmsg.OffsetFetchRequestGroup{group("g", topics), group("none", topics)}})
	s.do("all topics", &kmsg.OffsetFetchRequest{Groups: []kmsg.OffsetFetchRequestGroup{group("g", nil)}})
	s.do("unknown topic", &kmsg.OffsetFetchRequest{Groups: []kmsg.OffsetFetchRequestGroup{group("g", unknown)}})
	s.do("no groups", &kmsg.OffsetFetchRequest{Groups: []kmsg.OffsetFetchRequestGroup{}})
}

func scriptFindCoordinator(v int16, s *session) {
	s.coordinator()
	if v < 4 {
		s.do("group", &kmsg.FindCoordinatorRequest{CoordinatorKey: "g"})
		if v >= 1 && *peerKafka == "" {
			s.do("transactional id", &kmsg.FindCoordinatorRequest{CoordinatorKey: "tx", CoordinatorType: 1})
		}
		if v >= 1 {
			s.do("unknown kind", &kmsg.FindCoordinatorRequest{CoordinatorKey: "x", CoordinatorType: 9})
		}
		return
	}
	s.do("several groups", &kmsg.FindCoordinatorRequest{CoordinatorKeys: []string{"g", "h"}})
	if *peerKafka == "" {
		s.do("transactional id", &kmsg.FindCoordinatorRequest{CoordinatorKeys: []string{"tx"}, CoordinatorType: 1})
		s.do("share group", &kmsg.FindCoordinatorRequest{CoordinatorKeys: []string{"s:AAAAAAAAAAAAAAAAAAAAAQ:0"}, CoordinatorType: 2})
	}
	s.do("unknown kind", &kmsg.FindCoordinatorRequest{CoordinatorKeys: []string{"x"}, CoordinatorType: 9})
	s.do("none", &kmsg.FindCoordinatorRequest{CoordinatorKeys: []string{}})
}

func scriptJoinGroup(v int16, s *session) {
	s.coordinator()
	group := fmt.Sprint("g", v)
	resp := s.do("first", joinRequest(group, "")).(*kmsg.JoinGroupResponse)
	if kafka.ErrorCode(resp.ErrorCode) == kafka.ErrMemberIDRequired {
		s.do("with the id", joinRequest(group, resp.MemberID))
	}
	s.do("unknown member", joinRequest(group, "stranger"))
	other := joinRequest(group, "")
	other.ProtocolType = "connect"
	s.do("another protocol type", other)
	short := joinRequest(group+"-short", "")
	short.SessionTimeoutMillis = 1
	s.do("session too short", short)
	s.do("empty group", joinRequest("", ""))
	if v >= 5 {
		static := joinRequest(group+"-static", "")
		static.InstanceID = str("i")
		s.do("static member", static)
	}
}

func scriptSyncGroup(v int16, s *session) {
	s.coordinator()
	group := fmt.Sprint("g", v)
	member, generation := s.member(group)
	req := &kmsg.SyncGroupRequest{Group: group, Generation: generation, MemberID: member, ProtocolType: str("consumer"), Protocol: str("range")}
	s.do("again", req)
	req.Generation = 55
	s.do("another generation", req)
	req.MemberID = "stranger"
	s.do("unknown member", req)
	if v >= 5 {
		s.do("another protocol", &kmsg.SyncGroupRequest{Group: group, Generation: generation, MemberID: member, ProtocolType: str("consumer"), Protocol: str("other")})
	}
}

func scriptHeartbeat(v int16, s *session) {
	s.coordinator()
	group := fmt.Sprint("g", v)
	member, generation := s.member(group)
	s.do("member", &kmsg.HeartbeatRequest{Group: group, Generation: generation, MemberID: member})
	s.do("another generation", &kmsg.HeartbeatRequest{Group: group, Generation: 44, MemberID: member})
	s.do("unknown member", &kmsg.HeartbeatRequest{Group: group, Generation: 1, MemberID: "stranger"})
	s.do("unknown group", &kmsg.HeartbeatRequest{Group: "none", Generation: 1, MemberID: member})
}

func scriptLeaveGroup(v int16, s *session) {
	s.coordinator()
	group := fmt.Sprint("g", v)
	member, _ := s.member(group)
	if v < 3 {
		s.do("stranger", &kmsg.LeaveGroupRequest{Group: group, MemberID: "stranger"})
		s.do("member", &kmsg.LeaveGroupRequest{Group: group, MemberID: member})
		return
	}
	s.do("member and stranger", &kmsg.LeaveGroupRequest{Group: group, Members: []kmsg.LeaveGroupRequestMember{{MemberID: member}, {MemberID: "stranger"}}})
	s.do("unknown group", &kmsg.LeaveGroupRequest{Group: "none", Members: []kmsg.LeaveGroupRequestMember{{MemberID: member}}})
}

func scriptDescribeGroups(v int16, s *session) {
	s.coordinator()
	if v == 0 {
		s.member("g")
		s.commit("offsets", 0, 3)
	}
	s.do("stable, offsets only, unknown", &kmsg.DescribeGroupsRequest{Groups: []string{"g", "offsets", "none"}})
	s.do("none", &kmsg.DescribeGroupsRequest{Groups: []string{}})
	if v >= 3 {
		s.do("authorized operations", &kmsg.DescribeGroupsRequest{Groups: []string{"g", "none"}, IncludeAuthorizedOperations: true})
	}
}

func scriptListGroups(v int16, s *session) {
	s.coordinator()
	if v == 0 {
		s.member("g")
	}
	s.do("all", &kmsg.ListGroupsRequest{})
	if v >= 4 {
		s.do("stable", &kmsg.ListGroupsRequest{StatesFilter: []string{"Stable"}})
		s.do("empty", &kmsg.ListGroupsRequest{StatesFilter: []string{"Empty"}})
	}
	if v >= 5 {
		s.do("of another type", &kmsg.ListGroupsRequest{TypesFilter: []string{"consumer"}})
		s.do("classic", &kmsg.ListGroupsRequest{TypesFilter: []string{"classic"}})
	}
}

func scriptDeleteGroups(v int16, s *session) {
	s.coordinator()
	full, empty := fmt.Sprint("full", v), fmt.Sprint("empty", v)
	s.member(full)
	s.commit(empty, 0, 1)
	s.do("with members, empty, unknown", &kmsg.DeleteGroupsRequest{Groups: []string{full, empty, "none"}})
}

func scriptOffsetDelete(_ int16, s *session) {
	s.coordinator()
	s.commit("g", 0, 1)
	req := func(group string) *kmsg.OffsetDeleteRequest {
		return &kmsg.OffsetDeleteRequest{Group: group, Topics: []kmsg.OffsetDeleteRequestTopic{{Topic: "t", Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 0}, {Partition: 1}}}}}
	}
	s.do("committed and not", req("g"))
	s.do("unknown group", req("none"))
}
