package broker_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker"
	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/observe"
	"github.com/moldau/moldau/clock/manual"
	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/disk/faultfs"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/net/memnet"
)

// shownByTheProcess are metrics of the command around the node, whose tests
// move them.
var shownByTheProcess = []string{"kafka_server_app_info", "moldau_log_lines_dropped_total"}

// movedBetweenBrokers are metrics that one broker alone does not move.
var movedBetweenBrokers = []string{
	"kafka_server_replicamanager_isrshrinks_total", "kafka_server_replicamanager_isrexpands_total",
	"kafka_server_replicamanager_failedisrupdates_total",
	"kafka_server_brokertopicmetrics_replicationbytesin_total", "kafka_server_brokertopicmetrics_replicationbytesout_total",
	"kafka_server_replicafetchermanager_maxlag", "kafka_server_replicafetchermanager_failedpartitionscount",
	"moldau_replication_corrupt_answers_total", "moldau_replication_disconnected_leaders",
}

// metricsWorld is a node with its /metrics, and what each metric was seen at.
type metricsWorld struct {
	*node
	fs    *faultfs.FS
	mem   *memfs.FS
	http  string
	names []string                      // of docs/metrics.md
	seen  map[string]map[float64]bool   // the sums over all labels
	last  map[string]map[string]float64 // by labels, as of the last scrape
}

// Every metric that docs/metrics.md names moves when what it measures does:
// one that nothing moves is a lie on somebody's dashboard.
func TestEveryMetricMoves(t *testing.T) {
	w := newMetricsWorld(t)
	w.scrape() // nothing serves yet
	w.run()
	w.scrape()
	c := w.client()
	w.elections(c)
	w.records(c)
	w.groups(c)
	w.frames(c)
	w.crowd(c)
	w.hungDisk(c)
	w.lostDisk(c)
	for _, name := range w.names {
		if len(w.seen[name]) < 2 && !slices.Contains(shownByTheProcess, name) && !slices.Contains(movedBetweenBrokers, name) {
			t.Errorf("%s never moved: %v", name, w.seen[name])
		}
	}
	_ = w.quit() // not a clean stop: a directory is lost
}

func newMetricsWorld(t *testing.T) *metricsWorld {
	t.Helper()
	settings, _, err := config.Load([]config.Property{
		twoDirs, {Name: "socket.request.max.bytes", Value: "1048576"}, {Name: "moldau.request.memory.bytes", Value: "4194304"},
		{Name: "broker.session.timeout.ms", Value: "60000"}, {Name: "offsets.topic.num.partitions", Value: "1"},
		{Name: "group.initial.rebalance.delay.ms", Value: "0"},
		{Name: "default.replication.factor", Value: "1"}, {Name: "offsets.topic.replication.factor", Value: "1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	clk := sysclock.New()
	mem := memfs.New()
	w := &metricsWorld{
		node: &node{t: t, net: memnet.New(clk), ended: make(chan error, 1)},
		mem:  mem, fs: faultfs.New(mem, clk), seen: map[string]map[float64]bool{},
	}
	events := observe.NewCounter(&eventLog{})
	w.broker, err = broker.New(broker.Config{
		Settings: settings, FS: w.fs, Network: w.net, Clock: clk, Entropy: manual.NewEntropy(7), Events: events, Shards: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.documented()
	l, err := w.net.Listen("metrics:0")
	if err != nil {
		t.Fatal(err)
	}
	server, err := observe.New(observe.Config{Listener: l, Source: w.broker, Events: events, Ready: w.broker.Healthy})
	if err != nil {
		t.Fatal(err)
	}
	w.http = server.Addr()
	served := make(chan error, 1)
	go func() { served <- server.Serve() }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-served
	})
	return w
}

// documented reads the names of docs/metrics.md.
func (w *metricsWorld) documented() {
	text, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		w.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " ")
		if strings.HasPrefix(name, "kafka_") || strings.HasPrefix(name, "moldau_") {
			w.names = append(w.names, name)
			w.seen[name] = map[float64]bool{}
		}
	}
	if len(w.names) < 50 {
		w.t.Fatalf("docs/metrics.md has %d metrics", len(w.names))
	}
}

func (w *metricsWorld) run() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	go func() { w.ended <- w.broker.Run(ctx) }()
	select {
	case <-w.broker.Ready():
	case err := <-w.ended:
		w.t.Fatalf("the node did not start: %v", err)
	}
}

