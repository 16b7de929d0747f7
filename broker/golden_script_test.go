package broker_test

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/kafka"
)

func str(s string) *string { return &s }

// brokerScripts has a script for every key of the broker's listener.
var brokerScripts = map[int16]script{
	0: scriptProduce, 1: scriptFetch, 2: scriptListOffsets, 3: scriptMetadata,
	8: scriptOffsetCommit, 9: scriptOffsetFetch, 10: scriptFindCoordinator, 11: scriptJoinGroup,
	12: scriptHeartbeat, 13: scriptLeaveGroup, 14: scriptSyncGroup, 15: scriptDescribeGroups, 16: scriptListGroups,
	18: scriptAPIVersions, 19: scriptCreateTopics, 20: scriptDeleteTopics, 21: scriptDeleteRecords,
	22: scriptInitProducerID, 23: scriptOffsetForLeaderEpoch,
	29: scriptDescribeACLs, 30: scriptCreateACLs, 31: scriptDeleteACLs,
	32: scriptDescribeConfigs, 33: scriptAlterConfigs, 35: scriptDescribeLogDirs, 37: scriptCreatePartitions,
	42: scriptDeleteGroups, 43: scriptElectLeaders, 44: scriptIncrementalAlterConfigs, 45: scriptReassign, 46: scriptListReassignments,
	47: scriptOffsetDelete, 55: scriptDescribeQuorum, 57: scriptUpdateFeatures, 60: scriptDescribeCluster,
	64: scriptUnregisterBroker, 75: scriptDescribeTopicPartitions, 80: scriptAddRaftVoter, 81: scriptRemoveRaftVoter,
}

// topic creates a topic without recording it.
func (s *session) topic(name string, partitions int32, configs ...string) {
	s.t.Helper()
	s.ids[name] = s.broker.createTopic(name, partitions, configs...)
	settled(s.broker, name)
}

// plain is a batch of values without compression.
func (s *session) plain(values ...string) []byte { return records(s.t, batch.CodecNone, values...) }

// fill creates the topic "t" of two partitions, the first with three batches.
func (s *session) fill() {
	if !s.once() {
		return
	}
	s.topic("t", 2, "message.timestamp.before.max.ms=9223372036854775807")
	for i := range 3 {
		raw := s.plain(fmt.Sprint("a", i), fmt.Sprint("b", i))
		p := s.broker.produce("t", 0, -1, raw)
		for *peerKafka != "" && kafka.ErrorCode(p.ErrorCode) == kafka.ErrNotLeaderOrFollower {
			p = s.broker.produce("t", 0, -1, raw)
		}
		if p.ErrorCode != 0 {
			s.t.Fatalf("produce: %s", kafka.ErrorCode(p.ErrorCode))
		}
	}
}

func produceRequest(acks int16, topic string, id kafka.UUID, partition int32, raw []byte) *kmsg.ProduceRequest {
	return &kmsg.ProduceRequest{Acks: acks, TimeoutMillis: 10_000, Topics: []kmsg.ProduceRequestTopic{{
		Topic: topic, TopicID: id, Partitions: []kmsg.ProduceRequestTopicPartition{{Partition: partition, Records: raw}},
	}}}
}

func scriptProduce(v int16, s *session) {
	if s.once() {
		s.topic("t", 1, "message.timestamp.before.max.ms=9223372036854775807")
		s.topic("at", 1, "message.timestamp.type=LogAppendTime")
		s.topic("keyed", 1, "cleanup.policy=compact", "message.timestamp.before.max.ms=9223372036854775807")
		s.topic("young", 1)
	}
	damaged := s.plain("damaged")
	damaged[len(damaged)-1] ^= 1
	for _, c := range []struct {
		what, topic string
		acks        int16
		raw         []byte
		partition   int32
	}{
		{"acks all", "t", -1, s.plain("one", "two"), 0},
		{"acks leader", "t", 1, s.plain("three"), 0},
		{"append time", "at", 1, s.plain("now"), 0},
		{"no key in a compacted topic", "keyed", 1, keyless(s.t), 0},
		{"old timestamps where they are allowed at any age", "young", 1, s.plain("old"), 0},
		{"wrong checksum", "t", 1, damaged, 0},
		{"no records", "t", 1, []byte{}, 0},
		{"unknown partition", "t", 1, s.plain("x"), 7},
		{"unknown topic", "nowhere", 1, s.plain("x"), 0},
		{"acks 2", "t", 2, s.plain("x"), 0},
	} {
		id := s.ids[c.topic]
		if c.topic == "nowhere" {
			id = kafka.UUID{15: 9}
		}
		s.do(c.what, produceRequest(c.acks, c.topic, id, c.partition, c.raw))
	}
	s.do("no topics", &kmsg.ProduceRequest{Acks: 1, TimeoutMillis: 1000, Topics: []kmsg.ProduceRequestTopic{}})
	tx := produceRequest(-1, "t", s.ids["t"], 0, s.plain("x"))
	tx.TransactionID = str("tx")
	s.do("with a transactional id", tx)
}

