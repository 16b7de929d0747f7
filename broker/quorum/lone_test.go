package quorum

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/identity"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metaimage/published"
	"github.com/moldau/moldau/broker/quorum/quorumtest"
	"github.com/moldau/moldau/broker/raftmeta"
	"github.com/moldau/moldau/clock/manual"
	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/net/memnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const dataDir = "data"

// node is a lone controller on a file system.
type node struct {
	t      testing.TB
	id     identity.Identity
	holder *published.Holder
	q      *Quorum
	fails  chan error
}

// startNode starts a node as a process would: identity, store, quorum.
func startNode(t testing.TB, fsys vfs.FS, seed uint64, change func(*Config)) (*node, error) {
	t.Helper()
	clk, entropy := sysclock.New(), manual.NewEntropy(seed)
	n := &node{t: t, fails: make(chan error, 8)}
	fail := func(err error) {
		select {
		case n.fails <- err:
		default:
		}
	}
	storeCfg := raftmeta.StoreConfig{FS: fsys, Clock: clk, LogDir: dataDir, OnFailure: fail}
	var store *raftmeta.Store
	id, err := identity.Open(identity.Config{
		FS: fsys, Entropy: entropy, NodeID: 1, LogDirs: []string{dataDir}, MetadataDir: dataDir, Controller: true,
	}, func(id identity.Identity) (_ string, err error) {
		store, err = raftmeta.Bootstrap(storeCfg, raftmeta.Peer{Node: id.NodeID, Directory: id.Metadata})
		return id.ClusterID, err
	})
	if err != nil {
		if store != nil {
			err = errors.Join(err, store.Close())
		}
		return nil, err
	}
	if store == nil {
		if store, err = raftmeta.OpenStore(storeCfg); err != nil {
			return nil, err
		}
	}
	n.id, n.holder = id, published.New(metaimage.New(id.ClusterID))
	cfg := Config{
		Clock: clk, Network: memnet.New(clk), Events: event.Discard{}, Holder: n.holder, Store: store,
		Machine: quorumtest.MachineConfig(1, id.ClusterID, entropy), Directory: id.Metadata,
		Incarnation: kafka.NewUUID(entropy), Endpoints: []Endpoint{{Name: "CONTROLLER", Host: "127.0.0.1", Port: 9093}},
		SnapshotBytes: 1 << 20, StallLimit: time.Second, OnFailure: fail,
	}
	if change != nil {
		change(&cfg)
	}
	n.q, err = New(cfg)
	return n, err
}

func mustStart(t testing.TB, fsys vfs.FS, seed uint64, change func(*Config)) *node {
	t.Helper()
	n, err := startNode(t, fsys, seed, change)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// ask dispatches one request and waits for its answer.
func (n *node) ask(req kmsg.Request) kmsg.Response {
	answer := make(chan kmsg.Response, 1)
	if !n.q.Dispatch(req, func(r kmsg.Response) { answer <- r }) {
		n.t.Fatalf("%s is not served", kmsg.NameForKey(req.Key()))
	}
	return <-answer
}

// register registers broker 1, asking until the office is won.
func (n *node) register() int64 {
	for {
		req := kmsg.NewPtrBrokerRegistrationRequest()
		req.SetVersion(4)
		req.BrokerID, req.ClusterID, req.IncarnationID = 1, n.id.ClusterID, [16]byte{15: 9, 0: byte(n.holder.Load().Offset())}
		req.LogDirs = [][16]byte{n.id.Metadata}
		for _, f := range n.q.cfg.Machine.Supported {
			req.Features = append(req.Features, kmsg.BrokerRegistrationRequestFeature{Name: f.Name, MinSupportedVersion: f.Min, MaxSupportedVersion: f.Max})
		}
		req.Listeners = []kmsg.BrokerRegistrationRequestListener{{Name: "PLAINTEXT", Host: "127.0.0.1", Port: 9092}}
		req.PreviousBrokerEpoch = -1
		r := n.ask(req).(*kmsg.BrokerRegistrationResponse)
		switch kafka.ErrorCode(r.ErrorCode) {
		case kafka.ErrNone:
			return r.BrokerEpoch
		case kafka.ErrNotController, kafka.ErrDuplicateBrokerRegistration:
		default:
			n.t.Fatalf("register: %s", kafka.ErrorCode(r.ErrorCode))
		}
	}
}

func (n *node) unfence(epoch int64) {
	for {
		req := kmsg.NewPtrBrokerHeartbeatRequest()
		req.SetVersion(1)
		req.BrokerID, req.BrokerEpoch, req.CurrentMetadataOffset = 1, epoch, n.holder.Load().Offset()
		r := n.ask(req).(*kmsg.BrokerHeartbeatResponse)
		if r.ErrorCode != 0 {
			n.t.Fatalf("heartbeat: %s", kafka.ErrorCode(r.ErrorCode))
		}
		if !r.IsFenced {
			return
		}
	}
}

func createTopic(name string, partitions int32) *kmsg.CreateTopicsRequest {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.SetVersion(7)
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = name, partitions, 1
	value := "1234"
	rt.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "retention.ms", Value: &value}}
	req.Topics = append(req.Topics, rt)
	return req
}

