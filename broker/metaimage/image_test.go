package metaimage

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metarecord"
)

// dump is the image's snapshot as text: the encoded records.
func dump(m *Image) string {
	var b strings.Builder
	for r := range m.Records() {
		fmt.Fprintf(&b, "%s %x\n", r.Type(), metarecord.Encode(nil, r, r.Type().MaxVersion()))
	}
	return b.String()
}

func checkpointOf(t testing.TB, m *Image) []byte {
	e := metarecord.NewCheckpointEncoder(m.Epoch(), 1, m.MetadataVersion())
	var file []byte
	var err error
	for r := range m.Records() {
		if file, err = e.Add(file, r); err != nil {
			t.Fatal(err)
		}
	}
	return e.Finish(file)
}

func loadCheckpoint(t testing.TB, file []byte, offset int64) *Image {
	l := NewLoader("c")
	info, err := metarecord.DecodeCheckpoint(file, l.Add)
	if err != nil {
		t.Fatal(err)
	}
	return l.Image(offset, info.Epoch)
}

// testdata/kafka-4.4.0.{log,checkpoint} are the metadata log and a checkpoint
// of one run of Apache Kafka 4.4.0 (one combined node, one topic created, a
// clean stop). The checkpoint stands for the log's records below offset 99.
func TestKafkaFiles(t *testing.T) {
	file, err := os.ReadFile("testdata/kafka-4.4.0.checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	m := loadCheckpoint(t, file, 98)
	topic := m.TopicByName("one")
	if topic == nil || topic.NumPartitions() != 3 || m.NumPartitions() != 3 || topic.Partition(2).Leader != 1 {
		t.Fatalf("topic: %+v", topic)
	}
	if v, ok := m.Config(Resource{ResourceTopic, "one"}, "retention.ms"); !ok || v.Value != "1000" {
		t.Errorf("retention.ms: %+v", v)
	}
	b := m.Broker(1)
	if b == nil || b.Fenced || b.Rack == nil || *b.Rack != "r1" || len(b.LogDirs) != 1 {
		t.Errorf("broker: %+v", b)
	}
	if e, ok := b.EndPoint("PLAINTEXT"); !ok || e.Port != 19192 {
		t.Errorf("endpoint: %+v", e)
	}
	if m.Feature(FeatureELR) != 1 || m.MetadataVersion() != 33 || m.Controller(1) == nil {
		t.Errorf("metadata.version %d", m.MetadataVersion())
	}
	again := loadCheckpoint(t, checkpointOf(t, m), 98)
	if dump(again) != dump(m) {
		t.Error("our checkpoint of Kafka's image differs")
	}

	log, err := os.ReadFile("testdata/kafka-4.4.0.log")
	if err != nil {
		t.Fatal(err)
	}
	l := NewLoader("c")
	for len(log) > 0 {
		b, rest, err := metarecord.DecodeBatch(log, metarecord.NewCodecs())
		if err != nil {
			t.Fatal(err)
		}
		if b.BaseOffset >= 99 {
			break
		}
		for _, r := range b.Records {
			switch r := r.(type) {
			case *metarecord.RegisterBroker: // Kafka's snapshot has them in the order of a hash map
				slices.SortFunc(r.Features, func(a, b metarecord.BrokerFeature) int { return strings.Compare(a.Name, b.Name) })
			case *metarecord.BeginTransaction, *metarecord.EndTransaction:
				continue
			}
			if err := l.Add(r); err != nil {
				t.Fatal(err)
			}
		}
		log = rest
	}
	slices.SortFunc(b.Features, func(a, b metarecord.BrokerFeature) int { return strings.Compare(a.Name, b.Name) })
	if got := dump(l.Image(98, 1)); got != dump(m) {
		t.Errorf("log:\n%s\ncheckpoint:\n%s", got, dump(m))
	}
}

// rewrite writes the golden checkpoint anew.
var rewrite = flag.Bool("rewrite", false, "rewrite testdata/every-table.checkpoint")

// A checkpoint with something in every table is what it was, byte for byte.
// Apache Kafka's own decoder reads that file in tests/kafkajvm.
func TestCheckpointGolden(t *testing.T) {
	const golden = "testdata/every-table.checkpoint"
	got := checkpointOf(t, sample(t))
	if *rewrite {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the checkpoint of %d bytes differs from %s of %d", len(got), golden, len(want))
	}
	if dump(loadCheckpoint(t, want, sample(t).Offset())) != dump(sample(t)) {
		t.Error("the image read back differs")
	}
}

func ptr[T any](v T) *T { return &v }

// sample is an image with something in every table.
func sample(t testing.TB) *Image {
	topic := kafka.UUID{1, 15: 9}
	p := metarecord.NewPartition()
	p.TopicID, p.PartitionID, p.Leader, p.LeaderEpoch, p.PartitionEpoch = topic, 0, 1, 3, 4
	p.Replicas, p.ISR, p.EligibleLeaderReplicas, p.Directories = []int32{1, 2}, []int32{1}, []int32{2}, []kafka.UUID{{7}, {8}}
	p.Doubtful = []metarecord.DoubtfulReplica{{BrokerID: 2, LastEpoch: 2, End: 77}}
	b := metarecord.NewRegisterBroker()
	b.BrokerID, b.BrokerEpoch, b.LogDirs = 1, 2, []kafka.UUID{{7}}
	b.EndPoints = []metarecord.BrokerEndpoint{{Name: "PLAINTEXT", Host: "h", Port: 65535}}
	b.ReplicaEnds = []metarecord.PartitionEnd{{TopicID: topic, PartitionID: 3, LastEpoch: 1, End: 5}}
	m, _, err := New("c").Apply([]metarecord.Record{
		&metarecord.FeatureLevel{Name: FeatureMetadataVersion, FeatureLevel: 30},
		&metarecord.FeatureLevel{Name: FeatureELR, FeatureLevel: 1},
		&metarecord.RegisterController{ControllerID: 1, EndPoints: []metarecord.ControllerEndpoint{{Name: "C", Host: "h", Port: 9093}}},
		b,
		&metarecord.Topic{Name: "t", TopicID: topic},
		p,
		&metarecord.Config{ResourceType: 2, ResourceName: "t", Name: "min.insync.replicas", Value: ptr("2"), Derived: true},
		&metarecord.ClientQuota{Entity: []metarecord.QuotaEntity{{EntityType: "user", EntityName: ptr("u")}, {EntityType: "client-id"}}, Key: "producer_byte_rate", Value: 1.5},
		&metarecord.ProducerIDs{BrokerID: 1, BrokerEpoch: 2, NextProducerID: 1000},
		&metarecord.AccessControlEntry{ID: kafka.UUID{5}, ResourceType: 2, ResourceName: "t", PatternType: 3, Principal: "User:u", Host: "*", Operation: 2, PermissionType: 3},
		&metarecord.UserScramCredential{Name: "u", Mechanism: 1, Salt: []byte("s"), StoredKey: []byte("k"), ServerKey: []byte("v"), Iterations: 4096},
		&metarecord.DelegationToken{Owner: "User:u", Requester: "User:u", TokenID: "id", Renewers: []string{"User:v"}},
	}, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