// scrape reads /metrics once.
func (w *metricsWorld) scrape() {
	w.t.Helper()
	conn, err := w.net.Dial(w.http, time.Second, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET /metrics HTTP/1.0\r\n\r\n")); err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	w.last = map[string]map[string]float64{}
	for line := range strings.Lines(string(body)) {
		series, text, ok := strings.Cut(strings.TrimSpace(line), " ")
		if value, err := strconv.ParseFloat(text, 64); ok && err == nil && !strings.HasPrefix(line, "#") {
			w.note(series, value)
		}
	}
	for _, name := range w.names {
		sum := 0.0
		for _, v := range w.last[name] {
			sum += v
		}
		w.seen[name][sum] = true
	}
}

// note keeps a sample under its metric's name; of a summary, its sum.
func (w *metricsWorld) note(series string, value float64) {
	name, labels, _ := strings.Cut(series, "{")
	name = strings.TrimSuffix(name, "_sum")
	if w.seen[name] == nil && !strings.HasSuffix(series, "_count") && (strings.HasPrefix(name, "kafka_") || strings.HasPrefix(name, "moldau_")) &&
		!strings.HasSuffix(name, "_count") {
		w.t.Errorf("%s is shown and not documented", name)
	}
	if w.last[name] == nil {
		w.last[name] = map[string]float64{}
	}
	w.last[name][strings.TrimSuffix(labels, "}")] = value
}

// value is a series of the last scrape.
func (w *metricsWorld) value(name, labels string) float64 { return w.last[name][labels] }

// await scrapes until holds does.
func (w *metricsWorld) await(what string, holds func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		if w.scrape(); holds() {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%s: not in %s", what, patience)
		}
	}
}

// want checks a series of a new scrape.
func (w *metricsWorld) want(values map[string]float64) {
	w.t.Helper()
	w.scrape()
	for series, want := range values {
		name, labels, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
		if got := w.value(name, labels); got != want {
			w.t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
}

// elections have a second broker, of which there is nothing but its requests,
// lead a partition, leave, and be replaced by one that was not in sync.
func (w *metricsWorld) elections(c *client) {
	w.t.Helper()
	ctl := w.clientAt(controllerAddr)
	meta := c.ask(&kmsg.MetadataRequest{Version: 5, Topics: []kmsg.MetadataRequestTopic{}}).(*kmsg.MetadataResponse)
	reg := registration(*meta.ClusterID, 2)
	reg.Version = 1
	r := ctl.ask(reg).(*kmsg.BrokerRegistrationResponse)
	if r.ErrorCode != 0 {
		w.t.Fatalf("register broker 2: %s", kafka.ErrorCode(r.ErrorCode))
	}
	w.await("a fenced broker", func() bool { return w.value("kafka_controller_kafkacontroller_fencedbrokercount", "") == 1 })
	beat := func(fence bool) {
		hb := &kmsg.BrokerHeartbeatRequest{BrokerID: 2, BrokerEpoch: r.BrokerEpoch, CurrentMetadataOffset: 1 << 40, WantFence: fence}
		if code := ctl.ask(hb).(*kmsg.BrokerHeartbeatResponse).ErrorCode; code != 0 {
			w.t.Fatalf("heartbeat of broker 2: %s", kafka.ErrorCode(code))
		}
	}
	beat(false)
	w.await("a second broker", func() bool { return w.value("kafka_controller_kafkacontroller_activebrokercount", "") == 2 })
	w.assign(c, "led", 1, 2)
	w.shrink(ctl, w.assign(c, "away", 2, 1), r.BrokerEpoch)
	w.want(map[string]float64{`kafka_server_replicamanager_underreplicatedpartitions`: 0, `kafka_controller_kafkacontroller_offlinepartitionscount`: 0})
	beat(true)
	w.await("a partition without a leader", func() bool {
		return w.value("kafka_controller_kafkacontroller_offlinepartitionscount", "") == 1 && w.value("kafka_server_replicamanager_underreplicatedpartitions", "") == 1
	})
	w.want(map[string]float64{
		`kafka_cluster_partition_underreplicated{partition="0",topic="led"}`: 1,
		`kafka_controller_kafkacontroller_preferredreplicaimbalancecount`:    0,
		`kafka_controller_controllerstats_uncleanleaderelections_total`:      0,
	})
	c.electUnclean("away", 0)
	w.want(map[string]float64{
		`kafka_controller_kafkacontroller_offlinepartitionscount`:         0,
		`kafka_controller_kafkacontroller_preferredreplicaimbalancecount`: 1,
		`kafka_controller_controllerstats_uncleanleaderelections_total`:   1,
	})
}

// shrink has broker 2, as the leader, report itself as the only one in sync.
func (w *metricsWorld) shrink(ctl *client, topic kafka.UUID, brokerEpoch int64) {
	w.t.Helper()
	part := kmsg.AlterPartitionRequestTopicPartition{NewEpochISR: []kmsg.AlterPartitionRequestTopicPartitionNewEpochISR{{BrokerID: 2, BrokerEpoch: brokerEpoch}}}
	code := kafka.ErrInvalidUpdateVersion
	for ; code == kafka.ErrInvalidUpdateVersion && part.PartitionEpoch < 10; part.PartitionEpoch++ {
		a := ctl.ask(&kmsg.AlterPartitionRequest{Version: 3, BrokerID: 2, BrokerEpoch: brokerEpoch, Topics: []kmsg.AlterPartitionRequestTopic{{
			TopicID: topic, Partitions: []kmsg.AlterPartitionRequestTopicPartition{part},
		}}}).(*kmsg.AlterPartitionResponse)
		code = kafka.ErrorCode(a.Topics[0].Partitions[0].ErrorCode)
	}
	if code != kafka.ErrNone {
		w.t.Fatalf("shrink the ISR: %s", code)
	}
}

// assign creates a topic of one partition on the brokers, for which one in
// sync is enough.
func (w *metricsWorld) assign(c *client, name string, brokers ...int32) kafka.UUID {
	w.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = 7, 10_000
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, -1, -1
	topic.ReplicaAssignment = []kmsg.CreateTopicsRequestTopicReplicaAssignment{{Partition: 0, Replicas: brokers}}
	topic.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "min.insync.replicas", Value: str("1")}}
	req.Topics = append(req.Topics, topic)
	t := c.ask(req).(*kmsg.CreateTopicsResponse).Topics[0]
	if t.ErrorCode != 0 {
		w.t.Fatalf("create %s: %s", name, kafka.ErrorCode(t.ErrorCode))
	}
	return t.TopicID
}

