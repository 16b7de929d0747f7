package broker_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/kafka"
)

// controllerScripts has a script for every key of the controller listener.
// The node's own broker is 1; requests of brokers are those of broker 2.
var controllerScripts = map[int16]script{
	1: scriptMetadataFetch, 18: scriptAPIVersions, 19: scriptCreateTopics, 20: scriptDeleteTopics,
	33: scriptAlterConfigs, 37: scriptCreatePartitions, 43: scriptElectLeaders, 44: scriptIncrementalAlterConfigs,
	45: scriptReassign, 46: scriptListReassignments, 55: scriptDescribeQuorum, 56: scriptAlterPartition, 57: scriptUpdateFeatures, 59: scriptFetchSnapshot,
	60: scriptControllerDescribeCluster, 62: scriptBrokerRegistration, 63: scriptBrokerHeartbeat, 64: scriptUnregisterBroker,
	67: scriptAllocateProducerIDs, 70: scriptControllerRegistration, 73: scriptAssignReplicas,
	80: scriptAddRaftVoter, 81: scriptRemoveRaftVoter,
}

// keyless is a batch whose second record has no key.
func keyless(t *testing.T) []byte {
	t.Helper()
	b := batch.NewBuilder(batch.BuilderOptions{})
	for i, key := range [][]byte{[]byte("k"), nil} {
		if err := b.Append(batch.NewRecord{Timestamp: 1_700_000_000_000 + int64(i), Key: key, Value: []byte("v")}); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := b.Build(batch.NewCodecs(batch.Limits{}))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// metadataID is the reserved id of the metadata log's topic.
var metadataID = kafka.UUID{15: 1}

func scriptMetadataFetch(v int16, s *session) {
	req := func(epoch, last int32, offset int64) *kmsg.FetchRequest {
		return &kmsg.FetchRequest{
			ReplicaID: 2, MaxWaitMillis: 0, MaxBytes: 1, SessionEpoch: -1, ReplicaState: kmsg.FetchRequestReplicaState{ID: -1, Epoch: -1},
			Topics: []kmsg.FetchRequestTopic{{Topic: "__cluster_metadata", TopicID: metadataID, Partitions: []kmsg.FetchRequestTopicPartition{{
				FetchOffset: offset, CurrentLeaderEpoch: epoch, LastFetchedEpoch: last, PartitionMaxBytes: 1, HighWatermark: 9223372036854775807,
			}}}},
		}
	}
	s.do("leader epoch of the future", req(99, 0, 0))
	s.do("leader epoch of the past", req(0, 0, 0))
	s.do("from the beginning", req(-1, -1, 0))
	s.do("goes on where this log ends", req(-1, 77, 1_000_000))
	s.do("diverging", req(-1, 1, 3))
	other := req(-1, -1, 0)
	other.Topics[0].Topic, other.Topics[0].TopicID = "t", kafka.UUID{15: 9}
	s.do("another topic", other)
}

func scriptAlterPartition(v int16, s *session) {
	if s.once() {
		s.topic("t", 1)
	}
	req := &kmsg.AlterPartitionRequest{BrokerID: 1, BrokerEpoch: 1_000_000, Topics: []kmsg.AlterPartitionRequestTopic{{
		TopicID: s.ids["t"], Partitions: []kmsg.AlterPartitionRequestTopicPartition{{NewISR: []int32{1}, NewEpochISR: []kmsg.AlterPartitionRequestTopicPartitionNewEpochISR{{BrokerID: 1, BrokerEpoch: -1}}}},
	}}}
	s.do("of another incarnation", req)
	req.BrokerID = 9
	s.do("of an unknown broker", req)
}

func scriptFetchSnapshot(_ int16, s *session) {
	for _, c := range []struct {
		what  string
		epoch int32
	}{{"unknown", -1}, {"leader epoch of the future", 99}, {"leader epoch of the past", 0}} {
		s.do(c.what, &kmsg.FetchSnapshotRequest{ReplicaID: 2, MaxBytes: 1 << 20, Topics: []kmsg.FetchSnapshotRequestTopic{{
			Topic: "__cluster_metadata", Partitions: []kmsg.FetchSnapshotRequestTopicPartition{{
				CurrentLeaderEpoch: c.epoch, SnapshotID: kmsg.FetchSnapshotRequestTopicPartitionSnapshotID{EndOffset: 123456, Epoch: 9},
			}},
		}}})
	}
}

func scriptControllerDescribeCluster(v int16, s *session) {
	s.do("for brokers", &kmsg.DescribeClusterRequest{EndpointType: 1})
	if v >= 1 {
		s.do("for controllers", &kmsg.DescribeClusterRequest{EndpointType: 2})
	}
}

func registration(clusterID string, broker int32) *kmsg.BrokerRegistrationRequest {
	return &kmsg.BrokerRegistrationRequest{
		BrokerID: broker, ClusterID: clusterID, IncarnationID: kafka.UUID{1, 2, 15: byte(broker)}, PreviousBrokerEpoch: -1,
		Listeners: []kmsg.BrokerRegistrationRequestListener{{Name: "PLAINTEXT", Host: "h2", Port: 9092}},
		Features:  []kmsg.BrokerRegistrationRequestFeature{{Name: "metadata.version", MinSupportedVersion: 7, MaxSupportedVersion: 30}},
		LogDirs:   [][16]byte{{3, 15: byte(broker)}},
	}
}

// clusterID asks the node for it.
func (s *session) clusterID() string {
	return *s.prepare(5, &kmsg.MetadataRequest{Topics: []kmsg.MetadataRequestTopic{}}).(*kmsg.MetadataResponse).ClusterID
}

func scriptBrokerRegistration(v int16, s *session) {
	s.do("another cluster", registration("elsewhere", 20+int32(v)))
	if cluster := s.clusterID(); *peerKafka == "" {
		s.do("new", registration(cluster, 20+int32(v)))
	}
}

func scriptBrokerHeartbeat(_ int16, s *session) {
	s.do("unknown broker", &kmsg.BrokerHeartbeatRequest{BrokerID: 9, BrokerEpoch: 1, CurrentMetadataOffset: 1})
	s.do("of another incarnation", &kmsg.BrokerHeartbeatRequest{BrokerID: 1, BrokerEpoch: 1_000_000, CurrentMetadataOffset: 1})
}

func scriptAllocateProducerIDs(_ int16, s *session) {
	s.do("unknown broker", &kmsg.AllocateProducerIDsRequest{BrokerID: 9, BrokerEpoch: 1})
	s.do("of another incarnation", &kmsg.AllocateProducerIDsRequest{BrokerID: 1, BrokerEpoch: 1_000_000})
}

func scriptControllerRegistration(_ int16, s *session) {
	s.do("of a stranger", &kmsg.ControllerRegistrationRequest{
		ControllerID: 9, IncarnationID: kafka.UUID{9},
		Listeners: []kmsg.ControllerRegistrationRequestListener{{Name: "CONTROLLER", Host: "h9", Port: 9093}},
		Features:  []kmsg.ControllerRegistrationRequestFeature{{Name: "metadata.version", MinSupportedVersion: 7, MaxSupportedVersion: 30}},
	})
}

func scriptAssignReplicas(_ int16, s *session) {
	if s.once() {
		s.topic("t", 1)
	}
	s.do("of another incarnation", &kmsg.AssignReplicasToDirsRequest{BrokerID: 1, BrokerEpoch: 1_000_000, Directories: []kmsg.AssignReplicasToDirsRequestDirectory{{
		ID: kafka.UUID{5}, Topics: []kmsg.AssignReplicasToDirsRequestDirectoryTopic{{TopicID: s.ids["t"], Partitions: []kmsg.AssignReplicasToDirsRequestDirectoryTopicPartition{{Partition: 0}}}},
	}}})
}