func (s *session) fetchRequest(partition int32, offset int64) *kmsg.FetchRequest {
	return &kmsg.FetchRequest{
		ReplicaID: -1, MaxWaitMillis: 0, MinBytes: 1, MaxBytes: 1 << 20, SessionEpoch: -1,
		ReplicaState: kmsg.FetchRequestReplicaState{ID: -1, Epoch: -1},
		Topics: []kmsg.FetchRequestTopic{{Topic: "t", TopicID: s.ids["t"], Partitions: []kmsg.FetchRequestTopicPartition{{
			Partition: partition, FetchOffset: offset, PartitionMaxBytes: 1 << 20,
			CurrentLeaderEpoch: -1, LastFetchedEpoch: -1, LogStartOffset: -1, HighWatermark: 9223372036854775807,
		}}}},
	}
}

func scriptFetch(v int16, s *session) {
	s.fill()
	s.do("from the middle of the second batch", s.fetchRequest(0, 3))
	s.do("at the end", s.fetchRequest(0, 6))
	committed := s.fetchRequest(0, 4)
	committed.IsolationLevel = 1
	s.do("committed", committed)
	s.do("beyond the end", s.fetchRequest(0, 7))
	s.do("unknown partition", s.fetchRequest(9, 0))
	unknown := s.fetchRequest(0, 0)
	unknown.Topics[0].Topic, unknown.Topics[0].TopicID = "nowhere", kafka.UUID{15: 9}
	s.do("unknown topic", unknown)
	unknown.Topics[0].Topic, unknown.Topics[0].TopicID = "__cluster_metadata", metadataID
	s.do("the metadata log", unknown)
	one := s.fetchRequest(0, 0)
	one.MaxBytes = 1
	s.do("one batch above max_bytes", one)
	if v >= 9 {
		future := s.fetchRequest(0, 0)
		future.Topics[0].Partitions[0].CurrentLeaderEpoch = 99
		s.do("leader epoch of the future", future)
		none := s.fetchRequest(0, 0)
		none.Topics[0].Partitions[0].CurrentLeaderEpoch = -2
		s.do("leader epoch below all, which is none here", none)
	}
	if v >= 12 {
		div := s.fetchRequest(0, 6)
		div.Topics[0].Partitions[0].LastFetchedEpoch = 5
		s.do("last fetched epoch that is not known", div)
	}
	if v < 7 {
		return
	}
	full := s.fetchRequest(0, 4)
	full.SessionEpoch = 0
	id := s.do("session: full", full).(*kmsg.FetchResponse).SessionID
	next := &kmsg.FetchRequest{ReplicaID: -1, MinBytes: 1, MaxBytes: 1 << 20, SessionID: id, SessionEpoch: 1, ReplicaState: full.ReplicaState}
	s.do("session: with records again", next)
	moved := s.fetchRequest(0, 6)
	moved.SessionID, moved.SessionEpoch = id, 2
	s.do("session: moved to the end", moved)
	next.SessionEpoch = 3
	s.do("session: nothing new", next)
	s.do("session: wrong epoch", next)
	next.SessionID = 1
	s.do("session: unknown", next)
	s.do("no partitions", &kmsg.FetchRequest{ReplicaID: -1, MinBytes: 1, MaxBytes: 1 << 20, SessionEpoch: -1, Topics: []kmsg.FetchRequestTopic{}, ReplicaState: full.ReplicaState})
}

