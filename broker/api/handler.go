package api

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/seglog/logdir"
	"github.com/moldau/moldau/broker/server"
	"github.com/moldau/moldau/broker/shard"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/internal/life"
)

// Controllers is the way to the active controller.
type Controllers interface {
	// Forward sends an administrative request and returns its answer. The
	// error says that no controller answered in time.
	Forward(req kmsg.Request) (kmsg.Response, error)
	// NextProducerID is an id that was never given out before.
	NextProducerID() (int64, error)
}

// Config of a Handler; all fields must be set.
type Config struct {
	NodeID      int32
	ClusterID   string
	Settings    *config.Broker
	Clock       clock.Clock
	Entropy     clock.Entropy
	Events      event.Sink
	Manager     *shard.Manager
	Controllers Controllers
	Dirs        []*logdir.Dir
	// Layers are the configuration layers of a topic, or of the broker when
	// topic is empty, in an image.
	Layers func(img *metaimage.Image, topic string) config.Layers
	// Synced waits until the image that this process holds now is applied, so
	// that a client finds what its own request made.
	Synced func()
	// Life ends what waits when the node is gone; nil never ends.
	Life *life.Life
}

// Handler serves the broker's listeners. It implements server.Handler.
type Handler struct {
	cfg      Config
	guard    *guard
	versions *versionTable
	sessions *sessionCache
	// followers have sessions of their own, which last as long as their connection.
	followers *followers
	stats     Stats
	// offsets lets one request at a time create the internal topic. It is no
	// mutex, as it is held while the controller is waited for.
	offsets chan struct{}
	gate    gate
	unpack  *decompressors

	refusedTxn atomic.Bool // a client that wants transactions was reported
}

// New returns a Handler.
func New(cfg Config) *Handler {
	return &Handler{
		cfg: cfg, guard: newGuard(), versions: newVersionTable(brokerKeys[:]),
		sessions: newSessionCache(cfg.Settings.FetchSessionSlots, cfg.Clock, cfg.Entropy), followers: newFollowers(),
		unpack: newDecompressors(), offsets: make(chan struct{}, 1),
	}
}

// Serve implements server.Handler.
func (h *Handler) Serve(req *server.Request) (server.Body, bool, error) {
	if req.Key == kafka.KeyDurableReport {
		return nil, false, h.durableReport(req)
	}
	if !h.versions.serves(req.Key, req.Version) {
		return h.unserved(req)
	}
	switch req.Key {
	case keyProduce:
		return h.produce(req)
	case keyFetch:
		return h.fetch(req)
	}
	decoded, n, err := decode(h.guard, &h.gate, req)
	if err != nil {
		return nil, false, err
	}
	defer h.gate.leave(n)
	resp, err := h.dispatch(req, decoded)
	if err != nil || resp == nil {
		return nil, false, err
	}
	resp.SetVersion(req.Version)
	return resp, false, nil
}

// Gone implements server.Handler.
func (h *Handler) Gone(c *server.Conn) {
	if call, ok := c.State.(*fetchCall); ok && call.follower != nil {
		call.follower.gone()
	}
}

// decode checks the shape of a request's body, waits for the gate where it
// has many elements, and decodes it. The gate must be left with n.
func decode(g *guard, admit *gate, req *server.Request) (r kmsg.Request, n int, err error) {
	elements, err := g.check(req.Key, req.Version, req.Body)
	if err != nil {
		return nil, 0, malformed(req, err)
	}
	n, open := admit.enter(elements, req.Conn.Closed())
	if !open {
		return nil, 0, errGoneWaiting
	}
	r = kmsg.RequestForKey(req.Key)
	r.SetVersion(req.Version)
	if err := r.ReadFrom(req.Body); err != nil {
		admit.leave(n)
		return nil, 0, malformed(req, err)
	}
	return r, n, nil
}

// malformed ends a connection whose request cannot be read.
func malformed(req *server.Request, err error) error {
	return server.Refused{Text: fmt.Sprintf("%s v%d: %v", kmsg.NameForKey(req.Key), req.Version, err)}
}

