package broker

import (
	"strconv"
	"time"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/replica"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/broker/seglog/logdir"
	"github.com/moldau/moldau/broker/shard"
)

// layers are the configuration layers of a topic in an image, or of this
// broker when topic is empty.
func (b *Broker) layers(img *metaimage.Image, topic string) config.Layers {
	l := config.Layers{
		Broker:        img.ExplicitConfigs(metaimage.Resource{Type: metaimage.ResourceBroker, Name: strconv.Itoa(int(b.cfg.Settings.NodeID))}),
		DefaultBroker: img.ExplicitConfigs(metaimage.Resource{Type: metaimage.ResourceBroker}),
		Static:        b.cfg.Settings.Static,
	}
	if topic != "" {
		r := metaimage.Resource{Type: metaimage.ResourceTopic, Name: topic}
		l.Topic, l.Derived = img.ExplicitConfigs(r), img.DerivedConfigs(r)
	}
	return l
}

// topicConfig is what a topic's configuration means for its replicas here.
func (b *Broker) topicConfig(img *metaimage.Image, topic string) shard.TopicConfig {
	t := b.cfg.Tuning.topic(config.ResolveTopic(b.layers(img, topic)))
	replicas := 1
	if meta := img.TopicByName(topic); meta != nil {
		if p := meta.Partition(0); p != nil {
			replicas = p.Factor()
		}
	}
	log := seglog.DefaultConfig()
	log.SegmentBytes, log.SegmentMs, log.SegmentJitterMs = t.SegmentBytes, t.SegmentMs, t.SegmentJitterMs
	log.IndexBytes, log.IndexIntervalBytes = t.SegmentIndexBytes, t.IndexIntervalBytes
	log.RetentionMs, log.RetentionBytes = t.RetentionMs, t.RetentionBytes
	log.Delete, log.Compact = t.Delete, t.Compact
	log.ProducerExpirationMs = b.cfg.Settings.ProducerIDExpiration.Milliseconds()
	log.JitterSeed = uint64(b.cfg.Settings.NodeID)
	return shard.TopicConfig{
		Replica: replica.Config{Log: log, Durability: t.Durability, MinISR: t.MinInsync(replicas), RetentionCheck: b.cfg.Settings.RetentionCheck, LagMax: b.cfg.Settings.ReplicaLagMax, Out: b.cfg.Tuning.Out},
		Options: logdir.Options{
			Durability:      t.Durability,
			FileDeleteDelay: time.Duration(t.FileDeleteDelayMs) * time.Millisecond,
			IndexBytes:      t.SegmentIndexBytes,
		},
		Settings: shard.Settings{Policy: policy(&t), Compacted: t.Compact},
	}
}

// policy is what produced batches of a topic must satisfy.
func policy(t *config.Topic) batch.Policy {
	p := batch.Policy{
		MaxMessageBytes: t.MaxMessageBytes, MaxSegmentBytes: int(t.SegmentBytes),
		MaxRecordBytes: t.MaxDecompressedMessageBytes, Compacted: t.Compact,
		BeforeMaxMs: t.TimestampBeforeMaxMs, AfterMaxMs: t.TimestampAfterMaxMs,
	}
	if t.LogAppendTime {
		p.TimestampType = batch.LogAppendTime
	}
	if t.Compression != config.CompressionProducer {
		p.Recompress = true
		p.Target.Codec = batch.Codec(t.Compression)
		switch p.Target.Codec {
		case batch.CodecGzip:
			p.Target.Level = t.GzipLevel
		case batch.CodecLZ4:
			p.Target.Level = t.LZ4Level
		case batch.CodecZstd:
			p.Target.Level = t.ZstdLevel
		}
	}
	return p
}

// raisedTopics are the internal topics whose replication factor is not set, so
// that it rises as brokers join.
func raisedTopics(set *config.Broker) []string {
	if set.OffsetsTopicReplicationFactor > 0 {
		return nil
	}
	return []string{kafka.OffsetsTopicName}
}