func scriptListOffsets(v int16, s *session) {
	s.fill()
	for _, at := range []int64{-1, -2, -3, -4, -5, -6, -7, 0, 1_700_000_000_001, 1_800_000_000_000} {
		s.do(fmt.Sprint("timestamp ", at), &kmsg.ListOffsetsRequest{ReplicaID: -1, Topics: []kmsg.ListOffsetsRequestTopic{{
			Topic: "t", Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Partition: 0, Timestamp: at, CurrentLeaderEpoch: -1}},
		}}})
	}
	s.do("unknown partition and topic, empty partition", &kmsg.ListOffsetsRequest{ReplicaID: -1, Topics: []kmsg.ListOffsetsRequestTopic{
		{Topic: "t", Partitions: []kmsg.ListOffsetsRequestTopicPartition{
			{Partition: 9, Timestamp: -1, CurrentLeaderEpoch: -1}, {Partition: 1, Timestamp: 5, CurrentLeaderEpoch: -1},
		}},
		{Topic: "nowhere", Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Timestamp: -1, CurrentLeaderEpoch: -1}}},
	}})
	s.do("one partition twice", &kmsg.ListOffsetsRequest{ReplicaID: -1, Topics: []kmsg.ListOffsetsRequestTopic{
		{Topic: "t", Partitions: []kmsg.ListOffsetsRequestTopicPartition{
			{Partition: 0, Timestamp: -1, CurrentLeaderEpoch: -1}, {Partition: 0, Timestamp: -2, CurrentLeaderEpoch: -1},
		}},
	}})
	if v >= 4 {
		s.do("leader epoch of the future", &kmsg.ListOffsetsRequest{ReplicaID: -1, Topics: []kmsg.ListOffsetsRequestTopic{{
			Topic: "t", Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Partition: 0, Timestamp: -1, CurrentLeaderEpoch: 9}},
		}}})
		s.do("leader epoch of the past", &kmsg.ListOffsetsRequest{ReplicaID: -1, Topics: []kmsg.ListOffsetsRequestTopic{{
			Topic: "t", Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Partition: 0, Timestamp: -1, CurrentLeaderEpoch: -2}},
		}}})
	}
}

func scriptMetadata(v int16, s *session) {
	s.fill()
	all := &kmsg.MetadataRequest{}
	if v == 0 {
		all.Topics = []kmsg.MetadataRequestTopic{}
	}
	s.do("all topics", all)
	s.do("known, unknown and invalid names", &kmsg.MetadataRequest{Topics: []kmsg.MetadataRequestTopic{
		{Topic: str("t")}, {Topic: str("bad name")},
	}})
	if v >= 1 {
		s.do("no topics", &kmsg.MetadataRequest{Topics: []kmsg.MetadataRequestTopic{}})
	}
	if v >= 4 {
		s.do("unknown name, not to be created", &kmsg.MetadataRequest{Topics: []kmsg.MetadataRequestTopic{{Topic: str("nowhere")}}})
	}
	if v >= 8 {
		s.do("authorized operations", &kmsg.MetadataRequest{
			Topics:                             []kmsg.MetadataRequestTopic{{Topic: str("t")}},
			IncludeClusterAuthorizedOperations: v <= 10, IncludeTopicAuthorizedOperations: true,
		})
	}
	if v >= 12 {
		s.do("by id, and an unknown id", &kmsg.MetadataRequest{Topics: []kmsg.MetadataRequestTopic{
			{TopicID: s.ids["t"]}, {TopicID: kafka.UUID{15: 9}},
		}})
	}
}

func scriptAPIVersions(v int16, s *session) {
	s.do("ask", &kmsg.ApiVersionsRequest{ClientSoftwareName: "test", ClientSoftwareVersion: "1.0", NodeID: -1})
	if v >= 3 {
		s.do("a name that is not allowed", &kmsg.ApiVersionsRequest{ClientSoftwareName: "a test", ClientSoftwareVersion: "1.0", NodeID: -1})
	}
	if v >= 5 {
		s.do("another cluster", &kmsg.ApiVersionsRequest{ClientSoftwareName: "test", ClientSoftwareVersion: "1", ClusterID: str("other"), NodeID: -1})
		s.do("another node", &kmsg.ApiVersionsRequest{ClientSoftwareName: "test", ClientSoftwareVersion: "1", NodeID: 77})
	}
}