func (n *node) create(name string, partitions int32) kafka.UUID {
	r := n.ask(createTopic(name, partitions)).(*kmsg.CreateTopicsResponse)
	if r.Topics[0].ErrorCode != 0 {
		n.t.Fatalf("create %s: %s", name, kafka.ErrorCode(r.Topics[0].ErrorCode))
	}
	return r.Topics[0].TopicID
}

func (n *node) producerIDs(epoch int64) int64 {
	req := kmsg.NewPtrAllocateProducerIDsRequest()
	req.BrokerID, req.BrokerEpoch = 1, epoch
	r := n.ask(req).(*kmsg.AllocateProducerIDsResponse)
	if r.ErrorCode != 0 {
		n.t.Fatalf("allocate: %s", kafka.ErrorCode(r.ErrorCode))
	}
	return r.ProducerIDStart
}

func newFS() *memfs.FS { return memfs.New() }

// TestBootstrapRestartKill: everything that was answered survives clean stops,
// kills and power losses, and a clean stop leaves one checkpoint at the end.
func TestBootstrapRestartKill(t *testing.T) {
	mem := newFS()
	n := mustStart(t, mem, 1, nil)
	if !n.id.First {
		t.Fatal("not a first start")
	}
	cluster, directory := n.id.ClusterID, n.id.Metadata
	topics := map[string]kafka.UUID{}
	lastPID := int64(-1)
	rng := rand.New(rand.NewPCG(1, 1))
	for round := range 6 {
		epoch := n.register()
		n.unfence(epoch)
		name := fmt.Sprintf("t%d", round)
		topics[name] = n.create(name, 3)
		if pid := n.producerIDs(epoch); pid <= lastPID {
			t.Fatalf("producer id block %d after %d", pid, lastPID)
		} else {
			lastPID = pid
		}
		before := n.holder.Load()
		switch round % 3 {
		case 0:
			if err := n.q.Stop(); err != nil {
				t.Fatal(err)
			}
			checkOneCheckpoint(t, mem, before)
		case 1:
			if err := n.q.Kill(); err != nil {
				t.Fatal(err)
			}
		case 2:
			clone := mem.CrashClone(rng)
			if err := n.q.Kill(); err != nil {
				t.Fatal(err)
			}
			mem = clone
		}
		n = mustStart(t, mem, uint64(round)+10, nil)
		if n.id.ClusterID != cluster || n.id.Metadata != directory || n.id.First {
			t.Fatalf("round %d: identity %+v", round, n.id)
		}
		for n.ask(kmsgDescribe()).(*kmsg.DescribeQuorumResponse).Topics[0].Partitions[0].ErrorCode != 0 {
		}
		img := n.holder.Load()
		for name, id := range topics {
			topic := img.TopicByName(name)
			if topic == nil || topic.ID != id || topic.NumPartitions() != 3 {
				t.Fatalf("round %d: topic %s is %+v", round, name, topic)
			}
			v, ok := img.Config(metaimage.Resource{Type: metaimage.ResourceTopic, Name: name}, "retention.ms")
			if !ok || v.Value != "1234" {
				t.Fatalf("round %d: config of %s: %+v", round, name, v)
			}
		}
	}
	if err := n.q.Stop(); err != nil {
		t.Fatal(err)
	}
}

