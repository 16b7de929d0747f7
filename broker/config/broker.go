package config

import (
	"time"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/internal/invariant"
)

// Broker is a node's static settings, typed and checked. Load makes it.
type Broker struct {
	NodeID       int32
	IsBroker     bool // process.roles has broker
	IsController bool // process.roles has controller
	Rack         string

	// Listeners are all addresses to listen on, in the order of the properties.
	Listeners []Listener
	// Advertised are the clients' listeners as clients are told of them, in the
	// order of the properties. A host may be empty (see SetHostname).
	Advertised []Listener
	// InterBroker is the name of the listener between brokers.
	InterBroker string

	Voters []Voter  // controller.quorum.voters, empty for a node alone or one that joins
	Join   []string // controllers of a running cluster (host:port), this node's own left out

	LogDirs     []string // at least one
	MetadataDir string   // where __cluster_metadata-0 lies

	HTTPListen         string // empty: no HTTP
	PyroscopeURL       string // empty: none
	LogFormat          string // text or json
	LogLevel           string // debug, info, warn or error
	Shards             int    // 0: one for each processor
	RequestMemoryBytes int64  // at least SocketRequestMaxBytes

	Durability kafka.Durability // of topics created without one

	BrokerHeartbeat     time.Duration // broker.heartbeat.interval.ms
	BrokerSession       time.Duration // broker.session.timeout.ms
	DisconnectGrace     time.Duration // moldau.broker.disconnect.grace.ms
	RegistrationTimeout time.Duration // initial.broker.registration.timeout.ms
	RaftElection        time.Duration // controller.quorum.election.timeout.ms
	RaftHeartbeat       time.Duration // moldau.raft.heartbeat.ms
	RaftLease           time.Duration // moldau.raft.lease.ms
	DiskStall           time.Duration // moldau.disk.stall.ms
	LogDirFailure       time.Duration // log.dir.failure.timeout.ms
	RequestTimeout      time.Duration // request.timeout.ms, of the node's own requests
	ReplicaLagMax       time.Duration // replica.lag.time.max.ms

	MetadataSnapshotBytes    int64         // metadata.log.max.record.bytes.between.snapshots
	MetadataSnapshotInterval time.Duration // metadata.log.max.snapshot.interval.ms, 0 for never

	LeaderRebalance time.Duration // between checks for preferred leaders, 0 for none

	AutoCreateTopics         bool
	DeleteTopics             bool
	ControlledShutdown       bool
	NumPartitions            int32
	DefaultReplicationFactor int // 0: min(3, registered brokers), see the function of that name

	SocketRequestMaxBytes int
	ConnectionsMaxIdle    time.Duration // negative: never closed
	// ListenerLimits are those set for single listeners, by the listener's name;
	// those of the node are ResolveConnectionLimits'.
	ListenerLimits        map[string]ListenerLimits
	FetchMaxBytes         int
	SocketReceiveBytes    int // of a connection's buffer, at or below 0 the system's choice
	SocketSendBytes       int // the same
	DescribePartitionsMax int // max.request.partition.size.limit
	FetchSessionSlots     int // max.incremental.fetch.session.cache.slots

	ReplicaFetchMaxBytes         int
	ReplicaFetchMinBytes         int
	ReplicaFetchWaitMax          time.Duration
	ReplicaFetchResponseMaxBytes int
	ReplicaFetchBackoff          time.Duration // replica.fetch.backoff.ms
	ReplicaSocketTimeout         time.Duration // replica.socket.timeout.ms
	ReplicaSelector              string        // replica.selector.class

	RetentionCheck       time.Duration // log.retention.check.interval.ms
	CheckpointInterval   time.Duration // replica.high.watermark.checkpoint.interval.ms
	RecoveryLanes        int           // num.recovery.threads.per.data.dir
	ProducerIDExpiration time.Duration // producer.id.expiration.ms

	GroupInitialRebalanceDelay time.Duration
	GroupMinSession            time.Duration
	GroupMaxSession            time.Duration
	GroupMaxSize               int

	OffsetsTopicPartitions        int32
	OffsetsTopicReplicationFactor int // 0: min(3, registered brokers)
	OffsetsTopicSegmentBytes      int
	OffsetsTopicCompression       Compression
	OffsetMetadataMaxBytes        int
	OffsetsCommitTimeout          time.Duration
	OffsetsLoadBytes              int
	OffsetsRetention              time.Duration
	OffsetsRetentionCheck         time.Duration

	// Static holds what was set explicitly, as the layer of DescribeConfigs and
	// ResolveTopic.
	Static Map
}

// Default is the node without any setting.
func Default() *Broker {
	b, _, err := Load(nil)
	invariant.Check(err == nil, "the table's defaults do not load: %v", err)
	return b
}

// SetHostname gives the host to advertised listeners that have none, because
// their listener is on every interface.
func (b *Broker) SetHostname(host string) {
	for i := range b.Advertised {
		if b.Advertised[i].Host == "" {
			b.Advertised[i].Host = host
		}
	}
}

// ClientListeners are the listeners that serve clients and brokers.
func (b *Broker) ClientListeners() []Listener { return b.listeners(false) }

// ControllerListeners are the listeners that serve controllers; empty on a
// node that is none.
func (b *Broker) ControllerListeners() []Listener { return b.listeners(true) }

func (b *Broker) listeners(controller bool) []Listener {
	var out []Listener
	for _, l := range b.Listeners {
		if l.Controller == controller {
			out = append(out, l)
		}
	}
	return out
}