func scriptCreateTopics(v int16, s *session) {
	s.once()
	name := fmt.Sprintf("t%d", v)
	req := func(topics ...kmsg.CreateTopicsRequestTopic) *kmsg.CreateTopicsRequest {
		return &kmsg.CreateTopicsRequest{TimeoutMillis: 10_000, Topics: topics}
	}
	partitions := int32(2)
	s.do("two partitions", req(kmsg.CreateTopicsRequestTopic{Topic: name, NumPartitions: partitions, ReplicationFactor: 1,
		Configs: []kmsg.CreateTopicsRequestTopicConfig{{Name: "retention.ms", Value: str("1000")}}}))
	s.do("again", req(kmsg.CreateTopicsRequestTopic{Topic: name, NumPartitions: partitions, ReplicationFactor: 1}))
	s.do("named twice", req(
		kmsg.CreateTopicsRequestTopic{Topic: name + "-twice", NumPartitions: 1, ReplicationFactor: 1},
		kmsg.CreateTopicsRequestTopic{Topic: name + "-twice", NumPartitions: 1, ReplicationFactor: 1}))
	s.do("name not allowed", req(kmsg.CreateTopicsRequestTopic{Topic: "a/b", NumPartitions: 1, ReplicationFactor: 1}))
	s.do("no partitions", req(kmsg.CreateTopicsRequestTopic{Topic: name + "-none", NumPartitions: 0, ReplicationFactor: 1}))
	s.do("too many replicas", req(kmsg.CreateTopicsRequestTopic{Topic: name + "-many", NumPartitions: 1, ReplicationFactor: 5}))
	s.do("unknown config", req(kmsg.CreateTopicsRequestTopic{Topic: name + "-config", NumPartitions: 1, ReplicationFactor: 1,
		Configs: []kmsg.CreateTopicsRequestTopicConfig{{Name: "no.such.thing", Value: str("1")}}}))
	s.do("assigned", req(kmsg.CreateTopicsRequestTopic{Topic: name + "-assigned", NumPartitions: -1, ReplicationFactor: -1,
		ReplicaAssignment: []kmsg.CreateTopicsRequestTopicReplicaAssignment{{Partition: 0, Replicas: []int32{1}}}}))
	only := req(kmsg.CreateTopicsRequestTopic{Topic: name + "-only", NumPartitions: 1, ReplicationFactor: 1})
	only.ValidateOnly = true
	s.do("validate only", only)
	if v >= 4 {
		s.do("defaults", req(kmsg.CreateTopicsRequestTopic{Topic: name + "-default", NumPartitions: -1, ReplicationFactor: -1}))
	}
}

func scriptDeleteTopics(v int16, s *session) {
	s.once()
	name := fmt.Sprintf("t%d", v)
	s.topic(name, 1)
	if v < 6 {
		s.do("known and unknown", &kmsg.DeleteTopicsRequest{TimeoutMillis: 10_000, TopicNames: []string{name, "nowhere"}})
		return
	}
	s.topic("by-id", 1)
	s.do("names and ids", &kmsg.DeleteTopicsRequest{TimeoutMillis: 10_000, Topics: []kmsg.DeleteTopicsRequestTopic{
		{Topic: str(name)}, {Topic: str("nowhere")}, {TopicID: s.ids["by-id"]}, {TopicID: kafka.UUID{15: 9}},
	}})
}

func scriptDeleteRecords(v int16, s *session) {
	s.fill()
	if v == 0 {
		s.topic("keyed", 1, "cleanup.policy=compact")
		s.topic("both", 1, "cleanup.policy=compact,delete")
	}
	req := func(topic string, partition int32, offset int64) *kmsg.DeleteRecordsRequest {
		return &kmsg.DeleteRecordsRequest{TimeoutMillis: 10_000, Topics: []kmsg.DeleteRecordsRequestTopic{{
			Topic: topic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: partition, Offset: offset}},
		}}}
	}
	s.do("below an offset", req("t", 0, int64(v)+1))
	s.do("below an offset that is gone", req("t", 0, 0))
	s.do("beyond the end", req("t", 0, 99))
	s.do("negative", req("t", 0, -2))
	s.do("to the high watermark", req("t", 1, -1))
	s.do("unknown partition", req("t", 5, 0))
	s.do("unknown topic", req("nowhere", 0, 0))
	s.do("compacted", req("keyed", 0, 0))
	s.do("compacted and deleted", req("both", 0, 0))
}

