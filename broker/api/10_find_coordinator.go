package api

import (
	"log/slog"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/coord"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/server"
)

// The kinds of coordinators.
const (
	coordinatorGroup = 0
	coordinatorTxn   = 1
	coordinatorShare = 2
)

// findCoordinator answers key 10: the broker that leads the internal partition
// of a group. v1 adds kinds, v4 many keys at once (KIP-699), v6 share groups
// (KIP-932). Transactional and share coordinators are refused until they are
// served; CLUSTER_AUTHORIZATION_FAILED is the code upon which Java's client and
// librdkafka give up at once and show the message. The offsets topic is made with the first question.
func (h *Handler) findCoordinator(req *server.Request, r *kmsg.FindCoordinatorRequest) kmsg.Response {
	resp := kmsg.NewPtrFindCoordinatorResponse()
	listener := req.Conn.Listener.Name
	if r.Version < 4 {
		c := h.coordinator(r.CoordinatorType, r.CoordinatorKey, listener)
		resp.ErrorCode, resp.ErrorMessage = c.ErrorCode, c.ErrorMessage
		resp.NodeID, resp.Host, resp.Port = c.NodeID, c.Host, c.Port
		return resp
	}
	for _, key := range r.CoordinatorKeys {
		resp.Coordinators = append(resp.Coordinators, h.coordinator(r.CoordinatorType, key, listener))
	}
	return resp
}

func (h *Handler) coordinator(kind int8, key, listener string) kmsg.FindCoordinatorResponseCoordinator {
	out := kmsg.NewFindCoordinatorResponseCoordinator()
	out.Key, out.NodeID, out.Port = key, -1, -1
	refuse := func(code kafka.ErrorCode, text string) kmsg.FindCoordinatorResponseCoordinator {
		out.ErrorCode, out.ErrorMessage = int16(code), ptr(text)
		return out
	}
	switch kind {
	case coordinatorGroup:
	case coordinatorTxn:
		if h.refusedTxn.CompareAndSwap(false, true) {
			h.cfg.Events.Emit(TransactionsNotServed{TransactionalID: key})
		}
		return refuse(kafka.ErrClusterAuthorizationFailed, noTransactions)
	case coordinatorShare:
		return refuse(kafka.ErrUnsupportedVersion, "share groups are not served yet")
	default:
		return refuse(kafka.ErrInvalidRequest, "unknown kind of coordinator")
	}
	topic := h.offsetsTopic()
	if topic == nil {
		return refuse(kafka.ErrCoordinatorNotAvailable, "the offsets topic does not exist yet")
	}
	img := h.cfg.Manager.Image()
	p := topic.Partition(coord.PartitionFor(key, int32(topic.NumPartitions())))
	b := img.Broker(p.Leader)
	if b == nil || b.Fenced {
		return refuse(kafka.ErrCoordinatorNotAvailable, "the coordinator's partition has no leader: see the log of its brokers")
	}
	e, ok := endpointOf(b, listener)
	if !ok {
		return refuse(kafka.ErrCoordinatorNotAvailable, "the coordinator has no listener of this name")
	}
	out.NodeID, out.Host, out.Port = e.node, e.host, e.port
	if h.cfg.NodeID == e.node && !h.hostsCoordinator(topic, p) {
		return refuse(kafka.ErrCoordinatorNotAvailable, "the coordinator is not open yet")
	}
	return out
}

func (h *Handler) hostsCoordinator(t *metaimage.Topic, p *metaimage.Partition) bool {
	return h.cfg.Manager.Find(kafka.TopicPartition{Topic: t.ID, Partition: p.ID}) != nil
}

// TransactionsNotServed reports the first client that wants transactions: not
// every client shows its user the message that it is refused with.
type TransactionsNotServed struct{ TransactionalID string }

// Kind names the event.
func (TransactionsNotServed) Kind() string { return "transactions-not-served" }

// Level is Warn.
func (TransactionsNotServed) Level() slog.Level { return slog.LevelWarn }

// Attrs name the transactional id.
func (e TransactionsNotServed) Attrs() []slog.Attr {
	return []slog.Attr{slog.String("transactional_id", e.TransactionalID)}
}
