package api

import (
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
)

// createTimeoutMillis is given to the controller for topics that this broker
// creates by itself.
const createTimeoutMillis = 30_000

// createTopics creates topics that clients asked for by name only.
func (h *Handler) createTopics(names []string) {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version = 7
	req.TimeoutMillis = createTimeoutMillis
	for _, name := range names {
		t := h.internalTopic(name)
		t.Topic = name
		req.Topics = append(req.Topics, t)
	}
	// A refusal shows in the answer that the client waits for: the topic is not there.
	_, _ = h.forward(req)
}

// internalTopic is the creation of a topic with the defaults of its kind.
func (h *Handler) internalTopic(name string) kmsg.CreateTopicsRequestTopic {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.NumPartitions, t.ReplicationFactor = -1, -1
	if name != kafka.OffsetsTopicName {
		return t
	}
	set := h.cfg.Settings
	t.NumPartitions = set.OffsetsTopicPartitions
	if set.OffsetsTopicReplicationFactor > 0 {
		t.ReplicationFactor = int16(set.OffsetsTopicReplicationFactor)
	}
	compression := "producer"
	if set.OffsetsTopicCompression > config.CompressionNone {
		compression = [...]string{"", "gzip", "snappy", "lz4", "zstd"}[set.OffsetsTopicCompression]
	}
	for _, c := range [...][2]string{
		{"cleanup.policy", "compact"},
		{"compression.type", compression},
		{"segment.bytes", strconv.Itoa(set.OffsetsTopicSegmentBytes)},
		{"moldau.durability", kafka.DurabilitySync.String()},
	} {
		entry := kmsg.NewCreateTopicsRequestTopicConfig()
		entry.Name, entry.Value = c[0], ptr(c[1])
		t.Configs = append(t.Configs, entry)
	}
	return t
}

// offsetsTopic is __consumer_offsets, made with the first group; nil when that
// is not possible now.
func (h *Handler) offsetsTopic() *metaimage.Topic {
	if t := h.cfg.Manager.Image().TopicByName(kafka.OffsetsTopicName); t != nil {
		return t
	}
	h.offsets <- struct{}{}
	defer func() { <-h.offsets }()
	if t := h.cfg.Manager.Image().TopicByName(kafka.OffsetsTopicName); t != nil {
		return t
	}
	h.createTopics([]string{kafka.OffsetsTopicName})
	return h.cfg.Manager.Image().TopicByName(kafka.OffsetsTopicName)
}