func scriptInitProducerID(v int16, s *session) {
	s.do("fresh", &kmsg.InitProducerIDRequest{ProducerID: -1, ProducerEpoch: -1, TransactionTimeoutMillis: 60_000})
	s.do("empty transactional id", &kmsg.InitProducerIDRequest{TransactionalID: str(""), ProducerID: -1, ProducerEpoch: -1, TransactionTimeoutMillis: 60_000})
	if *peerKafka == "" {
		s.do("transactional id", &kmsg.InitProducerIDRequest{TransactionalID: str("tx"), ProducerID: -1, ProducerEpoch: -1, TransactionTimeoutMillis: 60_000})
	}
}

func scriptOffsetForLeaderEpoch(v int16, s *session) {
	s.fill()
	req := func(topic string, partition, current, epoch int32) *kmsg.OffsetForLeaderEpochRequest {
		return &kmsg.OffsetForLeaderEpochRequest{ReplicaID: -1, Topics: []kmsg.OffsetForLeaderEpochRequestTopic{{
			Topic: topic, Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{Partition: partition, CurrentLeaderEpoch: current, LeaderEpoch: epoch}},
		}}}
	}
	s.do("the first epoch", req("t", 0, -1, 0))
	s.do("an epoch to come", req("t", 0, -1, 5))
	s.do("below all", req("t", 0, -1, -1))
	s.do("current epoch of the future", req("t", 0, 9, 0))
	s.do("current epoch of the past", req("t", 0, -2, 0))
	s.do("unknown partition", req("t", 9, -1, 0))
	s.do("unknown topic", req("nowhere", 0, -1, 0))
}

func scriptDescribeACLs(_ int16, s *session) {
	s.do("any", &kmsg.DescribeACLsRequest{ResourceType: kmsg.ACLResourceTypeAny, ResourcePatternType: kmsg.ACLResourcePatternTypeAny, Operation: kmsg.ACLOperationAny, PermissionType: kmsg.ACLPermissionTypeAny})
}

func scriptCreateACLs(_ int16, s *session) {
	s.do("two", &kmsg.CreateACLsRequest{Creations: []kmsg.CreateACLsRequestCreation{
		{ResourceType: kmsg.ACLResourceTypeTopic, ResourceName: "t", ResourcePatternType: kmsg.ACLResourcePatternTypeLiteral, Principal: "User:a", Host: "*", Operation: kmsg.ACLOperationRead, PermissionType: kmsg.ACLPermissionTypeAllow},
		{ResourceType: kmsg.ACLResourceTypeTopic, ResourceName: "u", ResourcePatternType: kmsg.ACLResourcePatternTypeLiteral, Principal: "User:a", Host: "*", Operation: kmsg.ACLOperationRead, PermissionType: kmsg.ACLPermissionTypeAllow},
	}})
}

func scriptDeleteACLs(_ int16, s *session) {
	s.do("one filter", &kmsg.DeleteACLsRequest{Filters: []kmsg.DeleteACLsRequestFilter{
		{ResourceType: kmsg.ACLResourceTypeAny, ResourcePatternType: kmsg.ACLResourcePatternTypeAny, Operation: kmsg.ACLOperationAny, PermissionType: kmsg.ACLPermissionTypeAny},
	}})
}

