package metaimage

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage/pmap"
	"github.com/moldau/moldau/broker/metarecord"
)

// ErrGap marks records whose base offset is not the image's next one.
var ErrGap = errors.New("records do not continue the image")

// ErrInvalid marks a record that contradicts the image: the log is not one
// that a controller wrote.
var ErrInvalid = errors.New("record contradicts the metadata")

// Apply returns the image that contains the records too, of which the first
// has the offset baseOffset, m.Offset()+1, and what shows in it that did not
// before. Records within a transaction show at its end. m stays as it is, on
// errors too; the records belong to the images from then on.
//
// Errors: ErrGap, ErrInvalid.
func (m *Image) Apply(records []metarecord.Record, baseOffset int64, epoch int32) (*Image, Delta, error) {
	if baseOffset != m.offset+1 {
		return nil, Delta{}, fmt.Errorf("apply %d metadata records at offset %d to an image that ends at %d: %w", len(records), baseOffset, m.offset, ErrGap)
	}
	if epoch < m.epoch {
		return nil, Delta{}, fmt.Errorf("apply metadata records of epoch %d to an image of epoch %d: %w", epoch, m.epoch, ErrInvalid)
	}
	next, err := m.applied(records, baseOffset)
	if err != nil {
		return nil, Delta{}, err
	}
	if len(records) > 0 {
		next.offset, next.epoch = baseOffset+int64(len(records))-1, epoch
	}
	return next, next.Since(m), nil
}

func (m *Image) applied(records []metarecord.Record, baseOffset int64) (*Image, error) {
	next := *m
	e := newEditor(next.working())
	for i, r := range records {
		if err := next.step(&e, r); err != nil {
			return nil, fmt.Errorf("metadata offset %d: %s: %w", baseOffset+int64(i), r.Type(), err)
		}
	}
	next.keep(e.finish())
	return &next, nil
}

// working are the contents that the next record changes.
func (m *Image) working() contents {
	if m.open != nil {
		return m.open.next
	}
	return m.contents
}

func (m *Image) keep(c contents) {
	if m.open != nil {
		m.open = &transaction{name: m.open.name, next: c}
		return
	}
	m.contents = c
}

func (m *Image) step(e *editor, r metarecord.Record) error {
	switch r := r.(type) {
	case *metarecord.BeginTransaction:
		if m.open != nil {
			return fmt.Errorf("transaction %q is open: %w", m.open.name, ErrInvalid)
		}
		m.contents = e.finish()
		m.open = &transaction{next: m.contents}
		if r.Name != nil {
			m.open.name = *r.Name
		}
		return nil
	case *metarecord.EndTransaction:
		if m.open == nil {
			return fmt.Errorf("no transaction is open: %w", ErrInvalid)
		}
		m.open = nil
		return nil
	case *metarecord.AbortTransaction:
		if m.open == nil {
			return fmt.Errorf("no transaction is open: %w", ErrInvalid)
		}
		m.open = nil
		*e = newEditor(m.contents)
		return nil
	}
	return e.apply(r)
}

// editor edits contents table by table; topics with partitions under edit are
// held apart, so that many partitions of a topic copy it once.
type editor struct {
	c           contents
	features    *pmap.Editor[string, int16]
	brokers     *pmap.Editor[int32, *Broker]
	controllers *pmap.Editor[int32, *Controller]
	topics      *pmap.Editor[kafka.UUID, *Topic]
	topicIDs    *pmap.Editor[string, kafka.UUID]
	configs     *pmap.Editor[ConfigKey, ConfigValue]
	quotas      *pmap.Editor[string, *metarecord.ClientQuota]
	scram       *pmap.Editor[scramKey, *metarecord.UserScramCredential]
	acls        *pmap.Editor[kafka.UUID, *metarecord.AccessControlEntry]
	tokens      *pmap.Editor[string, *metarecord.DelegationToken]

	topic      *Topic // the topic under edit, ours to change, nil if none
	partitions *pmap.Editor[int32, *Partition]
}

func newEditor(c contents) editor {
	return editor{
		c: c, features: c.features.Edit(), brokers: c.brokers.Edit(), controllers: c.controllers.Edit(),
		topics: c.topics.Edit(), topicIDs: c.topicIDs.Edit(), configs: c.configs.Edit(), quotas: c.quotas.Edit(),
		scram: c.scram.Edit(), acls: c.acls.Edit(), tokens: c.tokens.Edit(),
	}
}