// Layers are the static layer alone.
func (b *Broker) Layers() Layers { return Layers{Static: b.Static} }

// fill sets what is a plain value of one setting.
func (b *Broker) fill(l Layers) {
	v := func(name string) Value { return l.effective(table.byBroker[name]).Value }
	num := func(name string) int { return int(v(name).Int) }
	ms := func(name string) time.Duration { return millis(v(name).Int) }

	b.Rack = v("broker.rack").Text
	b.HTTPListen = v("moldau.http.listen").Text
	b.PyroscopeURL = v("moldau.pyroscope.url").Text
	b.LogFormat = v("moldau.log.format").Text
	b.LogLevel = v("moldau.log.level").Text
	b.Shards = num("moldau.shards")
	b.Durability = durability(v("moldau.durability").Text)

	b.BrokerHeartbeat = ms("broker.heartbeat.interval.ms")
	b.BrokerSession = ms("broker.session.timeout.ms")
	b.DisconnectGrace = ms("moldau.broker.disconnect.grace.ms")
	b.RegistrationTimeout = ms("initial.broker.registration.timeout.ms")
	b.RaftElection = ms("controller.quorum.election.timeout.ms")
	b.RaftHeartbeat = ms("moldau.raft.heartbeat.ms")
	b.RaftLease = ms("moldau.raft.lease.ms")
	b.DiskStall = ms("moldau.disk.stall.ms")
	b.LogDirFailure = ms("log.dir.failure.timeout.ms")
	b.RequestTimeout = ms("request.timeout.ms")
	b.ReplicaLagMax = ms("replica.lag.time.max.ms")
	b.MetadataSnapshotBytes = v("metadata.log.max.record.bytes.between.snapshots").Int
	b.MetadataSnapshotInterval = ms("metadata.log.max.snapshot.interval.ms")

	b.AutoCreateTopics = v("auto.create.topics.enable").Bool
	b.DeleteTopics = v("delete.topic.enable").Bool
	b.ControlledShutdown = v("controlled.shutdown.enable").Bool
	b.NumPartitions = int32(num("num.partitions"))
	b.DefaultReplicationFactor = num("default.replication.factor")

	b.SocketRequestMaxBytes = num("socket.request.max.bytes")
	b.RequestMemoryBytes = max(v("moldau.request.memory.bytes").Int, int64(b.SocketRequestMaxBytes))
	if queued := v("queued.max.request.bytes").Int; queued > 0 && b.Static["moldau.request.memory.bytes"] == "" {
		b.RequestMemoryBytes = queued // at least socket.request.max.bytes, see relations
	}
	b.ConnectionsMaxIdle = ms("connections.max.idle.ms")
	b.FetchMaxBytes = num("fetch.max.bytes")
	b.FetchSessionSlots = num("max.incremental.fetch.session.cache.slots")
	b.ReplicaFetchMaxBytes = num("replica.fetch.max.bytes")
	b.ReplicaFetchMinBytes = num("replica.fetch.min.bytes")
	b.ReplicaFetchWaitMax = ms("replica.fetch.wait.max.ms")
	b.ReplicaFetchResponseMaxBytes = num("replica.fetch.response.max.bytes")
	b.ReplicaFetchBackoff = ms("replica.fetch.backoff.ms")
	b.ReplicaSocketTimeout = ms("replica.socket.timeout.ms")
	b.ReplicaSelector = v("replica.selector.class").Text
	b.CheckpointInterval = ms("replica.high.watermark.checkpoint.interval.ms")
	b.RecoveryLanes = num("num.recovery.threads.per.data.dir")
	if v("auto.leader.rebalance.enable").Bool {
		b.LeaderRebalance = millis(v("leader.imbalance.check.interval.seconds").Int * 1000)
	}
	b.SocketReceiveBytes = num("socket.receive.buffer.bytes")
	b.SocketSendBytes = num("socket.send.buffer.bytes")
	b.DescribePartitionsMax = num("max.request.partition.size.limit")
	b.OffsetsLoadBytes = num("offsets.load.buffer.size")
	b.RetentionCheck = ms("log.retention.check.interval.ms")
	b.ProducerIDExpiration = ms("producer.id.expiration.ms")

	b.GroupInitialRebalanceDelay = ms("group.initial.rebalance.delay.ms")
	b.GroupMinSession = ms("group.min.session.timeout.ms")
	b.GroupMaxSession = ms("group.max.session.timeout.ms")
	b.GroupMaxSize = num("group.max.size")
	b.OffsetsTopicPartitions = int32(num("offsets.topic.num.partitions"))
	b.OffsetsTopicReplicationFactor = num("offsets.topic.replication.factor")
	b.OffsetsTopicSegmentBytes = num("offsets.topic.segment.bytes")
	b.OffsetsTopicCompression = Compression(num("offsets.topic.compression.codec"))
	b.OffsetMetadataMaxBytes = num("offset.metadata.max.bytes")
	b.OffsetsCommitTimeout = ms("offsets.commit.timeout.ms")
	b.OffsetsRetention = millis(v("offsets.retention.minutes").Int * 60_000)
	b.OffsetsRetentionCheck = ms("offsets.retention.check.interval.ms")
}

// millis converts; what a Duration cannot hold (292 years) becomes its largest.
func millis(ms int64) time.Duration {
	const millisMax = int64(maxLong / int64(time.Millisecond))
	return time.Duration(max(-millisMax, min(ms, millisMax))) * time.Millisecond
}