func scriptDescribeConfigs(v int16, s *session) {
	if s.once() {
		s.topic("t", 1, "retention.ms=1000")
	}
	req := func(kind kmsg.ConfigResourceType, name string, names ...string) *kmsg.DescribeConfigsRequest {
		return &kmsg.DescribeConfigsRequest{Resources: []kmsg.DescribeConfigsRequestResource{{ResourceType: kind, ResourceName: name, ConfigNames: names}}}
	}
	synonyms := req(kmsg.ConfigResourceTypeTopic, "t", "retention.ms", "cleanup.policy", "max.message.bytes", "no.such.thing")
	synonyms.IncludeSynonyms, synonyms.IncludeDocumentation = true, v >= 3 && *peerKafka == ""
	s.do("topic with synonyms", synonyms)
	broker := req(kmsg.ConfigResourceTypeBroker, "1", "num.partitions", "message.max.bytes", "log.retention.ms")
	broker.IncludeSynonyms = true
	s.do("broker", broker)
	s.do("all brokers", req(kmsg.ConfigResourceTypeBroker, "", "num.partitions"))
	s.do("unknown topic", req(kmsg.ConfigResourceTypeTopic, "nowhere", "retention.ms"))
	s.do("invalid topic", req(kmsg.ConfigResourceTypeTopic, "a b", "retention.ms"))
	s.do("another broker", req(kmsg.ConfigResourceTypeBroker, "7", "num.partitions"))
	s.do("unknown type", req(77, "x"))
	s.do("names empty", &kmsg.DescribeConfigsRequest{Resources: []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "t", ConfigNames: []string{}}}})
}

func scriptAlterConfigs(v int16, s *session) {
	if s.once() {
		s.topic("t", 1, "retention.ms=1000")
	}
	req := func(kind kmsg.ConfigResourceType, name, key, value string) *kmsg.AlterConfigsRequest {
		return &kmsg.AlterConfigsRequest{Resources: []kmsg.AlterConfigsRequestResource{{ResourceType: kind, ResourceName: name,
			Configs: []kmsg.AlterConfigsRequestResourceConfig{{Name: key, Value: &value}}}}}
	}
	s.do("topic", req(kmsg.ConfigResourceTypeTopic, "t", "retention.ms", fmt.Sprint(2000+v)))
	s.do("unknown topic", req(kmsg.ConfigResourceTypeTopic, "nowhere", "retention.ms", "5"))
	s.do("wrong value", req(kmsg.ConfigResourceTypeTopic, "t", "retention.ms", "soon"))
	s.do("unknown name", req(kmsg.ConfigResourceTypeTopic, "t", "no.such.thing", "1"))
	only := req(kmsg.ConfigResourceTypeTopic, "t", "retention.ms", "9")
	only.ValidateOnly = true
	s.do("validate only", only)
}

func scriptIncrementalAlterConfigs(v int16, s *session) {
	if s.once() {
		s.topic("t", 1, "cleanup.policy=delete")
	}
	req := func(kind kmsg.ConfigResourceType, name, key string, op kmsg.IncrementalAlterConfigOp, value *string) *kmsg.IncrementalAlterConfigsRequest {
		return &kmsg.IncrementalAlterConfigsRequest{Resources: []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: kind, ResourceName: name,
			Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: key, Op: op, Value: value}}}}}
	}
	const topic = kmsg.ConfigResourceTypeTopic
	s.do("set", req(topic, "t", "retention.ms", kmsg.IncrementalAlterConfigOpSet, str("3000")))
	s.do("append", req(topic, "t", "cleanup.policy", kmsg.IncrementalAlterConfigOpAppend, str("compact")))
	s.do("subtract", req(topic, "t", "cleanup.policy", kmsg.IncrementalAlterConfigOpSubtract, str("compact")))
	s.do("append to what is no list", req(topic, "t", "retention.ms", kmsg.IncrementalAlterConfigOpAppend, str("1")))
	s.do("delete", req(topic, "t", "retention.ms", kmsg.IncrementalAlterConfigOpDelete, nil))
	s.do("set to null", req(topic, "t", "retention.ms", kmsg.IncrementalAlterConfigOpSet, nil))
	s.do("unknown operation", req(topic, "t", "retention.ms", 9, str("1")))
	s.do("wrong value", req(topic, "t", "retention.ms", kmsg.IncrementalAlterConfigOpSet, str("soon")))
	s.do("unknown topic", req(topic, "nowhere", "retention.ms", kmsg.IncrementalAlterConfigOpSet, str("1")))
	s.do("all brokers", req(kmsg.ConfigResourceTypeBroker, "", "message.max.bytes", kmsg.IncrementalAlterConfigOpSet, str("2000000")))
	s.do("a fixed setting of a broker", req(kmsg.ConfigResourceTypeBroker, "1", "node.id", kmsg.IncrementalAlterConfigOpSet, str("5")))
}