func kmsgDescribe() *kmsg.DescribeQuorumRequest {
	req := kmsg.NewPtrDescribeQuorumRequest()
	req.SetVersion(2)
	rt := kmsg.NewDescribeQuorumRequestTopic()
	rt.Topic = kafka.MetadataTopicName
	rt.Partitions = append(rt.Partitions, kmsg.NewDescribeQuorumRequestTopicPartition())
	req.Topics = append(req.Topics, rt)
	return req
}

func checkOneCheckpoint(t *testing.T, fsys vfs.FS, img *metaimage.Image) {
	t.Helper()
	infos, err := fsys.List(dataDir + "/" + raftmeta.Folder)
	if err != nil {
		t.Fatal(err)
	}
	want := raftmeta.SnapshotID{EndOffset: img.Offset() + 1, Epoch: img.Epoch()}.FileName()
	var got []string
	for _, info := range infos {
		if len(info.Name) == len(want) && info.Name[len(info.Name)-11:] == ".checkpoint" {
			got = append(got, info.Name)
		}
	}
	if len(got) != 1 || got[0] != want {
		t.Fatalf("checkpoints %v, want %s", got, want)
	}
}

// TestConcurrentRequests: many requests in flight are each answered once, after
// their commit, and a replay gives the same image.
func TestConcurrentRequests(t *testing.T) {
	mem := newFS()
	n := mustStart(t, mem, 1, func(c *Config) { c.SnapshotBytes = 4 << 10 })
	n.unfence(n.register())
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 30 {
				name := fmt.Sprintf("t-%d-%d", w, i)
				r := n.ask(createTopic(name, 1)).(*kmsg.CreateTopicsResponse)
				if r.Topics[0].ErrorCode == 0 && n.holder.Load().TopicByName(name) == nil {
					t.Errorf("%s was answered before it was published", name)
				}
			}
		}()
	}
	wg.Wait()
	want := n.holder.Load()
	if want.NumTopics() != 240 {
		t.Fatalf("%d topics", want.NumTopics())
	}
	if err := n.q.Kill(); err != nil {
		t.Fatal(err)
	}
	n = mustStart(t, mem, 2, nil)
	defer n.q.Stop()
	n.register()
	got := n.holder.Load()
	for name, topic := range want.Topics() {
		if again := got.TopicByName(name); again == nil || again.ID != topic.ID {
			t.Fatalf("topic %s: %v", name, again)
		}
	}
}

// TestReplayed: after a kill, the channel tells when the image is whole again.
func TestReplayed(t *testing.T) {
	mem := newFS()
	n := mustStart(t, mem, 1, nil)
	<-n.q.Replayed() // an empty log is replayed at once
	n.unfence(n.register())
	n.create("a", 1)
	want := n.holder.Load().Offset()
	for range 20 {
		if err := n.q.Kill(); err != nil {
			t.Fatal(err)
		}
		n = mustStart(t, mem, 2, nil)
		<-n.q.Replayed()
		if got := n.holder.Load(); got.Offset() < want || got.TopicByName("a") == nil {
			t.Fatalf("image at %d, want %d", got.Offset(), want)
		}
	}
	if err := n.q.Kill(); err != nil {
		t.Fatal(err)
	}
}
