package broker_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/disk/memfs"
)

// Clients of each listener are told its own advertised address, by every
// request that tells addresses.
func TestListenersAdvertiseTheirOwn(t *testing.T) {
	n := startNode(t, memfs.New(),
		config.Property{Name: "listeners", Value: "INSIDE://127.0.0.1:9092,OUTSIDE://127.0.0.1:9192,CONTROLLER://127.0.0.1:9093"},
		config.Property{Name: "advertised.listeners", Value: "INSIDE://in.example:1111,OUTSIDE://out.example:2222"},
		config.Property{Name: "listener.security.protocol.map", Value: "INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT"},
		config.Property{Name: "inter.broker.listener.name", Value: "INSIDE"},
		config.Property{Name: "controller.listener.names", Value: "CONTROLLER"},
		config.Property{Name: "offsets.topic.num.partitions", Value: "1"},
	)
	defer n.stop()
	for addr, want := range map[string]string{"127.0.0.1:9092": "in.example:1111", "127.0.0.1:9192": "out.example:2222"} {
		c := n.clientAt(addr)
		b := c.ask(&kmsg.MetadataRequest{Version: 12, Topics: []kmsg.MetadataRequestTopic{}}).(*kmsg.MetadataResponse).Brokers
		if got := fmt.Sprintf("%s:%d", b[0].Host, b[0].Port); len(b) != 1 || got != want {
			t.Errorf("Metadata on %s tells %s, want %s", addr, got, want)
		}
		d := c.ask(&kmsg.DescribeClusterRequest{Version: 2, EndpointType: 1}).(*kmsg.DescribeClusterResponse).Brokers
		if got := fmt.Sprintf("%s:%d", d[0].Host, d[0].Port); got != want {
			t.Errorf("DescribeCluster on %s tells %s, want %s", addr, got, want)
		}
		awaitCoordinator(c, "g")
		f := c.ask(&kmsg.FindCoordinatorRequest{Version: 3, CoordinatorKey: "g"}).(*kmsg.FindCoordinatorResponse)
		if got := fmt.Sprintf("%s:%d", f.Host, f.Port); got != want {
			t.Errorf("FindCoordinator on %s tells %s, want %s", addr, got, want)
		}
	}
}

// Metadata makes topics that are missing where that is allowed: with the
// node's defaults, once, and ready to be written to.
func TestAutomaticCreation(t *testing.T) {
	for _, enabled := range []bool{true, false} {
		n := startNode(t, memfs.New(), config.Property{Name: "auto.create.topics.enable", Value: fmt.Sprint(enabled)}, config.Property{Name: "num.partitions", Value: "3"})
		c := n.client()
		ask := func(version int16, name string, allow bool) kmsg.MetadataResponseTopic {
			return c.ask(&kmsg.MetadataRequest{Version: version, AllowAutoTopicCreation: allow, Topics: []kmsg.MetadataRequestTopic{{Topic: &name}}}).(*kmsg.MetadataResponse).Topics[0]
		}
		if got := ask(8, "a", false); kafka.ErrorCode(got.ErrorCode) != kafka.ErrUnknownTopicOrPartition {
			t.Errorf("not allowed: %s", kafka.ErrorCode(got.ErrorCode))
		}
		got := ask(8, "a", true)
		if made := got.ErrorCode == 0 && len(got.Partitions) == 3 && got.Partitions[2].Leader == 1; made != enabled {
			t.Errorf("enabled %v: %s, %d partitions", enabled, kafka.ErrorCode(got.ErrorCode), len(got.Partitions))
		}
		if enabled {
			if p := c.produce("a", 2, -1, records(t, batch.CodecNone, "x")); p.ErrorCode != 0 {
				t.Errorf("produce to what was just made: %s", kafka.ErrorCode(p.ErrorCode))
			}
			if got := ask(1, "b", false); got.ErrorCode != 0 {
				t.Errorf("version 1 cannot forbid creation: %s", kafka.ErrorCode(got.ErrorCode))
			}
		}
		if got := ask(8, "a/b", true); kafka.ErrorCode(got.ErrorCode) != kafka.ErrInvalidTopicException {
			t.Errorf("a name that is not allowed: %s", kafka.ErrorCode(got.ErrorCode))
		}
		n.stop()
	}
}