// finish ends the edits so far; the editor may go on.
func (e *editor) finish() contents {
	e.closeTopic()
	e.c.features, e.c.brokers, e.c.controllers = e.features.Map(), e.brokers.Map(), e.controllers.Map()
	e.c.topics, e.c.topicIDs, e.c.configs = e.topics.Map(), e.topicIDs.Map(), e.configs.Map()
	e.c.quotas, e.c.scram, e.c.acls, e.c.tokens = e.quotas.Map(), e.scram.Map(), e.acls.Map(), e.tokens.Map()
	return e.c
}

// openTopic puts the topic under edit.
func (e *editor) openTopic(id kafka.UUID) error {
	if e.topic != nil && e.topic.ID == id {
		return nil
	}
	e.closeTopic()
	t, ok := e.topics.Get(id)
	if !ok {
		return fmt.Errorf("no topic %s: %w", id, ErrInvalid)
	}
	edited := *t
	e.topic, e.partitions = &edited, t.partitions.Edit()
	return nil
}

func (e *editor) closeTopic() {
	if e.topic == nil {
		return
	}
	e.topic.partitions = e.partitions.Map()
	e.topics.Set(e.topic.ID, e.topic)
	e.topic, e.partitions = nil, nil
}

func (e *editor) apply(r metarecord.Record) error {
	switch r := r.(type) {
	case *metarecord.Topic:
		return e.applyTopic(r)
	case *metarecord.RemoveTopic:
		return e.applyRemoveTopic(r)
	case *metarecord.Partition:
		return e.applyPartition(r)
	case *metarecord.PartitionChange:
		return e.applyPartitionChange(r)
	case *metarecord.ClearELR:
		return e.applyClearELR(r)
	case *metarecord.Config:
		e.applyConfig(r)
	case *metarecord.FeatureLevel:
		if r.FeatureLevel == 0 {
			e.features.Delete(r.Name)
		} else {
			e.features.Set(r.Name, r.FeatureLevel)
		}
	case *metarecord.RegisterBroker:
		e.brokers.Set(r.BrokerID, &Broker{*r})
	case *metarecord.UnregisterBroker:
		return e.applyUnregisterBroker(r)
	case *metarecord.BrokerRegistrationChange:
		return e.applyBrokerChange(r)
	case *metarecord.FenceBroker:
		return e.changeBroker(r.ID, r.Epoch, func(b *Broker) { b.Fenced = true })
	case *metarecord.UnfenceBroker:
		return e.changeBroker(r.ID, r.Epoch, func(b *Broker) { b.Fenced = false })
	case *metarecord.RegisterController:
		e.controllers.Set(r.ControllerID, &Controller{*r})
	case *metarecord.UnregisterController:
		if !e.controllers.Delete(r.ControllerID) {
			return fmt.Errorf("no controller %d: %w", r.ControllerID, ErrInvalid)
		}
	case *metarecord.ProducerIDs:
		e.c.producerIDs, e.c.hasProducerIDs = *r, true
	default:
		return e.applySecurity(r)
	}
	return nil
}

func (e *editor) applyTopic(r *metarecord.Topic) error {
	if _, ok := e.topicIDs.Get(r.Name); ok {
		return fmt.Errorf("topic %q exists: %w", r.Name, ErrInvalid)
	}
	if _, ok := e.topics.Get(r.TopicID); ok {
		return fmt.Errorf("topic id %s exists: %w", r.TopicID, ErrInvalid)
	}
	e.closeTopic()
	e.topicIDs.Set(r.Name, r.TopicID)
	e.topics.Set(r.TopicID, &Topic{Name: r.Name, ID: r.TopicID, partitions: newPartitions()})
	return nil
}

func (e *editor) applyRemoveTopic(r *metarecord.RemoveTopic) error {
	e.closeTopic()
	t, ok := e.topics.Get(r.TopicID)
	if !ok {
		return fmt.Errorf("no topic %s: %w", r.TopicID, ErrInvalid)
	}
	e.topics.Delete(t.ID)
	e.topicIDs.Delete(t.Name)
	e.c.partitions -= t.partitions.Len()
	e.deleteConfigs(Resource{ResourceTopic, t.Name})
	return nil
}

func (e *editor) deleteConfigs(r Resource) {
	var keys []ConfigKey
	for k := range e.configs.From(ConfigKey{Resource: r}) {
		if k.Resource != r {
			break
		}
		keys = append(keys, k)
	}
	for _, k := range keys {
		e.configs.Delete(k)
	}
}

