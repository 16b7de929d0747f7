package observe

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// partitionsShownMax bounds the partitions that are shown one by one; a node
// with more shows none of them, only the sums. topicsShownMax bounds topics.
const (
	partitionsShownMax = 20_000
	topicsShownMax     = 10_000
)

// collector turns a Snapshot into metrics.
type collector struct {
	mu     sync.Mutex // one snapshot at a time
	source Source
	descs  descs
}

// descs are the metrics' descriptions by name, which are costly to make. A
// name always has the same labels.
type descs map[string]*prometheus.Desc

// Describe sends nothing: the metrics depend on the snapshot, which makes the
// collector an unchecked one.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var s Snapshot
	c.source.Snapshot(&s)
	e := emitter{ch: ch, descs: c.descs}
	e.node(&s)
	e.topics(&s)
	e.network(&s)
	e.replicas(&s)
	e.dirs(&s)
	e.controller(&s)
	e.groups(&s)
}

// emitter sends metrics with constant values.
type emitter struct {
	ch    chan<- prometheus.Metric
	descs descs
}

// desc finds or makes the description; labels are name, value pairs.
func (e emitter) desc(name, help string, labels []string) *prometheus.Desc {
	d := e.descs[name]
	if d == nil {
		var names []string
		for i := 0; i+1 < len(labels); i += 2 {
			names = append(names, labels[i])
		}
		d = prometheus.NewDesc(name, help, names, nil)
		e.descs[name] = d
	}
	return d
}

func (e emitter) send(kind prometheus.ValueType, name, help string, v float64, labels ...string) {
	e.ch <- prometheus.MustNewConstMetric(e.desc(name, help, labels), kind, v, labelValues(labels)...)
}

func (e emitter) gauge(name, help string, v float64, labels ...string) {
	e.send(prometheus.GaugeValue, name, help, v, labels...)
}

func (e emitter) counter(name, help string, v uint64, labels ...string) {
	e.send(prometheus.CounterValue, name, help, float64(v), labels...)
}

func (e emitter) summary(name, help string, count uint64, sum float64, labels ...string) {
	e.ch <- prometheus.MustNewConstSummary(e.desc(name, help, labels), count, sum, nil, labelValues(labels)...)
}