// A topic that was deleted and created anew is another one: its id, its
// records, and fetches by the old id tell so.
func TestTopicRecreated(t *testing.T) {
	n := startNode(t, memfs.New())
	defer n.stop()
	c := n.client()
	old := c.createTopic("t", 1, anyAge)
	c.produce("t", 0, -1, records(t, batch.CodecNone, "old"))
	del := &kmsg.DeleteTopicsRequest{Version: 6, TimeoutMillis: 10_000, Topics: []kmsg.DeleteTopicsRequestTopic{{TopicID: old}}}
	if r := c.ask(del).(*kmsg.DeleteTopicsResponse).Topics[0]; r.ErrorCode != 0 || *r.Topic != "t" {
		t.Fatalf("delete by id: %s", kafka.ErrorCode(r.ErrorCode))
	}
	if p := c.produce("t", 0, -1, records(t, batch.CodecNone, "x")); kafka.ErrorCode(p.ErrorCode) != kafka.ErrUnknownTopicOrPartition {
		t.Errorf("produce to a deleted topic: %s", kafka.ErrorCode(p.ErrorCode))
	}
	if again := c.createTopic("t", 1, anyAge); again == old {
		t.Error("the same id again")
	}
	c.produce("t", 0, -1, records(t, batch.CodecNone, "new"))
	if got := fmt.Sprint(values(t, c.fetch("t", 0, 0).RecordBatches)); got != "[0=new]" {
		t.Errorf("fetched %s", got)
	}
	byOld := asking{id: old, offsets: map[int32]int64{0: 0}}
	if got := kafka.ErrorCode(answers(c.fetchAll(fetchOf(13, byOld.topics())))[0].code); got != kafka.ErrUnknownTopicID {
		t.Errorf("fetch by the old id: %s", got)
	}
}

// Names that differ by dot and underscore collide, as their metrics would.
func TestTopicNamesCollide(t *testing.T) {
	n := startNode(t, memfs.New())
	defer n.stop()
	c := n.client()
	c.createTopic("a.b", 1)
	req := &kmsg.CreateTopicsRequest{Version: 7, TimeoutMillis: 10_000, Topics: []kmsg.CreateTopicsRequestTopic{{Topic: "a_b", NumPartitions: 1, ReplicationFactor: 1}}}
	if got := kafka.ErrorCode(c.ask(req).(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode); got != kafka.ErrInvalidTopicException {
		t.Errorf("a_b beside a.b: %s", got)
	}
}

// More partitions of a topic serve at once; changed settings count for the
// next batch and are described with their source, over a restart too.
func TestPartitionsAndConfigsChange(t *testing.T) {
	fsys := memfs.New()
	n := startNode(t, fsys)
	c := n.client()
	c.createTopic("t", 1, anyAge)
	more := &kmsg.CreatePartitionsRequest{Version: 3, TimeoutMillis: 10_000, Topics: []kmsg.CreatePartitionsRequestTopic{{Topic: "t", Count: 4}}}
	if r := c.ask(more).(*kmsg.CreatePartitionsResponse).Topics[0]; r.ErrorCode != 0 {
		t.Fatal(kafka.ErrorCode(r.ErrorCode))
	}
	big := records(t, batch.CodecNone, string(make([]byte, 500)))
	if p := c.produce("t", 3, -1, big); p.ErrorCode != 0 {
		t.Errorf("produce to a partition that was added: %s", kafka.ErrorCode(p.ErrorCode))
	}
	set := func(kind kmsg.ConfigResourceType, name, key, value string) {
		t.Helper()
		req := &kmsg.IncrementalAlterConfigsRequest{Version: 1, Resources: []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: kind, ResourceName: name,
			Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: key, Value: &value}}}}}
		if r := c.ask(req).(*kmsg.IncrementalAlterConfigsResponse).Resources[0]; r.ErrorCode != 0 {
			t.Fatalf("%s=%s: %s", key, value, kafka.ErrorCode(r.ErrorCode))
		}
	}
	source := func(want kmsg.ConfigSource, value string) {
		t.Helper()
		req := &kmsg.DescribeConfigsRequest{Version: 4, Resources: []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "t", ConfigNames: []string{"max.message.bytes"}}}}
		got := c.ask(req).(*kmsg.DescribeConfigsResponse).Resources[0].Configs[0]
		if got.Source != want || *got.Value != value {
			t.Errorf("max.message.bytes is %s from %s, want %s from %s", *got.Value, got.Source, value, want)
		}
	}
	refused := func(what string) {
		t.Helper()
		if p := c.produce("t", 0, -1, big); kafka.ErrorCode(p.ErrorCode) != kafka.ErrMessageTooLarge {
			t.Errorf("%s: %s", what, kafka.ErrorCode(p.ErrorCode))
		}
	}
	source(kmsg.ConfigSourceDefaultConfig, "1048588")
	set(kmsg.ConfigResourceTypeBroker, "", "message.max.bytes", "300")
	source(kmsg.ConfigSourceDynamicDefaultBrokerConfig, "300")
	refused("a default of all brokers")
	set(kmsg.ConfigResourceTypeTopic, "t", "max.message.bytes", "200")
	source(kmsg.ConfigSourceDynamicTopicConfig, "200")
	refused("the topic's own")
	n.stop()
	n = startNode(t, fsys)
	defer n.stop()
	c = n.client()
	source(kmsg.ConfigSourceDynamicTopicConfig, "200")
	refused("the topic's own after a restart")
}