// records move what logs and their directories show.
func (w *metricsWorld) records(c *client) {
	w.t.Helper()
	c.createTopic("strict", 1, "min.insync.replicas=2")
	c.createTopic("cached", 1, "moldau.durability=os")
	c.createTopic("t", 8, "max.message.bytes=1000")
	one := records(w.t, batch.CodecNone, "one")
	c.produce("t", 0, -1, one)
	c.produce("cached", 0, 1, one)
	c.multi("t", 0, 8, 10_000, one) // more files than a turn syncs one by one
	size := float64(len(one))
	w.want(map[string]float64{
		`kafka_server_brokertopicmetrics_messagesin_total{topic="t"}`:           9,
		`kafka_server_brokertopicmetrics_bytesin_total{topic="t"}`:              9 * size,
		`kafka_server_brokertopicmetrics_totalproducerequests_total{topic="t"}`: 9,
		`kafka_log_log_logendoffset{partition="0",topic="t"}`:                   2,
		`kafka_log_log_size{partition="0",topic="t"}`:                           2 * size,
		`kafka_log_log_numlogsegments{partition="0",topic="t"}`:                 1,
		`kafka_cluster_partition_underminisr{partition="0",topic="strict"}`:     1,
		`kafka_cluster_partition_atminisr{partition="0",topic="t"}`:             1,
	})
	for name, code := range map[string]kafka.ErrorCode{
		"too large": kafka.ErrorCode(c.produce("t", 0, -1, records(w.t, batch.CodecNone, strings.Repeat("x", 2000))).ErrorCode),
		"no offset": kafka.ErrorCode(c.fetch("t", 0, 1000).ErrorCode),
	} {
		if code == kafka.ErrNone {
			w.t.Errorf("%s: no error", name)
		}
	}
	c.fetch("t", 0, 0)
	c.deleteRecords("t", 0, 1)
	session := &kmsg.FetchRequest{Version: 12, ReplicaID: -1, MaxBytes: 1000, SessionEpoch: 0, Topics: []kmsg.FetchRequestTopic{{
		Topic: "t", Partitions: []kmsg.FetchRequestTopicPartition{{Partition: 1, CurrentLeaderEpoch: -1, LastFetchedEpoch: -1, PartitionMaxBytes: 1000}},
	}}}
	if id := c.ask(session).(*kmsg.FetchResponse).SessionID; id == 0 {
		w.t.Error("no fetch session")
	}
	w.want(map[string]float64{
		`kafka_server_brokertopicmetrics_bytesout_total{topic="t"}`:           3 * size,
		`kafka_server_brokertopicmetrics_totalfetchrequests_total{topic="t"}`: 3,
		`kafka_server_brokertopicmetrics_failedfetchrequests_total`:           1,
		`kafka_server_brokertopicmetrics_failedproducerequests_total`:         1,
		`kafka_log_log_logstartoffset{partition="0",topic="t"}`:               1,
		`kafka_server_fetchsessioncache_numincrementalfetchsessions`:          1,
	})
	w.await("a sync in the background", func() bool {
		return w.value("moldau_disk_background_syncs_total", `logdirectory="a"`)+w.value("moldau_disk_background_syncs_total", `logdirectory="b"`) > 0
	})
}

