package metaimage

import (
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage/pmap"
	"github.com/moldau/moldau/broker/metarecord"
)

// TopicRef names a topic both ways.
type TopicRef struct {
	ID   kafka.UUID
	Name string
}

// Delta lists what differs between two images, each list in a fixed order
// without repetition.
type Delta struct {
	TopicsCreated []TopicRef // in the newer image only
	TopicsDeleted []TopicRef // in the older image only
	// Partitions of topics of the newer image that are new or changed; those
	// of created topics included.
	Partitions  []kafka.TopicPartition
	Configs     []Resource // with a config set, changed or deleted
	Brokers     []int32    // registered, changed or unregistered
	Controllers []int32
	Features    bool
	ProducerIDs bool
	Quotas      bool
	Scram       bool
	ACLs        bool
	Tokens      bool
}

// Since is what changed from older to m. It skips what the two share, so it
// costs about as much as the records between them. A follower that keeps the
// image it handled last needs no queue of deltas.
func (m *Image) Since(older *Image) Delta { return diff(&older.contents, &m.contents) }

func diff(a, b *contents) (d Delta) {
	pmap.Diff(a.topics, b.topics, samePointer[Topic], func(c pmap.Change[kafka.UUID, *Topic]) {
		var older, newer pmap.Map[int32, *Partition]
		if c.InOld {
			older = c.Old.partitions
		}
		switch {
		case !c.InNew:
			d.TopicsDeleted = append(d.TopicsDeleted, TopicRef{c.Key, c.Old.Name})
			return
		case !c.InOld:
			d.TopicsCreated = append(d.TopicsCreated, TopicRef{c.Key, c.New.Name})
		}
		newer = c.New.partitions
		pmap.Diff(older, newer, samePointer[Partition], func(p pmap.Change[int32, *Partition]) {
			if p.InNew {
				d.Partitions = append(d.Partitions, kafka.TopicPartition{Topic: c.Key, Partition: p.Key})
			}
		})
	})
	pmap.Diff(a.configs, b.configs, sameValue[ConfigValue], func(c pmap.Change[ConfigKey, ConfigValue]) {
		if n := len(d.Configs); n == 0 || d.Configs[n-1] != c.Key.Resource {
			d.Configs = append(d.Configs, c.Key.Resource)
		}
	})
	pmap.Diff(a.brokers, b.brokers, samePointer[Broker], func(c pmap.Change[int32, *Broker]) {
		d.Brokers = append(d.Brokers, c.Key)
	})
	pmap.Diff(a.controllers, b.controllers, samePointer[Controller], func(c pmap.Change[int32, *Controller]) {
		d.Controllers = append(d.Controllers, c.Key)
	})
	d.Features = differ(a.features, b.features, sameValue[int16])
	d.ProducerIDs = a.producerIDs.NextProducerID != b.producerIDs.NextProducerID
	d.Quotas = differ(a.quotas, b.quotas, samePointer[metarecord.ClientQuota])
	d.Scram = differ(a.scram, b.scram, samePointer[metarecord.UserScramCredential])
	d.ACLs = differ(a.acls, b.acls, samePointer[metarecord.AccessControlEntry])
	d.Tokens = differ(a.tokens, b.tokens, samePointer[metarecord.DelegationToken])
	return d
}

func samePointer[T any](a, b *T) bool     { return a == b }
func sameValue[T comparable](a, b T) bool { return a == b }
func differ[K, V any](a, b pmap.Map[K, V], same func(a, b V) bool) (found bool) {
	pmap.Diff(a, b, same, func(pmap.Change[K, V]) { found = true })
	return found
}
