package metaimage

import (
	"bytes"
	"cmp"
	"strings"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage/pmap"
	"github.com/moldau/moldau/broker/metarecord"
)

// Image is the metadata at one offset. Make one with New, Load or Apply.
type Image struct {
	clusterID string
	offset    int64
	epoch     int32
	contents
	open *transaction // nil outside of one
}

// contents are the tables of an image. A copy of the struct shares them all.
type contents struct {
	features    pmap.Map[string, int16]
	brokers     pmap.Map[int32, *Broker]
	controllers pmap.Map[int32, *Controller]
	topics      pmap.Map[kafka.UUID, *Topic]
	topicIDs    pmap.Map[string, kafka.UUID]
	configs     pmap.Map[ConfigKey, ConfigValue]
	quotas      pmap.Map[string, *metarecord.ClientQuota]
	scram       pmap.Map[scramKey, *metarecord.UserScramCredential]
	acls        pmap.Map[kafka.UUID, *metarecord.AccessControlEntry]
	tokens      pmap.Map[string, *metarecord.DelegationToken]

	partitions     int                    // of all topics
	producerIDs    metarecord.ProducerIDs // NextProducerID is the next to give
	hasProducerIDs bool
	zkMigration    int8 // kept for the way back to Kafka, 0 if never written
}

// transaction is what a BeginTransaction record opened.
type transaction struct {
	name string
	next contents // with the records since
}

// New is the image of a cluster without records: offset and epoch are -1.
func New(clusterID string) *Image {
	return &Image{clusterID: clusterID, offset: -1, epoch: -1, contents: contents{
		features:    pmap.New[string, int16](strings.Compare),
		brokers:     pmap.New[int32, *Broker](cmp.Compare[int32]),
		controllers: pmap.New[int32, *Controller](cmp.Compare[int32]),
		topics:      pmap.New[kafka.UUID, *Topic](compareUUID),
		topicIDs:    pmap.New[string, kafka.UUID](strings.Compare),
		configs:     pmap.New[ConfigKey, ConfigValue](compareConfigKey),
		quotas:      pmap.New[string, *metarecord.ClientQuota](strings.Compare),
		scram:       pmap.New[scramKey, *metarecord.UserScramCredential](compareScramKey),
		acls:        pmap.New[kafka.UUID, *metarecord.AccessControlEntry](compareUUID),
		tokens:      pmap.New[string, *metarecord.DelegationToken](strings.Compare),
	}}
}

func compareUUID(a, b kafka.UUID) int { return bytes.Compare(a[:], b[:]) }

// ClusterID is the id that the image was made with.
func (m *Image) ClusterID() string { return m.clusterID }

// Offset is the offset of the last record contained, -1 if there is none.
func (m *Image) Offset() int64 { return m.offset }

// Epoch is the epoch (raft term) of the last record contained, -1 if there is none.
func (m *Image) Epoch() int32 { return m.epoch }

// Empty reports that no record is contained.
func (m *Image) Empty() bool { return m.offset < 0 }

// InTransaction reports that records were applied that do not show yet, since
// their EndTransaction has not come. No snapshot is made of such an image.
func (m *Image) InTransaction() bool { return m.open != nil }