// groups are in every state once.
func (w *metricsWorld) groups(c *client) {
	w.t.Helper()
	s := &session{t: w.t, c: c, broker: c}
	awaitCoordinator(c, "g")
	const name = "kafka_coordinator_group_groupmetadatamanager_"
	member := w.joined(c, "g")
	w.want(map[string]float64{name + "numgroups": 1, name + "numgroupscompletingrebalance": 1, name + "numgroupsstable": 0})
	sync := &kmsg.SyncGroupRequest{Version: 3, Group: "g", Generation: 1, MemberID: member}
	if code := c.ask(sync).(*kmsg.SyncGroupResponse).ErrorCode; code != 0 {
		w.t.Fatalf("sync: %s", kafka.ErrorCode(code))
	}
	w.want(map[string]float64{name + "numgroupsstable": 1, name + "numgroupscompletingrebalance": 0})
	commit := &kmsg.OffsetCommitRequest{Version: 8, Group: "g", Generation: 1, MemberID: member, Topics: []kmsg.OffsetCommitRequestTopic{{
		Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Partition: 0, Offset: 1, LeaderEpoch: -1}, {Partition: 1, Offset: 1, LeaderEpoch: -1}},
	}}}
	if p := c.ask(commit).(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0]; p.ErrorCode != 0 {
		w.t.Fatalf("commit: %s", kafka.ErrorCode(p.ErrorCode))
	}
	w.want(map[string]float64{name + "numoffsets": 2})
	// A second member waits for the first to join again.
	second := w.client()
	join := joinRequest("g", "")
	join.Version = 3
	if _, err := second.conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, join, 1)); err != nil {
		w.t.Fatal(err)
	}
	w.await("a rebalance", func() bool { return w.value(name+"numgroupspreparingrebalance", "") == 1 })
	_ = second.conn.Close()
	leave := &kmsg.LeaveGroupRequest{Version: 1, Group: "g", MemberID: member}
	if code := c.ask(leave).(*kmsg.LeaveGroupResponse).ErrorCode; code != 0 {
		w.t.Fatalf("leave: %s", kafka.ErrorCode(code))
	}
	s.prepare(2, &kmsg.OffsetCommitRequest{Group: "simple", Generation: -1, Topics: commit.Topics})
	w.want(map[string]float64{name + "numgroupsempty": 1, name + "numgroups": 2, name + "numoffsets": 4})
}

// joined is a member of a new group whose assignment is not there yet.
func (w *metricsWorld) joined(c *client, group string) string {
	w.t.Helper()
	join := joinRequest(group, "")
	join.Version = 3
	resp := c.ask(join).(*kmsg.JoinGroupResponse)
	if resp.ErrorCode != 0 {
		w.t.Fatalf("join %s: %s", group, kafka.ErrorCode(resp.ErrorCode))
	}
	return resp.MemberID
}

