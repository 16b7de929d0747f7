package config

import (
	"fmt"
	"slices"

	"github.com/moldau/moldau/broker/kafka"
)

// Compression is the codec in which a topic's batches are stored. The codecs
// are numbered as in a batch's attributes.
type Compression int8

const (
	CompressionProducer Compression = -1 // as the producer sent them
	CompressionNone     Compression = 0
	CompressionGzip     Compression = 1
	CompressionSnappy   Compression = 2
	CompressionLZ4      Compression = 3
	CompressionZstd     Compression = 4
)

// Topic is the effective configuration of one topic. Times are in
// milliseconds, sizes in bytes; -1 means without limit where said.
type Topic struct {
	Durability kafka.Durability // moldau.durability

	Delete  bool // cleanup.policy has delete
	Compact bool // cleanup.policy has compact

	Compression Compression // compression.type
	GzipLevel   int         // compression.gzip.level, -1 for the codec's default
	LZ4Level    int         // compression.lz4.level
	ZstdLevel   int         // compression.zstd.level

	SegmentBytes       int64 // segment.bytes
	SegmentMs          int64 // segment.ms
	SegmentJitterMs    int64 // segment.jitter.ms
	SegmentIndexBytes  int   // segment.index.bytes
	IndexIntervalBytes int64 // index.interval.bytes
	FileDeleteDelayMs  int64 // file.delete.delay.ms
	Preallocate        bool  // preallocate

	RetentionMs    int64 // retention.ms, -1 for ever
	RetentionBytes int64 // retention.bytes, -1 without limit

	FlushMessages int64 // flush.messages
	FlushMs       int64 // flush.ms

	MaxMessageBytes             int   // max.message.bytes
	MaxDecompressedMessageBytes int   // max.decompressed.message.bytes
	LogAppendTime               bool  // message.timestamp.type is LogAppendTime
	TimestampBeforeMaxMs        int64 // message.timestamp.before.max.ms
	TimestampAfterMaxMs         int64 // message.timestamp.after.max.ms

	// MinInsyncReplicas is min.insync.replicas, 0 where it is not set: then it
	// is a majority of the replicas (see MinInsync).
	MinInsyncReplicas     int
	UncleanLeaderElection bool // unclean.leader.election.enable

	DeleteRetentionMs      int64   // delete.retention.ms
	MinCleanableDirtyRatio float64 // min.cleanable.dirty.ratio
	MinCompactionLagMs     int64   // min.compaction.lag.ms
	MaxCompactionLagMs     int64   // max.compaction.lag.ms
}

// MinInsync is the effective min.insync.replicas of a topic with so many
// replicas: the setting, or a majority. It is never above the replicas for a
// derived value; an explicit one is strict.
func (t *Topic) MinInsync(replicas int) int {
	if t.MinInsyncReplicas > 0 {
		return t.MinInsyncReplicas
	}
	return Majority(replicas)
}

// Majority is more than half of the replicas, at least one.
func Majority(replicas int) int { return max(replicas, 0)/2 + 1 }

// DefaultReplicationFactor is the replication factor where none is set:
// min(3, registered brokers), at least one.
func DefaultReplicationFactor(brokers int) int { return max(1, min(3, brokers)) }

// ResolveTopic computes a topic's effective configuration.
func ResolveTopic(l Layers) Topic {
	r := reader{layers: &l}
	policy := r.value("cleanup.policy").List
	return Topic{
		Durability:                  durability(r.value("moldau.durability").Text),
		Delete:                      slices.Contains(policy, "delete"),
		Compact:                     slices.Contains(policy, "compact"),
		Compression:                 compression(r.value("compression.type").Text),
		GzipLevel:                   int(r.int("compression.gzip.level")),
		LZ4Level:                    int(r.int("compression.lz4.level")),
		ZstdLevel:                   int(r.int("compression.zstd.level")),
		SegmentBytes:                r.int("segment.bytes"),
		SegmentMs:                   r.int("segment.ms"),
		SegmentJitterMs:             r.int("segment.jitter.ms"),
		SegmentIndexBytes:           int(r.int("segment.index.bytes")),
		IndexIntervalBytes:          r.int("index.interval.bytes"),
		FileDeleteDelayMs:           r.int("file.delete.delay.ms"),
		Preallocate:                 r.value("preallocate").Bool,
		RetentionMs:                 max(r.int("retention.ms"), -1),
		RetentionBytes:              max(r.int("retention.bytes"), -1),
		FlushMessages:               r.int("flush.messages"),
		FlushMs:                     r.int("flush.ms"),
		MaxMessageBytes:             int(r.int("max.message.bytes")),
		MaxDecompressedMessageBytes: int(r.int("max.decompressed.message.bytes")),
		LogAppendTime:               r.value("message.timestamp.type").Text == "LogAppendTime",
		TimestampBeforeMaxMs:        r.int("message.timestamp.before.max.ms"),
		TimestampAfterMaxMs:         r.int("message.timestamp.after.max.ms"),
		MinInsyncReplicas:           int(r.int("min.insync.replicas")),
		UncleanLeaderElection:       r.value("unclean.leader.election.enable").Bool,
		DeleteRetentionMs:           r.int("delete.retention.ms"),
		MinCleanableDirtyRatio:      r.value("min.cleanable.dirty.ratio").Num,
		MinCompactionLagMs:          r.int("min.compaction.lag.ms"),
		MaxCompactionLagMs:          r.int("max.compaction.lag.ms"),
	}
}

// CreationConfigs are the settings that are written with a new topic because
// they are fixed from then on, whatever its creator said: the name and the
// value that layers gives, sorted by name.
func CreationConfigs(l Layers) []Property {
	var out []Property
	for _, e := range table.topics {
		if e.Dynamic == Fixed {
			out = append(out, Property{Name: e.Name, Value: l.effective(e).Text})
		}
	}
	return out
}

// reader reads topic settings by name; the names are in the table.
type reader struct{ layers *Layers }

func (r reader) value(name string) Value { return r.layers.effective(table.byTopic[name]).Value }
func (r reader) int(name string) int64   { return r.value(name).Int }

func durability(text string) kafka.Durability {
	if text == "os" {
		return kafka.DurabilityOS
	}
	return kafka.DurabilitySync
}

func compression(text string) Compression {
	switch text {
	case "uncompressed":
		return CompressionNone
	case "gzip":
		return CompressionGzip
	case "snappy":
		return CompressionSnappy
	case "lz4":
		return CompressionLZ4
	case "zstd":
		return CompressionZstd
	}
	return CompressionProducer
}

// check finds settings that are valid each, but not together.
func (t *Topic) check() error {
	if t.MinCompactionLagMs > t.MaxCompactionLagMs {
		return fmt.Errorf("invalid settings: min.compaction.lag.ms %d is above max.compaction.lag.ms %d", t.MinCompactionLagMs, t.MaxCompactionLagMs)
	}
	return nil
}
