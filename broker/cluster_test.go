package broker_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker"
	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/clock/manual"
	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/net/memnet"
)

// cluster is several nodes on one network in memory, each with a disk of its own.
type cluster struct {
	t     *testing.T
	net   *memnet.Network
	disks map[int32]*memfs.FS
	nodes map[int32]*node
	seed  uint64
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	return &cluster{t: t, net: memnet.New(sysclock.New()), disks: map[int32]*memfs.FS{}, nodes: map[int32]*node{}}
}

const threeVoters = "1@n1:9093,2@n2:9093,3@n3:9093"

func controllerAddress(id int32) string { return fmt.Sprintf("n%d:9093", id) }

// begin starts a process of a node, and does not wait for it. Properties come
// after those that every node of a cluster has.
func (c *cluster) begin(id int32, properties ...config.Property) *node {
	c.t.Helper()
	if c.disks[id] == nil {
		c.disks[id] = memfs.New()
	}
	settings, _, err := config.Load(append([]config.Property{
		{Name: "node.id", Value: fmt.Sprint(id)}, {Name: "log.dirs", Value: "data"},
		{Name: "listeners", Value: fmt.Sprintf("PLAINTEXT://n%d:9092,CONTROLLER://%s", id, controllerAddress(id))},
	}, properties...))
	if err != nil {
		c.t.Fatal(err)
	}
	c.seed++
	n := &node{t: c.t, net: c.net, fs: c.disks[id], events: newTestLog(c.t), ended: make(chan error, 1)}
	n.broker, err = broker.New(broker.Config{
		Settings: settings, FS: n.fs, Network: c.net, Clock: sysclock.New(), Entropy: manual.NewEntropy(c.seed + 1000*uint64(id)),
		Events: n.events, Shards: 1,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	c.nodes[id] = n
	go func() { n.ended <- n.broker.Run(ctx) }()
	return n
}

func (n *node) awaitReady() {
	n.t.Helper()
	select {
	case <-n.broker.Ready():
	case err := <-n.ended:
		n.t.Fatalf("the node did not start: %v", err)
	}
}

// voters begins three nodes that are broker and controller, and waits for them.
func (c *cluster) voters() {
	c.t.Helper()
	for id := int32(1); id <= 3; id++ {
		c.begin(id, config.Property{Name: "controller.quorum.voters", Value: threeVoters})
	}
	for id := int32(1); id <= 3; id++ {
		c.nodes[id].awaitReady()
	}
}

// stopAll stops the nodes that run.
func (c *cluster) stopAll() {
	c.t.Helper()
	for _, n := range c.nodes { //det:ok all are stopped
		n.cancel()
	}
	for id, n := range c.nodes { //det:ok all are waited for
		if err := <-n.ended; err != nil {
			c.t.Errorf("node %d did not stop cleanly: %v", id, err)
		}
	}
	c.nodes = map[int32]*node{}
}

// stop stops one node.
func (c *cluster) stop(id int32) {
	c.t.Helper()
	c.nodes[id].stop()
	delete(c.nodes, id)
}

// describeQuorum asks the node, which forwards.
func (n *node) describeQuorum() *kmsg.DescribeQuorumResponse {
	n.t.Helper()
	req := kmsg.NewPtrDescribeQuorumRequest()
	req.SetVersion(2)
	topic := kmsg.NewDescribeQuorumRequestTopic()
	topic.Topic = kafka.MetadataTopicName
	topic.Partitions = append(topic.Partitions, kmsg.NewDescribeQuorumRequestTopicPartition())
	req.Topics = append(req.Topics, topic)
	return n.client().ask(req).(*kmsg.DescribeQuorumResponse)
}

// activeController is the node that a node knows to be the active controller.
func (n *node) activeController() int32 {
	n.t.Helper()
	q := n.describeQuorum()
	if q.ErrorCode != 0 || len(q.Topics) != 1 || q.Topics[0].Partitions[0].ErrorCode != 0 {
		n.t.Fatalf("describe the quorum: %+v", q)
	}
	return q.Topics[0].Partitions[0].LeaderID
}

// await waits until something holds.
func (c *cluster) await(what string, holds func() bool) {
	c.t.Helper()
	for i := 0; !holds(); i++ {
		if i == 2000 {
			c.t.Fatalf("%s does not come about", what)
		}
		sysclock.New().Sleep(10*time.Millisecond, nil)
	}
}

func (c *client) hasTopic(name string) bool {
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 12
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = &name
	req.Topics = append(req.Topics, topic)
	return c.ask(req).(*kmsg.MetadataResponse).Topics[0].ErrorCode == 0
}

// TestThreeVoters: three empty nodes find each other and are one cluster; the
// loss of the active controller costs nothing but a moment; a node comes back; one
// whose disk was emptied is a new server, and has no vote.
func TestThreeVoters(t *testing.T) {
	c := newCluster(t)
	c.voters()
	ids := map[string]bool{}
	for _, n := range c.nodes {
		ids[n.broker.Identity().ClusterID] = true
	}
	if len(ids) != 1 {
		t.Fatalf("clusters %v", ids)
	}
	c.nodes[1].client().createTopicRF("a", 1)
	active := c.nodes[2].activeController()
	q := c.nodes[2].describeQuorum().Topics[0].Partitions[0]
	if len(q.CurrentVoters) != 3 || len(q.Observers) != 0 {
		t.Fatalf("quorum %+v", q)
	}
	c.stop(active)
	other := active%3 + 1
	c.nodes[other].client().createTopicRF("b", 1)
	if now := c.nodes[other].activeController(); now == active {
		t.Fatalf("the controller that was stopped, %d, is active", now)
	}
	c.begin(active, config.Property{Name: "controller.quorum.voters", Value: threeVoters}).awaitReady()
	for _, name := range []string{"a", "b"} {
		if !c.nodes[active].client().hasTopic(name) {
			t.Errorf("node %d came back without topic %s", active, name)
		}
	}
	q = c.nodes[active].describeQuorum().Topics[0].Partitions[0]
	old := map[int32]kafka.UUID{}
	for _, v := range q.CurrentVoters {
		old[v.ReplicaID] = v.ReplicaDirectoryID
	}

	// A wiped voter.
	c.stop(other)
	c.disks[other] = memfs.New()
	c.begin(other, config.Property{Name: "controller.quorum.voters", Value: threeVoters}).awaitReady()
	c.await("the wiped voter as an observer", func() bool {
		q = c.nodes[other].describeQuorum().Topics[0].Partitions[0]
		return len(q.Observers) == 1
	})
	if len(q.CurrentVoters) != 3 || q.Observers[0].ReplicaID != other || q.Observers[0].ReplicaDirectoryID == old[other] {
		t.Fatalf("voters %+v observers %+v", q.CurrentVoters, q.Observers)
	}
	// It is taken back.
	n := c.nodes[other]
	if code := n.addVoter(other, q.Observers[0].ReplicaDirectoryID); code != kafka.ErrDuplicateVoter {
		t.Errorf("a second directory of node %d: %s", other, code)
	}
	if code := n.removeVoter(other, kafka.UUID{1}); code != kafka.ErrVoterNotFound {
		t.Errorf("a directory that nobody has: %s", code)
	}
	if code := n.removeVoter(other, old[other]); code != kafka.ErrNone {
		t.Fatalf("remove: %s", code)
	}
	if code := n.addVoter(other, q.Observers[0].ReplicaDirectoryID); code != kafka.ErrNone {
		t.Fatalf("add: %s", code)
	}
	// Two of three are a majority again, with the node that was taken back.
	c.stop(other%3 + 1)
	n.client().createTopicRF("c", 1)
	c.stopAll()
}

// addVoter makes a server a voter.
func (n *node) addVoter(id int32, directory kafka.UUID) kafka.ErrorCode {
	n.t.Helper()
	req := kmsg.NewPtrAddRaftVoterRequest()
	req.Version, req.VoterID, req.VoterDirectoryID, req.TimeoutMillis = 1, id, directory, 10_000
	resp := n.client().ask(req).(*kmsg.AddRaftVoterResponse)
	if resp.ErrorMessage != nil {
		n.t.Logf("add voter %d: %s", id, *resp.ErrorMessage)
	}
	return kafka.ErrorCode(resp.ErrorCode)
}

// removeVoter takes a server's vote.
func (n *node) removeVoter(id int32, directory kafka.UUID) kafka.ErrorCode {
	n.t.Helper()
	req := kmsg.NewPtrRemoveRaftVoterRequest()
	req.VoterID, req.VoterDirectoryID = id, directory
	return kafka.ErrorCode(n.client().ask(req).(*kmsg.RemoveRaftVoterResponse).ErrorCode)
}

// TestGrowth: one node becomes three without losing anything: the cluster's id
// and its topics stay, the first node may be lost afterwards, and each comes back
// with its old command line, at another address too.
func TestGrowth(t *testing.T) {
	c := newCluster(t)
	first := c.begin(1)
	first.awaitReady()
	cluster := first.broker.Identity().ClusterID
	first.client().createTopicRF("a", 1)
	join := config.Property{Name: "controller.quorum.bootstrap.servers", Value: controllerAddress(1)}
	for id := int32(2); id <= 3; id++ {
		n := c.begin(id, join)
		n.awaitReady()
		if n.broker.Identity().ClusterID != cluster {
			t.Fatalf("node %d joined %s, not %s", id, n.broker.Identity().ClusterID, cluster)
		}
		if code := first.addVoter(id, n.broker.Identity().Metadata); code != kafka.ErrNone {
			t.Fatalf("add voter %d: %s", id, code)
		}
	}
	if code := first.addVoter(9, kafka.UUID{9}); code != kafka.ErrRequestTimedOut {
		t.Fatalf("a voter that does not exist: %s", code)
	}
	q := first.describeQuorum().Topics[0].Partitions[0]
	if len(q.CurrentVoters) != 3 {
		t.Fatalf("voters %+v", q.CurrentVoters)
	}
	c.stop(1)
	c.nodes[2].client().createTopicRF("b", 1)
	// The first node starts as it always did, but at another address.
	c.begin(1, config.Property{Name: "listeners", Value: "PLAINTEXT://elsewhere:9092,CONTROLLER://elsewhere:9093"}).awaitReady()
	for _, name := range []string{"a", "b"} {
		c.await("topic "+name, func() bool { return c.nodes[1].client().hasTopic(name) })
	}
	// With it and the second there is a majority without the third.
	c.stop(3)
	c.nodes[1].client().createTopicRF("c", 1)
	c.stopAll()
}

// createTopicRF creates a topic with replicas of its own number.
func (c *client) createTopicRF(name string, replicas int16) {
	c.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = 7, 10_000
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 1, replicas
	req.Topics = append(req.Topics, topic)
	resp := c.ask(req).(*kmsg.CreateTopicsResponse)
	if code := kafka.ErrorCode(resp.Topics[0].ErrorCode); code != kafka.ErrNone {
		c.t.Fatalf("create %s: %s", name, code)
	}
}

// TestRoles: two brokers without a controller follow one without a broker.
func TestRoles(t *testing.T) {
	c := newCluster(t)
	one := config.Property{Name: "controller.quorum.voters", Value: "1@n1:9093"}
	c.begin(1, one, config.Property{Name: "process.roles", Value: "controller"},
		config.Property{Name: "listeners", Value: "CONTROLLER://n1:9093"})
	for id := int32(2); id <= 3; id++ {
		c.begin(id, one, config.Property{Name: "process.roles", Value: "broker"},
			config.Property{Name: "listeners", Value: fmt.Sprintf("PLAINTEXT://n%d:9092", id)})
	}
	for _, n := range c.nodes {
		n.awaitReady()
	}
	c.nodes[2].client().createTopicRF("a", 1)
	c.await("the topic at the other broker", func() bool { return c.nodes[3].client().hasTopic("a") })
	q := c.nodes[3].describeQuorum().Topics[0].Partitions[0]
	if len(q.CurrentVoters) != 1 || len(q.Observers) != 2 {
		t.Errorf("voters %+v observers %+v", q.CurrentVoters, q.Observers)
	}
	c.stop(2)
	c.stop(3)
	c.stopAll()
}

// TestWrongVoters: who does not fit says so and waits; nothing is made.
func TestWrongVoters(t *testing.T) {
	c := newCluster(t)
	c.begin(1, config.Property{Name: "controller.quorum.voters", Value: "1@n1:9093,2@n2:9093"})
	c.begin(2, config.Property{Name: "controller.quorum.voters", Value: threeVoters})
	c.await("the report", func() bool {
		return c.nodes[1].events.has("waiting-for-controllers") && c.nodes[2].events.has("raft-connection-refused")
	})
	refusing := c.nodes[2].events
	c.stopAll()
	for _, line := range refusing.lines {
		if strings.HasPrefix(line, "raft-connection-refused") && !strings.Contains(line, "names the voters 1,2, this node 1,2,3") {
			t.Errorf("refused: %s", line)
		}
	}
}

// TestHungDiskLosesOffice: the active controller whose disk hangs is active no
// more; another one serves, and when the disk goes on, what the first had under
// way is not in the metadata, but everything that was answered is.
func TestHungDiskLosesOffice(t *testing.T) {
	c := newCluster(t)
	stall := config.Property{Name: "moldau.disk.stall.ms", Value: "200"}
	for id := int32(1); id <= 3; id++ {
		c.begin(id, config.Property{Name: "controller.quorum.voters", Value: threeVoters}, stall)
	}
	for _, n := range c.nodes {
		n.awaitReady()
	}
	active := c.nodes[1].activeController()
	other := c.nodes[active%3+1]
	hangs, goesOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	c.disks[active].OnCall(func(call memfs.Call) error {
		if call.Op == memfs.OpSync && strings.Contains(call.Name, "moldau.raft.") {
			once.Do(func() { close(hangs) })
			<-goesOn
		}
		return nil
	})
	other.client().createTopicRF("a", 1) // from a node whose disk is well, through whichever controller
	<-hangs
	c.await("another active controller", func() bool {
		q := other.describeQuorum()
		return q.ErrorCode == 0 && len(q.Topics) == 1 && q.Topics[0].Partitions[0].ErrorCode == 0 && q.Topics[0].Partitions[0].LeaderID != active
	})
	other.client().createTopicRF("b", 1)
	close(goesOn)
	c.disks[active].OnCall(nil)
	for _, name := range []string{"a", "b"} {
		c.await("topic "+name+" at the node whose disk hung", func() bool { return c.nodes[active].client().hasTopic(name) })
	}
	c.stopAll()
}

// TestTwins: a second node with the id of one that runs, in other directories,
// is refused by name, and the first one goes on.
func TestTwins(t *testing.T) {
	c := newCluster(t)
	c.voters()
	c.disks[12] = memfs.New()
	settings := []config.Property{
		{Name: "node.id", Value: "2"}, {Name: "process.roles", Value: "broker"}, {Name: "listeners", Value: "PLAINTEXT://twin:9092"},
		{Name: "controller.quorum.bootstrap.servers", Value: controllerAddress(1)}, {Name: "initial.broker.registration.timeout.ms", Value: "700"},
	}
	twin := c.begin(12, settings...)
	err := <-twin.ended
	if err == nil || !strings.Contains(err.Error(), "another node with this id runs, in other directories") {
		t.Errorf("the twin ended: %v", err)
	}
	delete(c.nodes, 12)
	c.nodes[2].client().createTopicRF("a", 1)
	c.stopAll()
}

// TestForeignDirectories: a node on the directory of another node, or of another
// cluster, is told so.
func TestForeignDirectories(t *testing.T) {
	c := newCluster(t)
	c.begin(1).awaitReady()
	d := newCluster(t)
	d.seed = 500 // it must not draw what the other draws
	d.begin(1).awaitReady()
	foreign := d.nodes[1].broker.Identity().ClusterID
	d.stopAll()
	// Node 2 of another cluster's disk joins: its directory says who it is.
	d.begin(2, config.Property{Name: "controller.quorum.bootstrap.servers", Value: "nowhere:1"},
		config.Property{Name: "initial.broker.registration.timeout.ms", Value: "300"})
	if err := <-d.nodes[2].ended; err == nil || !strings.Contains(err.Error(), "nowhere:1") {
		t.Errorf("no controller at all: %v", err)
	}
	delete(d.nodes, 2)
	c.disks[2] = d.disks[1]
	n := c.begin(2, config.Property{Name: "controller.quorum.bootstrap.servers", Value: controllerAddress(1)})
	if err := <-n.ended; err == nil || !strings.Contains(err.Error(), "belongs to node 1, this is node 2") {
		t.Errorf("another node's directory: %v", err)
	}
	// And as node 1 of its cluster it finds a controller of another one.
	c.disks[3] = d.disks[1]
	n = c.begin(3, config.Property{Name: "node.id", Value: "1"}, config.Property{Name: "process.roles", Value: "broker"},
		config.Property{Name: "listeners", Value: "PLAINTEXT://n3:9092"},
		config.Property{Name: "controller.quorum.bootstrap.servers", Value: controllerAddress(1)})
	if err := <-n.ended; err == nil || !strings.Contains(err.Error(), foreign) {
		t.Errorf("another cluster's directory: %v", err)
	}
	delete(c.nodes, 2)
	delete(c.nodes, 3)
	c.stopAll()
}