// A key or version that is not advertised closes the connection, and the log
// names it; other connections go on.
func TestUnservedRequestsAreNamed(t *testing.T) {
	const clients = "127.0.0.1:9092"
	for _, c := range []struct {
		addr         string
		key, version int16
		name         string
	}{
		{clients, 0, 2, "Produce v2 is not served"},
		{clients, 3, 99, "Metadata v99 is not served"},
		{clients, 24, 3, "AddPartitionsToTxn v3 is not served"},
		{clients, 68, 0, "ConsumerGroupHeartbeat v0 is not served"},
		{clients, 62, 0, "BrokerRegistration v0 is not served"},
		{clients, 999, 0, "unknown API key 999"},
		{clients, 3, 8, "Metadata v8: body of"},
		{controllerAddr, 0, 9, "Produce v9 is not served by controllers"},
	} {
		n := startNode(t, memfs.New()) // the log names only so many refusals a second
		good, conn := n.client(), n.clientAt(c.addr).conn
		if _, err := conn.Write(requestFrame(c.key, c.version, []byte{0xff})); err != nil {
			t.Fatal(err)
		}
		if k, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("%s: %d bytes and %v, want the end of the connection", c.name, k, err)
		}
		good.ask(&kmsg.MetadataRequest{Version: 8})
		n.stop()
		if !n.events.has(c.name) {
			t.Errorf("the log does not say %q: %v", c.name, n.events.lines)
		}
	}
}

// An ApiVersions of the future is answered in the first version's form, with
// what is served, Produce from 0 on; then the client steps down.
func TestApiVersionsOfTheFuture(t *testing.T) {
	n := startNode(t, memfs.New())
	defer n.stop()
	for _, addr := range []string{n.broker.Addr(), controllerAddr} {
		c := n.clientAt(addr)
		if _, err := c.conn.Write(requestFrame(18, 77, []byte{1, 2, 3})); err != nil {
			t.Fatal(err)
		}
		resp := &kmsg.ApiVersionsResponse{}
		if err := resp.ReadFrom(readAnswer(t, c)); err != nil {
			t.Fatal(err)
		}
		if kafka.ErrorCode(resp.ErrorCode) != kafka.ErrUnsupportedVersion || len(resp.ApiKeys) < 10 {
			t.Errorf("%s: %s with %d keys", addr, kafka.ErrorCode(resp.ErrorCode), len(resp.ApiKeys))
		}
		for _, k := range resp.ApiKeys {
			if k.ApiKey == 0 && (k.MinVersion != 0 || k.MaxVersion != 13) {
				t.Errorf("Produce is advertised as %d to %d", k.MinVersion, k.MaxVersion)
			}
		}
		c.next = 7
		advertised(c)
	}
}

// readAnswer reads a frame and gives its body.
func readAnswer(t *testing.T, c *client) []byte {
	t.Helper()
	var size [4]byte
	if _, err := io.ReadFull(c.conn, size[:]); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, int(size[0])<<24|int(size[1])<<16|int(size[2])<<8|int(size[3]))
	if _, err := io.ReadFull(c.conn, b); err != nil {
		t.Fatal(err)
	}
	return b[4:]
}
