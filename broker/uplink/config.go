package uplink

import (
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage/published"
	"github.com/moldau/moldau/broker/metarecord"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/internal/life"
	"github.com/moldau/moldau/net/transport"
)

// Bounds, and times without a name in Kafka.
const (
	retryBackoffMin    = 2 * time.Millisecond
	retryBackoffMax    = 500 * time.Millisecond
	requestTimeout     = 2 * time.Second        // registration, heartbeat, producer ids
	fetchWaitMax       = 500 * time.Millisecond // long poll of the metadata log
	fetchBytesMax      = 8 << 20
	snapshotBytesMax   = 1 << 30
	snapshotChunkBytes = 1 << 20
	forwardConnsMax    = 16 // connections for forwarded requests; more wait
	controllersMax     = 64 // that get heartbeats
	enrollRetryAfter   = 500 * time.Millisecond
)

// Listener is where the broker is reached.
type Listener struct {
	Name             string
	Host             string
	Port             uint16
	SecurityProtocol int16
}

// Feature is a feature and the levels that this broker supports.
type Feature struct {
	Name     string
	Min, Max int16
}

// DirectoryStatus is what a heartbeat says of log directories.
type DirectoryStatus struct {
	Offline  []kafka.UUID
	Stalled  []kafka.UUID // the disk does not answer
	Cordoned []kafka.UUID // they get no new replicas (KIP-1066)
}

// Config of the broker's side. All fields are needed but where noted.
type Config struct {
	Clock   clock.Clock
	Network transport.Network
	Events  event.Sink
	Holder  *published.Holder
	// Controllers are the controllers that are known now. It is asked often, from
	// any goroutine.
	Controllers func() []Controller
	NodeID      int32
	ClusterID   string
	// Enrollment is the registration of this node's own controller, nil where it
	// has none. It is sent until the metadata has it.
	Enrollment *kmsg.ControllerRegistrationRequest
	// Incarnation is this start's id.
	Incarnation kafka.UUID
	// MetadataDirectory is the metadata directory's id; with the node's it
	// names the observer.
	MetadataDirectory kafka.UUID
	// Directories are the ids of the log directories that can be used.
	Directories []kafka.UUID
	Listeners   []Listener
	Features    []Feature
	Rack        string // empty: none
	// PreviousEpoch is the broker epoch of .kafka_cleanshutdown, -1 after an
	// unclean stop (KIP-966).
	PreviousEpoch int64
	// HeartbeatInterval is broker.heartbeat.interval.ms.
	HeartbeatInterval time.Duration
	// Proof is what recovery found; it is asked at each registration. Nil: nothing to report.
	Proof func() metarecord.Proof
	// AppliedOffset is the metadata offset that the broker acts upon. Nil:
	// that of the published image.
	AppliedOffset func() int64
	// DirectoryStatus is what the heartbeats say of the log directories. Nil: nothing.
	DirectoryStatus func() DirectoryStatus
	// OnActive hears who is the active controller, as each answer to a fetch of the
	// metadata tells it. It must not wait. Nil: nobody listens.
	OnActive func(node int32)
	// OnFailure hears that this broker has no place in the cluster (another
	// cluster id, its metadata parted from the cluster's): the node must stop.
	// It must not wait.
	OnFailure func(error)
	// Life ends what waits when the node is gone; nil never ends.
	Life *life.Life
}

func (c *Config) validate() error {
	switch {
	case c.Clock == nil, c.Network == nil, c.Events == nil, c.Holder == nil, c.OnFailure == nil:
		return errors.New("uplink config: clock, network, events, holder and failure callback are required")
	case c.Controllers == nil || c.ClusterID == "":
		return errors.New("uplink config: controllers and cluster id are required")
	case c.HeartbeatInterval <= 0:
		return fmt.Errorf("uplink config: heartbeat interval %s", c.HeartbeatInterval)
	}
	return nil
}
