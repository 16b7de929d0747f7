package metaimage

import (
	"iter"

	"github.com/moldau/moldau/broker/metarecord"
	"github.com/moldau/moldau/internal/invariant"
)

// Records yields the records that make this image out of an empty one, in a
// fixed order: features, controllers, brokers, topics with their partitions,
// configs, quotas, producer ids, ACLs, SCRAM credentials, tokens. The image
// must not be InTransaction.
func (m *Image) Records() iter.Seq[metarecord.Record] {
	invariant.Check(m.open == nil, "snapshot within transaction %q", m.transactionName())
	return func(yield func(metarecord.Record) bool) {
		_ = m.yieldCluster(yield) && m.yieldTopics(yield) && m.yieldRest(yield)
	}
}

func (m *Image) transactionName() string {
	if m.open == nil {
		return ""
	}
	return m.open.name
}

func (m *Image) yieldCluster(yield func(metarecord.Record) bool) bool {
	// metadata.version comes first: it says how the rest is written.
	if v := m.MetadataVersion(); v != 0 && !yield(&metarecord.FeatureLevel{Name: FeatureMetadataVersion, FeatureLevel: v}) {
		return false
	}
	for name, level := range m.features.All() {
		if name != FeatureMetadataVersion && !yield(&metarecord.FeatureLevel{Name: name, FeatureLevel: level}) {
			return false
		}
	}
	for _, c := range m.controllers.All() {
		if !yield(&c.RegisterController) {
			return false
		}
	}
	for _, b := range m.brokers.All() {
		if !yield(&b.RegisterBroker) {
			return false
		}
	}
	return true
}

func (m *Image) yieldTopics(yield func(metarecord.Record) bool) bool {
	for _, t := range m.topics.All() {
		if !yield(&metarecord.Topic{Name: t.Name, TopicID: t.ID}) {
			return false
		}
		for _, p := range t.partitions.All() {
			if !yield(p.record(t.ID)) {
				return false
			}
		}
	}
	return true
}

func (m *Image) yieldRest(yield func(metarecord.Record) bool) bool {
	for k, v := range m.configs.All() {
		r := &metarecord.Config{ResourceType: int8(k.Type), ResourceName: k.Name, Name: k.Key, Value: &v.Value, Derived: v.Derived}
		if !yield(r) {
			return false
		}
	}
	for _, q := range m.quotas.All() {
		if !yield(q) {
			return false
		}
	}
	if m.hasProducerIDs {
		r := m.producerIDs
		if !yield(&r) {
			return false
		}
	}
	for _, a := range m.acls.All() {
		if !yield(a) {
			return false
		}
	}
	for _, s := range m.scram.All() {
		if !yield(s) {
			return false
		}
	}
	for _, t := range m.tokens.All() {
		if !yield(t) {
			return false
		}
	}
	return m.zkMigration == 0 || yield(&metarecord.ZkMigrationState{ZkMigrationState: m.zkMigration})
}

// Loader builds an image from a snapshot's records.
type Loader struct {
	m *Image
	e editor
}

// NewLoader begins an image of the cluster.
func NewLoader(clusterID string) *Loader {
	m := New(clusterID)
	return &Loader{m: m, e: newEditor(m.contents)}
}

// Add applies one record. Transactions have no place in a snapshot.
func (l *Loader) Add(r metarecord.Record) error { return l.e.apply(r) }

// Image ends the loading: offset and epoch are those of the last record that
// the snapshot stands for.
func (l *Loader) Image(offset int64, epoch int32) *Image {
	l.m.contents = l.e.finish()
	l.m.offset, l.m.epoch = offset, epoch
	return l.m
}
