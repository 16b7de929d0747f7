package api

import (
	"cmp"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/server"
)

// Authorized operations, as bits by Kafka's numbers of operations. Without an
// authorizer everybody may do everything.
const (
	operationsUnknown = -2147483648 // nobody asked
	operationsGroup   = 1<<3 | 1<<6 | 1<<8 | 1<<10 | 1<<11
	operationsTopic   = 1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<7 | 1<<8 | 1<<10 | 1<<11
	operationsCluster = 1<<5 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<11 | 1<<12
)

// asked is operations where the request asks for them.
func asked(include bool, operations int32) int32 {
	if include {
		return operations
	}
	return operationsUnknown
}

// metadata answers key 3: brokers, topics, leaders.
//
//   - v0: no topics means all; v1 and later: null means all, empty none.
//   - v4 allow_auto_topic_creation; v7 leader epochs; v10 topic ids; v12 asks by
//     id alone.
//   - A topic that does not exist is made if the request and
//     auto.create.topics.enable allow it.
func (h *Handler) metadata(req *server.Request, r *kmsg.MetadataRequest) kmsg.Response {
	img := h.cfg.Manager.Image()
	if h.createMissing(req, img, r) {
		img = h.cfg.Manager.Image()
	}
	resp := kmsg.NewPtrMetadataResponse()
	listener := req.Conn.Listener.Name
	resp.Brokers = metadataBrokers(img, listener)
	resp.ClusterID = &h.cfg.ClusterID
	resp.ControllerID = h.someController(img)
	resp.AuthorizedOperations = asked(r.Version <= 10 && r.IncludeClusterAuthorizedOperations, operationsCluster)
	defer func() {
		for i := range resp.Topics {
			if resp.Topics[i].ErrorCode == 0 {
				resp.Topics[i].AuthorizedOperations = asked(r.IncludeTopicAuthorizedOperations, operationsTopic)
			}
		}
	}()
	if all := r.Topics == nil || r.Version == 0 && len(r.Topics) == 0; all {
		for _, t := range img.Topics() {
			resp.Topics = append(resp.Topics, metadataTopic(img, t, listener, r.Version))
		}
		return resp
	}
	for _, t := range r.Topics {
		resp.Topics = append(resp.Topics, h.askedTopic(img, t, listener, r.Version))
	}
	return resp
}

// someController names a broker as controller, as Kafka does in KRaft mode:
// any that is alive will forward what is meant for the controller.
func (h *Handler) someController(img *metaimage.Image) int32 {
	if b := img.Broker(h.cfg.NodeID); b != nil && !b.Fenced {
		return h.cfg.NodeID
	}
	for id, b := range img.Brokers() {
		if !b.Fenced {
			return id
		}
	}
	return -1
}

func metadataBrokers(img *metaimage.Image, listener string) []kmsg.MetadataResponseBroker {
	var out []kmsg.MetadataResponseBroker
	for id, b := range img.Brokers() {
		e, ok := endpointOf(b, listener)
		if b.Fenced || !ok {
			continue
		}
		mb := kmsg.NewMetadataResponseBroker()
		mb.NodeID, mb.Host, mb.Port, mb.Rack = id, e.host, e.port, b.Rack
		out = append(out, mb)
	}
	return out
}

func (h *Handler) askedTopic(img *metaimage.Image, asked kmsg.MetadataRequestTopic, listener string, version int16) kmsg.MetadataResponseTopic {
	var t *metaimage.Topic
	code := kafka.ErrUnknownTopicOrPartition
	switch {
	case kafka.UUID(asked.TopicID) != kafka.ZeroUUID:
		t, code = img.Topic(kafka.UUID(asked.TopicID)), kafka.ErrUnknownTopicID
	case asked.Topic == nil:
		code = kafka.ErrInvalidRequest
	case !validTopicName(*asked.Topic):
		code = kafka.ErrInvalidTopicException
	default:
		t = img.TopicByName(*asked.Topic)
	}
	if t != nil {
		return metadataTopic(img, t, listener, version)
	}
	out := kmsg.NewMetadataResponseTopic()
	out.ErrorCode, out.Topic, out.TopicID = int16(code), asked.Topic, asked.TopicID
	out.AuthorizedOperations = operationsUnknown
	return out
}

func metadataTopic(img *metaimage.Image, t *metaimage.Topic, listener string, version int16) kmsg.MetadataResponseTopic {
	out := kmsg.NewMetadataResponseTopic()
	out.Topic, out.TopicID, out.IsInternal = ptr(t.Name), t.ID, t.Internal()
	out.AuthorizedOperations = operationsUnknown
	out.Partitions = make([]kmsg.MetadataResponseTopicPartition, 0, t.NumPartitions())
	for index, p := range t.Partitions() {
		mp := kmsg.NewMetadataResponseTopicPartition()
		mp.Partition, mp.Leader, mp.LeaderEpoch = index, p.Leader, p.LeaderEpoch
		mp.Replicas, mp.ISR = orEmpty(p.Replicas), orEmpty(p.ISR)
		mp.OfflineReplicas = offline(img, p.Replicas)
		if code := reachable(img, p.Leader, listener, version); code != kafka.ErrNone {
			mp.ErrorCode, mp.Leader = int16(code), -1
		}
		out.Partitions = append(out.Partitions, mp)
	}
	return out
}

// reachable says why clients of a listener do not reach a broker.
func reachable(img *metaimage.Image, broker int32, listener string, version int16) kafka.ErrorCode {
	const listenerNotFoundFrom = 6 // version of Metadata
	b := img.Broker(broker)
	if b == nil || b.Fenced {
		return kafka.ErrLeaderNotAvailable
	}
	switch _, ok := endpointOf(b, listener); {
	case ok:
		return kafka.ErrNone
	case version < listenerNotFoundFrom:
		return kafka.ErrLeaderNotAvailable
	}
	return kafka.ErrListenerNotFound
}

func offline(img *metaimage.Image, replicas []int32) []int32 {
	out := []int32{}
	for _, id := range replicas {
		if b := img.Broker(id); b == nil || b.Fenced {
			out = append(out, id)
		}
	}
	return out
}

func orEmpty(ids []int32) []int32 {
	if ids == nil {
		return []int32{}
	}
	return ids
}

// createMissing makes the topics of r that do not exist, where that is
// allowed; it reports whether it tried.
func (h *Handler) createMissing(req *server.Request, img *metaimage.Image, r *kmsg.MetadataRequest) bool {
	if !h.cfg.Settings.AutoCreateTopics || r.Version >= 4 && !r.AllowAutoTopicCreation {
		return false
	}
	var names []string
	for _, t := range r.Topics {
		if t.Topic != nil && validTopicName(*t.Topic) && img.TopicByName(*t.Topic) == nil && kafka.UUID(t.TopicID).IsZero() {
			names = append(names, *t.Topic)
		}
	}
	if len(names) == 0 {
		return false
	}
	slices.SortFunc(names, cmp.Compare[string])
	req.EndTurn() // the controller may take long
	h.createTopics(slices.Compact(names))
	return true
}

// topicNameLenMax is Kafka's bound on the length of a topic's name.
const topicNameLenMax = 249

// validTopicName checks Kafka's rules for topic names.
func validTopicName(s string) bool {
	if s == "" || s == "." || s == ".." || len(s) > topicNameLenMax {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}