func scriptDescribeLogDirs(v int16, s *session) {
	s.fill()
	if *peerKafka != "" {
		s.do("one partition", &kmsg.DescribeLogDirsRequest{Topics: []kmsg.DescribeLogDirsRequestTopic{{Topic: "t", Partitions: []int32{0}}}})
		return
	}
	s.do("all", &kmsg.DescribeLogDirsRequest{})
	s.do("one partition", &kmsg.DescribeLogDirsRequest{Topics: []kmsg.DescribeLogDirsRequestTopic{{Topic: "t", Partitions: []int32{0}}}})
	s.do("none", &kmsg.DescribeLogDirsRequest{Topics: []kmsg.DescribeLogDirsRequestTopic{}})
}

func scriptCreatePartitions(v int16, s *session) {
	if s.once() {
		s.topic("t", 1)
	}
	req := func(topic string, count int32) *kmsg.CreatePartitionsRequest {
		return &kmsg.CreatePartitionsRequest{TimeoutMillis: 10_000, Topics: []kmsg.CreatePartitionsRequestTopic{{Topic: topic, Count: count}}}
	}
	s.do("more", req("t", int32(v)+2))
	s.do("as many", req("t", int32(v)+2))
	s.do("fewer", req("t", 1))
	s.do("unknown topic", req("nowhere", 3))
	only := req("t", 100)
	only.ValidateOnly = true
	s.do("validate only", only)
	two := req("t", 50)
	two.Topics = append(two.Topics, two.Topics[0])
	s.do("named twice", two)
}

func scriptElectLeaders(v int16, s *session) {
	s.fill()
	req := func(kind int8, topic string, partitions ...int32) *kmsg.ElectLeadersRequest {
		return &kmsg.ElectLeadersRequest{ElectionType: kind, TimeoutMillis: 10_000, Topics: []kmsg.ElectLeadersRequestTopic{{Topic: topic, Partitions: partitions}}}
	}
	s.do("preferred, led already", req(0, "t", 0))
	s.do("unknown", req(0, "nowhere", 0))
	s.do("all", &kmsg.ElectLeadersRequest{TimeoutMillis: 10_000})
	if v >= 1 {
		s.do("unclean, not needed", req(1, "t", 0))
	}
}

func scriptReassign(v int16, s *session) {
	if s.once() {
		s.topic("t", 2)
	}
	req := func(topic string, parts ...kmsg.AlterPartitionAssignmentsRequestTopicPartition) *kmsg.AlterPartitionAssignmentsRequest {
		return &kmsg.AlterPartitionAssignmentsRequest{TimeoutMillis: 10_000, AllowReplicationFactorChange: true, Topics: []kmsg.AlterPartitionAssignmentsRequestTopic{{Topic: topic, Partitions: parts}}}
	}
	to := func(partition int32, replicas ...int32) kmsg.AlterPartitionAssignmentsRequestTopicPartition {
		return kmsg.AlterPartitionAssignmentsRequestTopicPartition{Partition: partition, Replicas: replicas}
	}
	s.do("what it has", req("t", to(0, 1), to(1, 1)))
	s.do("nothing to cancel", req("t", to(0)))
	s.do("unknown topic", req("nowhere", to(0, 1)))
	s.do("unknown partition", req("t", to(9, 1)))
	s.do("unknown broker", req("t", to(0, 1, 7)))
	s.do("a broker twice", req("t", to(0, 1, 1)))
	s.do("no replicas", req("t", kmsg.AlterPartitionAssignmentsRequestTopicPartition{Partition: 0, Replicas: []int32{}}))
	if v >= 1 {
		more := req("t", to(0, 1))
		more.AllowReplicationFactorChange = false
		s.do("the same number", more)
	}
}