// frames that are malformed or half sent show in the memory and the refusals.
func (w *metricsWorld) frames(*client) {
	w.t.Helper()
	bad := w.client()
	if _, err := bad.conn.Write([]byte{0xff, 0xff, 0xff, 0xff}); err != nil {
		w.t.Fatal(err)
	}
	w.await("a refused connection", func() bool { return w.value("moldau_connections_refused_total", `listener="clients"`) == 1 })
	const frameBytes = 1 << 20
	half := make([]byte, frameBytes-10)
	binary.BigEndian.PutUint32(half, frameBytes-4)
	copy(half[4:], []byte{0, 0, 0, 9}) // a Produce
	for range 8 {
		c := w.client()
		go func() { _, _ = c.conn.Write(half) }() // some are never read
	}
	w.await("memory of requests", func() bool { return w.value("kafka_network_socketserver_memorypoolused", "") > 0 })
	w.await("an evicted request", func() bool { return w.value("moldau_requests_evicted_total", "") > 0 })
}

// crowd lets more clients come than the limits allow, which change meanwhile.
func (w *metricsWorld) crowd(c *client) {
	w.t.Helper()
	limit := func(name, value string) {
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		req.Version = 1
		req.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{
			ResourceType: kmsg.ConfigResourceTypeBroker,
			Configs:      []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: name, Value: &value}},
		}}
		if code := kafka.ErrorCode(c.ask(req).(*kmsg.IncrementalAlterConfigsResponse).Resources[0].ErrorCode); code != kafka.ErrNone {
			w.t.Fatalf("%s=%s: %s", name, value, code)
		}
	}
	limit("max.connections.per.ip", "0")
	stranger := w.client()
	if n, err := stranger.conn.Read(make([]byte, 1)); err != io.EOF {
		w.t.Errorf("a connection beyond the limit of its address: %d bytes, %v", n, err)
	}
	w.await("a connection over the limit", func() bool { return w.value("moldau_connections_over_limit_total", `listener="clients"`) == 1 })
	limit("max.connections.per.ip", "1000")
	limit("max.connections", "1")
	waits := w.client()
	if _, err := waits.conn.Write([]byte{0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff}); err != nil {
		w.t.Fatal(err)
	}
	w.await("a listener that waits", func() bool { return w.value("moldau_events_total", `kind="accept-blocked"`) == 1 })
	limit("max.connections", "1000")
	if _, err := waits.conn.Read(make([]byte, 1)); err != nil {
		w.t.Errorf("a connection that waited: %v", err)
	}
	w.await("a connection that waited", func() bool { return w.value("moldau_acceptor_blocked_seconds_total", `listener="clients"`) > 0 })
	limit("max.connection.creation.rate", "1")
	for range 12 { // a burst of ten is free
		w.client()
	}
	w.await("a connection that came too soon", func() bool { return w.value("moldau_acceptor_throttled_seconds_total", `listener="clients"`) > 0 })
	limit("max.connection.creation.rate", "2147483647")
}

// hungDisk holds a sync back.
func (w *metricsWorld) hungDisk(c *client) {
	w.t.Helper()
	hold := make(chan struct{})
	var removes []func()
	for _, dir := range []string{"a", "b"} {
		for _, depth := range []string{"/*", "/*/*"} {
			removes = append(removes, w.fs.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.OpSync}, Pattern: dir + depth, Hold: hold}))
		}
	}
	p := c.multi("t", 0, 8, 50, records(w.t, batch.CodecNone, "slow"))[0]
	if kafka.ErrorCode(p.ErrorCode) != kafka.ErrRequestTimedOut {
		w.t.Errorf("produce to a hung disk: %s", kafka.ErrorCode(p.ErrorCode))
	}
	w.await("a sync that hangs", func() bool {
		return w.value("moldau_disk_pending_bytes", `logdirectory="a"`) > 0 && w.value("moldau_disk_sync_running_ms", `logdirectory="a"`) > 0
	})
	for _, remove := range removes {
		remove()
	}
	close(hold)
	w.await("the end of the sync", func() bool { return w.value("moldau_disk_pending_bytes", `logdirectory="a"`) == 0 })
}

// lostDisk takes a directory away.
func (w *metricsWorld) lostDisk(c *client) {
	w.t.Helper()
	failB(w.fs, errDisk, faultfs.OpSync)
	c.multi("t", 0, 8, 10_000, records(w.t, batch.CodecNone, "lost"))
	w.await("a lost directory", func() bool {
		return w.value("kafka_log_logmanager_offlinelogdirectorycount", "") == 1 && w.value("kafka_server_replicamanager_offlinereplicacount", "") > 0
	})
	w.want(map[string]float64{`kafka_log_logmanager_logdirectoryoffline{logdirectory="b"}`: 1, `kafka_log_logmanager_logdirectoryoffline{logdirectory="a"}`: 0})
}