// unserved answers ApiVersions of a version that is not known in its first
// form, so that the client can step down; anything else ends the connection.
func (h *Handler) unserved(req *server.Request) (server.Body, bool, error) {
	if req.Key == keyAPIVersions {
		return h.versions.unsupported(), false, nil
	}
	return nil, false, server.Refused{Text: fmt.Sprintf("%s v%d is not served", kmsg.NameForKey(req.Key), req.Version)}
}

// dispatch answers a decoded request; it may wait.
func (h *Handler) dispatch(req *server.Request, decoded kmsg.Request) (kmsg.Response, error) {
	switch r := decoded.(type) {
	case *kmsg.ApiVersionsRequest:
		return h.apiVersions(r), nil
	case *kmsg.MetadataRequest:
		return h.metadata(req, r), nil
	case *kmsg.ListOffsetsRequest:
		return h.listOffsets(r), nil
	case *kmsg.OffsetForLeaderEpochRequest:
		return h.offsetForLeaderEpoch(r), nil
	case *kmsg.DeleteRecordsRequest:
		return h.deleteRecords(r), nil
	case *kmsg.FindCoordinatorRequest:
		return h.findCoordinator(req, r), nil
	case *kmsg.InitProducerIDRequest:
		return h.initProducerID(r), nil
	case *kmsg.DescribeConfigsRequest:
		return h.describeConfigs(r), nil
	case *kmsg.DescribeClusterRequest:
		return h.describeCluster(req, r), nil
	case *kmsg.DescribeLogDirsRequest:
		return h.describeLogDirs(r), nil
	case *kmsg.DescribeTopicPartitionsRequest:
		return h.describeTopicPartitions(r), nil
	case *kmsg.ListGroupsRequest:
		return h.listGroups(req, r), nil
	case *kmsg.DescribeGroupsRequest:
		return h.describeGroups(req, r), nil
	case *kmsg.DeleteGroupsRequest:
		return h.deleteGroups(req, r), nil
	case *kmsg.OffsetFetchRequest:
		return h.offsetFetch(req, r), nil
	case *kmsg.JoinGroupRequest:
		return h.callGroup(req, r, r.Group), nil
	case *kmsg.SyncGroupRequest:
		return h.callGroup(req, r, r.Group), nil
	case *kmsg.HeartbeatRequest:
		return h.callGroup(req, r, r.Group), nil
	case *kmsg.LeaveGroupRequest:
		return h.callGroup(req, r, r.Group), nil
	case *kmsg.OffsetCommitRequest:
		return h.commitOffsets(req, r), nil
	case *kmsg.OffsetDeleteRequest:
		return h.callGroup(req, r, r.Group), nil
	case *kmsg.DescribeACLsRequest:
		return describeACLs(), nil
	case *kmsg.CreateACLsRequest:
		return createACLs(r), nil
	case *kmsg.DeleteACLsRequest:
		return deleteACLs(r), nil
	default:
		return h.forward(decoded)
	}
}

// forward sends an administrative request to the active controller, and waits
// until this broker has followed what it changed.
func (h *Handler) forward(req kmsg.Request) (kmsg.Response, error) {
	resp, err := h.cfg.Controllers.Forward(req)
	if err != nil {
		return failed(req, kafka.ErrNotController, err.Error()), nil
	}
	h.cfg.Synced()
	return resp, nil
}

// topicHandle finds the replica of a topic's partition, or why there is none.
func (h *Handler) topicHandle(t *metaimage.Topic, partition int32) (*shard.Handle, kafka.ErrorCode) {
	p := t.Partition(partition)
	if p == nil {
		return nil, kafka.ErrUnknownTopicOrPartition
	}
	hd := h.cfg.Manager.Find(kafka.TopicPartition{Topic: t.ID, Partition: partition})
	switch {
	case hd == nil && p.HasReplica(h.cfg.NodeID):
		return nil, kafka.ErrKafkaStorageError
	case hd == nil:
		return nil, kafka.ErrNotLeaderOrFollower
	}
	return hd, kafka.ErrNone
}

// millis is a protocol's timeout as a duration; below zero it is zero.
func millis(ms int32) time.Duration { return time.Duration(max(ms, 0)) * time.Millisecond }

func ptr[T any](v T) *T { return &v }
