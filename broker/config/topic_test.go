package config

import (
	"testing"

	"github.com/moldau/moldau/broker/kafka"
)

func TestTopicDefaults(t *testing.T) {
	const week = 7 * 24 * 3600 * 1000
	want := Topic{
		Durability: kafka.DurabilitySync, Delete: true,
		Compression: CompressionProducer, GzipLevel: -1, LZ4Level: 9, ZstdLevel: 3,
		SegmentBytes: 1 << 30, SegmentMs: week, SegmentIndexBytes: 10 << 20, IndexIntervalBytes: 4096, FileDeleteDelayMs: 60_000,
		RetentionMs: week, RetentionBytes: -1, FlushMessages: maxLong, FlushMs: maxLong,
		MaxMessageBytes: 1048588, MaxDecompressedMessageBytes: 2147483639,
		TimestampBeforeMaxMs: maxLong, TimestampAfterMaxMs: 3_600_000,
		DeleteRetentionMs: 86_400_000, MinCleanableDirtyRatio: 0.5, MaxCompactionLagMs: maxLong,
	}
	if got := ResolveTopic(Layers{}); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestTopicPrecedence(t *testing.T) {
	const hour, minute = 3_600_000, 60_000
	for _, c := range []struct {
		name string
		l    Layers
		want int64
	}{
		{"default", Layers{}, 168 * hour},
		{"hours", Layers{Static: Map{"log.retention.hours": "2"}}, 2 * hour},
		{"minutes over hours", Layers{Static: Map{"log.retention.hours": "2", "log.retention.minutes": "3"}}, 3 * minute},
		{"ms over minutes", Layers{Static: Map{"log.retention.minutes": "3", "log.retention.ms": "4"}}, 4},
		{"never in hours", Layers{Static: Map{"log.retention.hours": "-1"}}, -1},
		{"hours without end", Layers{Static: Map{"log.retention.hours": "2147483647"}}, 2147483647 * hour},
		{"cluster default over static", Layers{DefaultBroker: Map{"log.retention.ms": "5"}, Static: Map{"log.retention.ms": "4"}}, 5},
		{"dynamic ms over static hours", Layers{DefaultBroker: Map{"log.retention.ms": "5"}, Static: Map{"log.retention.hours": "4"}}, 5},
		{"broker over cluster default", Layers{Broker: Map{"log.retention.ms": "6"}, DefaultBroker: Map{"log.retention.ms": "5"}}, 6},
		{"derived over broker", Layers{Derived: Map{"retention.ms": "7"}, Broker: Map{"log.retention.ms": "6"}}, 7},
		{"topic over all", Layers{Topic: Map{"retention.ms": "8"}, Derived: Map{"retention.ms": "7"}, Broker: Map{"log.retention.ms": "6"}}, 8},
		{"a value of another version falls through", Layers{Topic: Map{"retention.ms": "-5"}, Broker: Map{"log.retention.ms": "6"}}, 6},
	} {
		if got := ResolveTopic(c.l).RetentionMs; got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func TestTopicValues(t *testing.T) {
	got := ResolveTopic(Layers{Topic: Map{
		"cleanup.policy": "compact", "compression.type": "zstd", "moldau.durability": "os", "min.insync.replicas": "2",
		"message.timestamp.type": "LogAppendTime", "unclean.leader.election.enable": "TRUE", "segment.jitter.ms": " 9 ",
	}})
	if got.Delete || !got.Compact || got.Compression != CompressionZstd || got.Durability != kafka.DurabilityOS ||
		got.MinInsyncReplicas != 2 || !got.LogAppendTime || !got.UncleanLeaderElection || got.SegmentJitterMs != 9 {
		t.Errorf("got %+v", got)
	}
	if empty := ResolveTopic(Layers{Topic: Map{"cleanup.policy": ""}}); empty.Delete || empty.Compact {
		t.Errorf("an empty cleanup.policy deletes or compacts: %+v", empty)
	}
	for text, want := range map[string]Compression{
		"uncompressed": CompressionNone, "gzip": CompressionGzip, "snappy": CompressionSnappy, "lz4": CompressionLZ4, "producer": CompressionProducer,
	} {
		if got := ResolveTopic(Layers{Static: Map{"compression.type": text}}).Compression; got != want {
			t.Errorf("%s: got %d", text, got)
		}
	}
}

func TestMinInsync(t *testing.T) {
	for replicas, want := range map[int]int{1: 1, 2: 2, 3: 2, 4: 3, 5: 3} {
		if got := new(Topic).MinInsync(replicas); got != want {
			t.Errorf("%d replicas: got %d, want %d", replicas, got, want)
		}
	}
	if got := (&Topic{MinInsyncReplicas: 3}).MinInsync(1); got != 3 {
		t.Errorf("an explicit value is not strict: %d", got)
	}
	for brokers, want := range map[int]int{0: 1, 1: 1, 2: 2, 3: 3, 9: 3} {
		if got := DefaultReplicationFactor(brokers); got != want {
			t.Errorf("%d brokers: got %d, want %d", brokers, got, want)
		}
	}
}

func TestCreationConfigs(t *testing.T) {
	got := CreationConfigs(Layers{Topic: Map{"retention.ms": "5"}, Static: Map{"moldau.durability": "os"}})
	if len(got) != 1 || got[0] != (Property{Name: "moldau.durability", Value: "os"}) {
		t.Errorf("got %v", got)
	}
}

func TestDescribeHidesSecrets(t *testing.T) {
	l := Layers{Static: Map{"ssl.keystore.password": "hunter2"}}
	d := DescribeBroker(l, []string{"ssl.keystore.password", "unheard"})
	if len(d) != 1 || !d[0].Null || !d[0].Sensitive || d[0].Value != "" || !d[0].Synonyms[0].Null || d[0].Synonyms[0].Value != "" {
		t.Errorf("got %+v", d)
	}
	e := Lookup(ScopeBroker, "delegation.token.secret.key")
	long := make([]byte, valueLenMax+1)
	if _, err := e.Parse(string(long)); err == nil || len(err.Error()) > 200 {
		t.Errorf("got %v", err)
	}
}

func TestDescribeDefaultBroker(t *testing.T) {
	d := DescribeDefaultBroker(Map{"log.retention.ms": "5"}, nil)
	if len(d) != 1 || d[0].Name != "log.retention.ms" || d[0].Origin != OriginDefaultBroker || d[0].Value != "5" {
		t.Errorf("got %+v", d)
	}
}

func BenchmarkResolveTopic(b *testing.B) {
	l := Layers{Topic: Map{"retention.ms": "5"}, Static: Map{"log.segment.bytes": "1048576"}}
	for b.Loop() {
		ResolveTopic(l)
	}
}
