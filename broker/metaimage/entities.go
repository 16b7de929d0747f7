package metaimage

import (
	"iter"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage/pmap"
	"github.com/moldau/moldau/broker/metarecord"
)

// Names of the finalized features.
const (
	FeatureMetadataVersion    = "metadata.version"
	FeatureELR                = "eligible.leader.replicas.version"
	FeatureGroupVersion       = "group.version"
	FeatureTransactionVersion = "transaction.version"
	FeatureShareVersion       = "share.version"
	FeatureStreamsVersion     = "streams.version"
	FeatureKRaftVersion       = "kraft.version"
)

// Feature is the finalized level of a feature, 0 if it has none.
func (m *Image) Feature(name string) int16 {
	level, _ := m.features.Get(name)
	return level
}

// Features yields the finalized features by name; none has level 0.
func (m *Image) Features() iter.Seq2[string, int16] { return m.features.All() }

// MetadataVersion is the finalized metadata.version, 0 before the bootstrap records.
func (m *Image) MetadataVersion() int16 { return m.Feature(FeatureMetadataVersion) }

// Broker is a registered broker: its registration record with the changes
// since. It must not be changed.
type Broker struct{ metarecord.RegisterBroker }

// Available reports that the broker may lead and join an ISR: registered,
// unfenced and not shutting down.
func (b *Broker) Available() bool { return b != nil && !b.Fenced && !b.InControlledShutdown }

// EndPoint finds the broker's listener by its name.
func (b *Broker) EndPoint(listener string) (metarecord.BrokerEndpoint, bool) {
	for _, e := range b.EndPoints {
		if e.Name == listener {
			return e, true
		}
	}
	return metarecord.BrokerEndpoint{}, false
}

// Broker is the broker with the id, or nil.
func (m *Image) Broker(id int32) *Broker {
	b, _ := m.brokers.Get(id)
	return b
}

// Brokers yields the registered brokers, fenced ones too, by id.
func (m *Image) Brokers() iter.Seq2[int32, *Broker] { return m.brokers.All() }

// NumBrokers counts the registered brokers, fenced ones too.
func (m *Image) NumBrokers() int { return m.brokers.Len() }

// Controller is a registered controller. It must not be changed.
type Controller struct{ metarecord.RegisterController }

// Controller is the controller with the id, or nil.
func (m *Image) Controller(id int32) *Controller {
	c, _ := m.controllers.Get(id)
	return c
}

// Controllers yields the registered controllers by id.
func (m *Image) Controllers() iter.Seq2[int32, *Controller] { return m.controllers.All() }

// NextProducerID is the first producer id that no block has given out.
func (m *Image) NextProducerID() int64 { return m.producerIDs.NextProducerID }

// Topic is one topic. It must not be changed.
type Topic struct {
	Name       string
	ID         kafka.UUID
	partitions pmap.Map[int32, *Partition]
}

// Internal reports whether Kafka calls the topic internal.
func (t *Topic) Internal() bool { return IsInternal(t.Name) }

// NumPartitions counts the topic's partitions; their ids are 0 to the count less one.
func (t *Topic) NumPartitions() int { return t.partitions.Len() }

// Partition is the partition with the id, or nil.
func (t *Topic) Partition(id int32) *Partition {
	p, _ := t.partitions.Get(id)
	return p
}

// Partitions yields the partitions by id.
func (t *Topic) Partitions() iter.Seq2[int32, *Partition] { return t.partitions.All() }

// IsInternal reports whether a topic of that name is internal: kept by a
// coordinator, hidden from pattern subscriptions, written to by brokers only.
func IsInternal(name string) bool {
	return name == kafka.OffsetsTopicName || name == "__transaction_state" || name == "__share_group_state"
}

// Topic is the topic with the id, or nil.
func (m *Image) Topic(id kafka.UUID) *Topic {
	t, _ := m.topics.Get(id)
	return t
}

// TopicByName is the topic with the name, or nil.
func (m *Image) TopicByName(name string) *Topic {
	id, ok := m.topicIDs.Get(name)
	if !ok {
		return nil
	}
	return m.Topic(id)
}

// Topics yields the topics by name.
func (m *Image) Topics() iter.Seq2[string, *Topic] {
	return func(yield func(string, *Topic) bool) {
		for name, id := range m.topicIDs.All() {
			if !yield(name, m.Topic(id)) {
				return
			}
		}
	}
}

// TopicsFrom yields the topics by name, from that name on.
func (m *Image) TopicsFrom(name string) iter.Seq2[string, *Topic] {
	return func(yield func(string, *Topic) bool) {
		for name, id := range m.topicIDs.From(name) {
			if !yield(name, m.Topic(id)) {
				return
			}
		}
	}
}

// NumTopics counts the topics.
func (m *Image) NumTopics() int { return m.topics.Len() }

// NumPartitions counts the partitions of all topics.
func (m *Image) NumPartitions() int { return m.partitions }

// Partition is a topic's partition, or nil.
func (m *Image) Partition(tp kafka.TopicPartition) *Partition {
	if t := m.Topic(tp.Topic); t != nil {
		return t.Partition(tp.Partition)
	}
	return nil
}