func scriptListReassignments(_ int16, s *session) {
	if s.once() {
		s.topic("t", 2)
	}
	s.do("all", &kmsg.ListPartitionReassignmentsRequest{TimeoutMillis: 1000})
	s.do("of a topic", &kmsg.ListPartitionReassignmentsRequest{TimeoutMillis: 1000, Topics: []kmsg.ListPartitionReassignmentsRequestTopic{
		{Topic: "t", Partitions: []int32{0, 1, 9}}, {Topic: "nowhere", Partitions: []int32{0}},
	}})
}

func scriptDescribeQuorum(_ int16, s *session) {
	s.do("the metadata log", &kmsg.DescribeQuorumRequest{Topics: []kmsg.DescribeQuorumRequestTopic{{
		Topic: "__cluster_metadata", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{Partition: 0}},
	}}})
	s.do("another topic", &kmsg.DescribeQuorumRequest{Topics: []kmsg.DescribeQuorumRequestTopic{{
		Topic: "t", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{Partition: 0}},
	}}})
}

func scriptUpdateFeatures(v int16, s *session) {
	s.do("none", &kmsg.UpdateFeaturesRequest{TimeoutMillis: 10_000})
	s.do("unknown", &kmsg.UpdateFeaturesRequest{TimeoutMillis: 10_000, FeatureUpdates: []kmsg.UpdateFeaturesRequestFeatureUpdate{
		{Feature: "no.such.feature", MaxVersionLevel: 1, UpgradeType: 1},
	}})
}

func scriptDescribeCluster(v int16, s *session) {
	s.do("ask", &kmsg.DescribeClusterRequest{EndpointType: 1})
	s.do("authorized operations", &kmsg.DescribeClusterRequest{EndpointType: 1, IncludeClusterAuthorizedOperations: true})
	if v >= 1 {
		s.do("for controllers", &kmsg.DescribeClusterRequest{EndpointType: 2})
	}
}

func scriptAddRaftVoter(_ int16, s *session) {
	s.do("without a directory", &kmsg.AddRaftVoterRequest{VoterID: 2, TimeoutMillis: 100, AckWhenCommitted: true})
	other := "another"
	s.do("of another cluster", &kmsg.AddRaftVoterRequest{ClusterID: &other, VoterID: 2, VoterDirectoryID: kafka.UUID{15: 9}, TimeoutMillis: 100})
}

func scriptRemoveRaftVoter(_ int16, s *session) {
	s.do("unknown", &kmsg.RemoveRaftVoterRequest{VoterID: 2, VoterDirectoryID: kafka.UUID{15: 9}})
}

func scriptUnregisterBroker(_ int16, s *session) {
	s.do("unknown", &kmsg.UnregisterBrokerRequest{BrokerID: 77})
}

func scriptDescribeTopicPartitions(_ int16, s *session) {
	if s.once() {
		s.topic("a", 3)
		s.topic("b", 2)
	}
	topics := []kmsg.DescribeTopicPartitionsRequestTopic{{Topic: "b"}, {Topic: "a"}, {Topic: "nowhere"}}
	s.do("named", &kmsg.DescribeTopicPartitionsRequest{Topics: topics, ResponsePartitionLimit: 2000})
	s.do("first page", &kmsg.DescribeTopicPartitionsRequest{Topics: topics, ResponsePartitionLimit: 2})
	s.do("second page", &kmsg.DescribeTopicPartitionsRequest{Topics: topics, ResponsePartitionLimit: 2, Cursor: &kmsg.DescribeTopicPartitionsRequestCursor{Topic: "a", Partition: 2}})
	s.do("all", &kmsg.DescribeTopicPartitionsRequest{ResponsePartitionLimit: 2000})
	s.do("negative cursor", &kmsg.DescribeTopicPartitionsRequest{Topics: topics, ResponsePartitionLimit: 2, Cursor: &kmsg.DescribeTopicPartitionsRequestCursor{Topic: "a", Partition: -1}})
	s.do("limit zero", &kmsg.DescribeTopicPartitionsRequest{Topics: topics, ResponsePartitionLimit: 0})
	s.do("name not allowed", &kmsg.DescribeTopicPartitionsRequest{Topics: []kmsg.DescribeTopicPartitionsRequestTopic{{Topic: "a/" + strings.Repeat("x", 3)}}, ResponsePartitionLimit: 1})
}