func labelValues(labels []string) []string {
	values := make([]string, 0, len(labels)/2)
	for i := 1; i < len(labels); i += 2 {
		values = append(values, strings.ToValidUTF8(labels[i], "?"))
	}
	return values
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (e emitter) node(s *Snapshot) {
	e.gauge("kafka_server_kafkaserver_brokerstate", "State of the broker: 3 is running.", float64(s.BrokerState))
	e.gauge("kafka_server_app_info", "The program's version.", 1, "version", s.Version)
	e.gauge("kafka_server_brokermetadatametrics_last_applied_record_offset", "Offset of the newest metadata record that the broker follows.", float64(s.ImageOffset))
	e.counter("moldau_log_lines_dropped_total", "Lines of the log that nobody took in time.", s.LogLinesDropped)
}

const topicMetrics = "kafka_server_brokertopicmetrics_"

// topics shows each topic, and all of them without a name, as Kafka does.
func (e emitter) topics(s *Snapshot) {
	topics := slices.Clone(s.Topics)
	slices.SortFunc(topics, func(a, b Topic) int { return cmp.Compare(a.Name, b.Name) })
	var all Topic
	for _, t := range topics {
		all.MessagesIn += t.MessagesIn
		all.BytesIn += t.BytesIn
		all.BytesOut += t.BytesOut
		all.ProduceRequests += t.ProduceRequests
		all.Fetches += t.Fetches
	}
	if len(topics) > topicsShownMax {
		topics = topics[:topicsShownMax]
	}
	for _, t := range append(topics, all) {
		e.counter(topicMetrics+"messagesin_total", "Records written.", t.MessagesIn, "topic", t.Name)
		e.counter(topicMetrics+"bytesin_total", "Bytes written by clients.", t.BytesIn, "topic", t.Name)
		e.counter(topicMetrics+"bytesout_total", "Bytes read by clients.", t.BytesOut, "topic", t.Name)
		e.counter(topicMetrics+"totalproducerequests_total", "Partitions of Produce requests.", t.ProduceRequests, "topic", t.Name)
		e.counter(topicMetrics+"totalfetchrequests_total", "Partitions of Fetch requests.", t.Fetches, "topic", t.Name)
	}
	e.counter(topicMetrics+"bytesrejected_total", "Bytes of batches that were refused.", s.BytesRejected)
	e.counter(topicMetrics+"failedproducerequests_total", "Partitions of Produce requests that failed.", s.FailedProduce)
	e.counter(topicMetrics+"failedfetchrequests_total", "Partitions of Fetch requests that failed.", s.FailedFetch)
}

func (e emitter) network(s *Snapshot) {
	for _, l := range s.Listeners {
		e.gauge("kafka_server_socket_server_metrics_connection_count", "Open connections.", float64(l.Connections), "listener", l.Name)
		e.counter("kafka_server_socket_server_metrics_connection_creation_total", "Connections accepted.", l.Accepted, "listener", l.Name)
		e.counter("kafka_server_socket_server_metrics_incoming_byte_total", "Bytes received.", l.BytesIn, "listener", l.Name)
		e.counter("kafka_server_socket_server_metrics_outgoing_byte_total", "Bytes sent.", l.BytesOut, "listener", l.Name)
		e.counter("moldau_connections_refused_total", "Connections closed for a malformed or unserved request.", l.Refused, "listener", l.Name)
		e.counter("moldau_connections_over_limit_total", "Connections closed for max.connections.per.ip.", l.OverHost, "listener", l.Name)
		e.send(prometheus.CounterValue, "moldau_acceptor_blocked_seconds_total", "Time that accepting waited for connections to end, for max.connections.", float64(l.BlockedNanos)/1e9, "listener", l.Name)
		e.send(prometheus.CounterValue, "moldau_acceptor_throttled_seconds_total", "Time that accepting waited for its turn, for max.connection.creation.rate.", float64(l.ThrottledNanos)/1e9, "listener", l.Name)
	}
	for _, r := range s.Requests {
		e.counter("kafka_network_requestmetrics_requests_total", "Requests.", r.Count, "request", r.Name)
		e.summary("kafka_network_requestmetrics_totaltimems", "Time from a request's arrival to its answer, in milliseconds.", r.Count, float64(r.Nanos)/1e6, "request", r.Name)
		e.summary("kafka_network_requestmetrics_requestbytes", "Size of requests in bytes.", r.Count, float64(r.Bytes), "request", r.Name)
	}
	e.gauge("kafka_network_socketserver_memorypoolused", "Bytes of requests under way.", float64(s.MemoryUsed))
	e.gauge("kafka_network_socketserver_memorypoolavailable", "Bytes left for requests.", float64(s.MemoryMax-s.MemoryUsed))
	e.counter("moldau_requests_evicted_total", "Connections closed so that their half-sent requests free memory.", s.MemoryEvicted)
	e.gauge("kafka_server_fetchsessioncache_numincrementalfetchsessions", "Incremental fetch sessions.", float64(s.FetchSessions))
}

func (e emitter) replicas(s *Snapshot) {
	var leaders, under, underMin, atMin, offline int
	for i := range s.Partitions {
		p := &s.Partitions[i]
		if p.Offline {
			offline++
		}
		if p.Leader {
			leaders++
			under += int(truth(p.InSync < p.Replicas))
			underMin += int(truth(p.InSync < p.MinInSync))
			atMin += int(truth(p.InSync == p.MinInSync))
		}
	}
	const manager = "kafka_server_replicamanager_"
	e.gauge(manager+"partitioncount", "Replicas on this broker.", float64(len(s.Partitions)))
	e.gauge(manager+"leadercount", "Partitions that this broker leads.", float64(leaders))
	e.gauge(manager+"underreplicatedpartitions", "Partitions led here with a replica out of sync.", float64(under))
	e.gauge(manager+"underminisrpartitioncount", "Partitions led here with fewer replicas in sync than min.insync.replicas.", float64(underMin))
	e.gauge(manager+"atminisrpartitioncount", "Partitions led here with just min.insync.replicas in sync.", float64(atMin))
	e.gauge(manager+"offlinereplicacount", "Replicas in failed log directories.", float64(offline))
	r := &s.Replication
	e.counter(manager+"isrshrinks_total", "Times that an ISR led here lost a member.", r.Shrinks)
	e.counter(manager+"isrexpands_total", "Times that an ISR led here gained a member.", r.Expands)
	e.counter(manager+"failedisrupdates_total", "Changes of ISR that the controller refused or did not answer.", r.RefusedISRs)
	e.counter(topicMetrics+"replicationbytesin_total", "Bytes of records fetched from leaders.", r.BytesIn)
	e.counter(topicMetrics+"replicationbytesout_total", "Bytes of records sent to followers.", r.BytesOut)
	const fetchers = "kafka_server_replicafetchermanager_"
	e.gauge(fetchers+"maxlag", "Most records that a follower here lacks to its leader's high watermark.", float64(r.MaxLag), "clientid", "Replica")
	e.gauge(fetchers+"failedpartitionscount", "Followers here that wait after a failure.", float64(r.FailedPartitions), "clientid", "Replica")
	e.counter("moldau_replication_corrupt_answers_total", "Records from a leader that were not sound.", r.CorruptAnswers)
	e.gauge("moldau_replication_disconnected_leaders", "Leaders of followers here without a connection.", float64(r.DisconnectedLeaders))
	if len(s.Partitions) > partitionsShownMax {
		return
	}
	for i := range s.Partitions {
		e.partition(&s.Partitions[i])
	}
}

func (e emitter) partition(p *Partition) {
	labels := []string{"topic", p.Topic, "partition", strconv.Itoa(int(p.Partition))}
	e.gauge("kafka_log_log_size", "Bytes of the log.", float64(p.Bytes), labels...)
	e.gauge("kafka_log_log_logstartoffset", "First offset of the log.", float64(p.LogStart), labels...)
	e.gauge("kafka_log_log_logendoffset", "One past the last offset of the log.", float64(p.LogEnd), labels...)
	e.gauge("kafka_log_log_numlogsegments", "Segments of the log.", float64(p.Segments), labels...)
	if !p.Leader {
		return
	}
	e.gauge("kafka_cluster_partition_replicascount", "Replicas.", float64(p.Replicas), labels...)
	e.gauge("kafka_cluster_partition_insyncreplicascount", "Replicas in sync.", float64(p.InSync), labels...)
	e.gauge("kafka_cluster_partition_underreplicated", "Whether a replica is out of sync.", truth(p.InSync < p.Replicas), labels...)
	e.gauge("kafka_cluster_partition_underminisr", "Whether fewer than min.insync.replicas are in sync.", truth(p.InSync < p.MinInSync), labels...)
	e.gauge("kafka_cluster_partition_atminisr", "Whether just min.insync.replicas are in sync.", truth(p.InSync == p.MinInSync), labels...)
}

func (e emitter) dirs(s *Snapshot) {
	offline := 0
	for _, d := range s.Dirs {
		offline += int(truth(d.Offline))
		l := []string{"logdirectory", d.Path}
		e.gauge("kafka_log_logmanager_logdirectoryoffline", "Whether the log directory failed.", truth(d.Offline), l...)
		e.counter("moldau_disk_turns_total", "Turns of the append lane.", d.Turns, l...)
		e.counter("moldau_disk_appends_total", "Appends.", d.Appends, l...)
		e.counter("moldau_disk_appended_bytes_total", "Bytes appended.", d.AppendedBytes, l...)
		e.counter("moldau_disk_direct_syncs_total", "Files synced for acknowledgements.", d.DirectSyncs, l...)
		e.counter("moldau_disk_journal_commits_total", "Commits of the journal.", d.JournalCommits, l...)
		e.counter("moldau_disk_journal_bytes_total", "Bytes written to the journal.", d.JournalBytes, l...)
		e.counter("moldau_disk_background_syncs_total", "Files synced in the background.", d.BackgroundSyncs, l...)
		e.gauge("moldau_disk_pending_bytes", "Bytes written and not yet durable.", float64(d.PendingBytes), l...)
		e.gauge("moldau_disk_open_files", "Open segment files.", float64(d.OpenFiles), l...)
		e.gauge("moldau_disk_sync_running_ms", "How long the sync under way has taken.", float64(d.SyncMillis), l...)
	}
	e.gauge("kafka_log_logmanager_offlinelogdirectorycount", "Failed log directories.", float64(offline))
}

func (e emitter) controller(s *Snapshot) {
	c := &s.Controller
	const name = "kafka_controller_kafkacontroller_"
	e.gauge(name+"activecontrollercount", "Whether this node is the active controller.", truth(c.Active))
	e.gauge(name+"activebrokercount", "Brokers that are not fenced.", float64(c.ActiveBrokers))
	e.gauge(name+"fencedbrokercount", "Brokers that are fenced.", float64(c.FencedBrokers))
	e.gauge(name+"globaltopiccount", "Topics of the cluster.", float64(c.Topics))
	e.gauge(name+"globalpartitioncount", "Partitions of the cluster.", float64(c.Partitions))
	e.gauge(name+"offlinepartitionscount", "Partitions without a leader.", float64(c.OfflinePartitions))
	e.gauge(name+"preferredreplicaimbalancecount", "Partitions not led by their preferred replica.", float64(c.PreferredAway))
	e.counter("kafka_controller_controllerstats_uncleanleaderelections_total", "Elections of replicas that were not in sync.", c.UncleanElections)
	if s.Raft.State == "" {
		return
	}
	r := &s.Raft
	e.gauge("kafka_server_raftmetrics_current_state", "Role of this node in the metadata quorum.", 1, "state", r.State)
	e.gauge("kafka_server_raftmetrics_current_leader", "Node that leads the metadata quorum, -1 for none.", float64(r.Leader))
	e.gauge("kafka_server_raftmetrics_current_epoch", "Epoch of the metadata quorum.", float64(r.Epoch))
	e.gauge("kafka_server_raftmetrics_high_watermark", "One past the last committed metadata record.", float64(r.HighWatermark))
	e.gauge("kafka_server_raftmetrics_log_end_offset", "One past the last metadata record.", float64(r.LogEnd))
	e.gauge("kafka_server_raftmetrics_number_of_voters", "Voters of the metadata quorum.", float64(r.Voters))
}

func (e emitter) groups(s *Snapshot) {
	const name = "kafka_coordinator_group_groupmetadatamanager_"
	total := 0
	for _, g := range s.GroupsByState {
		total += g.Count
		e.gauge(name+"numgroups"+strings.ToLower(g.State), "Groups in the state "+g.State+".", float64(g.Count))
	}
	e.gauge(name+"numgroups", "Groups of this coordinator.", float64(total))
	e.gauge(name+"numoffsets", "Committed offsets of this coordinator.", float64(s.GroupOffsets))
}