func (e *editor) applyPartition(r *metarecord.Partition) error {
	if err := e.openTopic(r.TopicID); err != nil {
		return err
	}
	if _, ok := e.partitions.Get(r.PartitionID); !ok {
		e.c.partitions++
	}
	e.partitions.Set(r.PartitionID, partitionOf(r))
	return nil
}

func (e *editor) applyPartitionChange(r *metarecord.PartitionChange) error {
	if err := e.openTopic(r.TopicID); err != nil {
		return err
	}
	p, ok := e.partitions.Get(r.PartitionID)
	if !ok {
		return fmt.Errorf("no partition %d of topic %s: %w", r.PartitionID, r.TopicID, ErrInvalid)
	}
	e.partitions.Set(r.PartitionID, p.change(r))
	return nil
}

// applyClearELR forgets the eligible leaders of one topic, or of all if no
// name is given (KIP-966). As in Kafka, it is a change of the partitions that
// had some. Marks of those leaders go with them.
func (e *editor) applyClearELR(r *metarecord.ClearELR) error {
	e.closeTopic()
	if r.TopicName != "" {
		id, ok := e.topicIDs.Get(r.TopicName)
		if !ok {
			return fmt.Errorf("no topic %q: %w", r.TopicName, ErrInvalid)
		}
		return e.clearELR(id)
	}
	var ids []kafka.UUID
	for id := range e.topics.All() {
		ids = append(ids, id)
	}
	for _, id := range ids {
		if err := e.clearELR(id); err != nil {
			return err
		}
	}
	return nil
}

func (e *editor) clearELR(id kafka.UUID) error {
	if err := e.openTopic(id); err != nil {
		return err
	}
	for _, p := range e.topic.partitions.All() {
		if len(p.ELR) == 0 && len(p.LastKnownELR) == 0 {
			continue
		}
		r := metarecord.NewPartitionChange()
		r.EligibleLeaderReplicas, r.LastKnownELR = []int32{}, []int32{}
		r.Doubtful = slices.DeleteFunc(append([]metarecord.DoubtfulReplica{}, p.Doubtful...), func(d metarecord.DoubtfulReplica) bool {
			return !p.InISR(d.BrokerID)
		})
		e.partitions.Set(p.ID, p.change(r))
	}
	return nil
}

func (e *editor) applyConfig(r *metarecord.Config) {
	k := ConfigKey{Resource{ResourceType(r.ResourceType), r.ResourceName}, r.Name}
	if r.Value == nil {
		e.configs.Delete(k)
		return
	}
	e.configs.Set(k, ConfigValue{Value: strings.Clone(*r.Value), Derived: r.Derived})
}

func (e *editor) applyUnregisterBroker(r *metarecord.UnregisterBroker) error {
	b, ok := e.brokers.Get(r.BrokerID)
	if !ok || b.BrokerEpoch != r.BrokerEpoch {
		return fmt.Errorf("no broker %d with epoch %d: %w", r.BrokerID, r.BrokerEpoch, ErrInvalid)
	}
	e.brokers.Delete(r.BrokerID)
	return nil
}

func (e *editor) changeBroker(id int32, epoch int64, change func(*Broker)) error {
	b, ok := e.brokers.Get(id)
	if !ok || b.BrokerEpoch != epoch {
		return fmt.Errorf("no broker %d with epoch %d: %w", id, epoch, ErrInvalid)
	}
	changed := *b
	change(&changed)
	e.brokers.Set(id, &changed)
	return nil
}

func (e *editor) applyBrokerChange(r *metarecord.BrokerRegistrationChange) error {
	for _, v := range []int8{r.Fenced, r.InControlledShutdown} {
		if v < -1 || v > 1 {
			return fmt.Errorf("broker %d: bad change %d: %w", r.BrokerID, v, ErrInvalid)
		}
	}
	return e.changeBroker(r.BrokerID, r.BrokerEpoch, func(b *Broker) {
		if r.Fenced != 0 {
			b.Fenced = r.Fenced == 1
		}
		if r.InControlledShutdown != 0 {
			b.InControlledShutdown = r.InControlledShutdown == 1
		}
		if len(r.LogDirs) > 0 {
			b.LogDirs = r.LogDirs
		}
		if r.CordonedLogDirs != nil {
			b.CordonedLogDirs = r.CordonedLogDirs
		}
	})
}
