package uplink

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metaimage/published"
	"github.com/moldau/moldau/broker/metarecord"
	"github.com/moldau/moldau/broker/quorum"
	"github.com/moldau/moldau/broker/quorum/quorumtest"
	"github.com/moldau/moldau/broker/raftmeta"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/clock/manual"
	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/net/memnet"
	"github.com/moldau/moldau/net/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	controllerAddr = "127.0.0.1:9093"
	logDir         = "data"
)

// cluster is one controller behind a listener; brokers are uplinks to it.
type cluster struct {
	t       testing.TB
	clock   clock.Clock
	net     *memnet.Network
	fsys    *memfs.FS
	id      string
	dir     kafka.UUID
	entropy clock.Entropy
	q       *quorum.Quorum
	holder  *published.Holder
	server  *quorumtest.Server
	change  func(*quorum.Config)
}

func newCluster(t testing.TB, change func(*quorum.Config)) *cluster {
	c := &cluster{t: t, clock: sysclock.New(), fsys: memfs.New(), entropy: manual.NewEntropy(5), change: change}
	c.net = memnet.New(c.clock)
	c.id, c.dir = kafka.NewUUID(c.entropy).String(), kafka.NewUUID(c.entropy)
	st, err := raftmeta.Bootstrap(c.storeConfig(), raftmeta.Peer{Node: 1, Directory: c.dir})
	if err == nil {
		err = st.Close()
	}
	ln, err2 := c.net.Listen(controllerAddr)
	if err = errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	c.start()
	c.server = quorumtest.Serve(ln, c.q)
	t.Cleanup(func() {
		if err := c.q.Kill(); err != nil {
			t.Error(err)
		}
		c.server.Close()
	})
	return c
}

func (c *cluster) storeConfig() raftmeta.StoreConfig {
	if err := c.fsys.MkdirAll(logDir); err != nil {
		c.t.Fatal(err)
	}
	return raftmeta.StoreConfig{FS: c.fsys, Clock: c.clock, LogDir: logDir, OnFailure: func(err error) { c.t.Error(err) }}
}

// start starts the controller on what the file system holds.
func (c *cluster) start() {
	st, err := raftmeta.OpenStore(c.storeConfig())
	if err != nil {
		c.t.Fatal(err)
	}
	c.holder = published.New(metaimage.New(c.id))
	cfg := quorum.Config{
		Clock: c.clock, Network: c.net, Events: event.Discard{}, Holder: c.holder, Store: st,
		Machine: quorumtest.MachineConfig(1, c.id, c.entropy), Directory: c.dir, Incarnation: kafka.NewUUID(c.entropy),
		Endpoints:     []quorum.Endpoint{{Name: "CONTROLLER", Host: "127.0.0.1", Port: 9093}},
		SnapshotBytes: 1 << 20, StallLimit: time.Second, OnFailure: func(err error) { c.t.Error(err) },
	}
	if c.change != nil {
		c.change(&cfg)
	}
	if c.q, err = quorum.New(cfg); err != nil {
		c.t.Fatal(err)
	}
}

// restart kills the controller and starts it again.
func (c *cluster) restart() {
	if err := c.q.Kill(); err != nil {
		c.t.Fatal(err)
	}
	c.start()
	c.server.Replace(c.q)
}

// broker starts an uplink with an image of its own, as in another process.
func (c *cluster) broker(node int32, change func(*Config)) *Uplink {
	cfg := Config{
		Clock: c.clock, Network: c.net, Events: event.Discard{}, Holder: published.New(metaimage.New(c.id)),
		Controllers: at("127.0.0.1:1", controllerAddr), NodeID: node, ClusterID: c.id,
		Incarnation: kafka.NewUUID(c.entropy), MetadataDirectory: kafka.NewUUID(c.entropy),
		Directories: []kafka.UUID{kafka.NewUUID(c.entropy)}, PreviousEpoch: -1,
		Listeners:         []Listener{{Name: "PLAINTEXT", Host: "127.0.0.1", Port: uint16(9092 + node)}},
		HeartbeatInterval: 20 * time.Millisecond, OnFailure: func(err error) { c.t.Error(err) },
	}
	for _, f := range quorumtest.MachineConfig(1, c.id, c.entropy).Supported {
		cfg.Features = append(cfg.Features, Feature{f.Name, f.Min, f.Max})
	}
	if change != nil {
		change(&cfg)
	}
	u, err := New(cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(u.Close)
	u.Register()
	return u
}

// at are controllers of which only the addresses are known.
func at(addresses ...string) func() []Controller {
	var list []Controller
	for _, a := range addresses {
		list = append(list, Controller{UnknownNode, []string{a}})
	}
	return func() []Controller { return list }
}

func (c *cluster) ready(u *Uplink) {
	u.SetReady()
	if err := u.WaitUnfenced(nil); err != nil {
		c.t.Fatal(err)
	}
}

// await waits until the uplink's own image fulfils a condition.
func (c *cluster) await(u *Uplink, holds func(*metaimage.Image) bool) {
	sub := u.cfg.Holder.Subscribe()
	defer sub.Close()
	for !holds(u.cfg.Holder.Load()) {
		<-sub.Wake()
	}
}

func create(c *cluster, u *Uplink, name string) {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.SetVersion(7)
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = name, 2, 1
	req.Topics = append(req.Topics, rt)
	resp, err := u.Forward(req, 5*time.Second)
	if err != nil {
		c.t.Fatal(err)
	}
	if code := resp.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode; code != 0 {
		c.t.Fatalf("create %s: %s", name, kafka.ErrorCode(code))
	}
}

func TestBrokerLife(t *testing.T) {
	c := newCluster(t, nil)
	u := c.broker(2, nil)
	if err := u.WaitRegistered(nil); err != nil {
		t.Fatal(err)
	}
	if !u.Fenced() || u.BrokerEpoch() < 0 {
		t.Fatalf("fenced %v epoch %d", u.Fenced(), u.BrokerEpoch())
	}
	c.ready(u)
	create(c, u, "a")
	c.await(u, func(img *metaimage.Image) bool { return img.TopicByName("a") != nil })
	if got, want := u.cfg.Holder.Load().TopicByName("a").ID, c.holder.Load().TopicByName("a").ID; got != want {
		t.Fatalf("topic id %s, want %s", got, want)
	}
	if err := u.ControlledShutdown(nil); err != nil {
		t.Fatal(err)
	}
	if b := c.holder.Load().Broker(2); b == nil || b.Available() {
		t.Fatalf("after its shutdown broker 2 is %+v", b)
	}
}

// TestRegistrationCarriesProof: what recovery found reaches the controller.
func TestRegistrationCarriesProof(t *testing.T) {
	c := newCluster(t, nil)
	asked := make(chan struct{}, 16)
	u := c.broker(2, func(cfg *Config) {
		cfg.Proof = func() metarecord.Proof {
			asked <- struct{}{}
			return metarecord.Proof{}
		}
	})
	if err := u.WaitRegistered(nil); err != nil {
		t.Fatal(err)
	}
	<-asked
}

// TestProducerIDs: blocks are never given twice, over restarts of broker and controller.
func TestProducerIDs(t *testing.T) {
	c := newCluster(t, nil)
	var mu sync.Mutex
	given := map[int64]bool{}
	take := func(u *Uplink, n int) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for range n {
					id, err := u.NextProducerID(nil)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if given[id] {
						t.Errorf("producer id %d was given twice", id)
					}
					given[id] = true
					mu.Unlock()
				}
			}()
		}
		wg.Wait()
	}
	u := c.broker(2, nil)
	take(u, 700) // several blocks
	u.Close()
	u = c.broker(2, nil)
	take(u, 10)
	c.restart()
	take(u, 700)
	u.Close()
	if _, err := u.NextProducerID(nil); !errors.Is(err, ErrClosed) && err != nil {
		t.Fatal(err)
	}
}

// retries keeps the reasons of what was tried again.
type retries struct {
	mu      sync.Mutex
	reasons []string
}

func (r *retries) Emit(e event.Event) {
	if e, ok := e.(Retrying); ok {
		r.mu.Lock()
		r.reasons = append(r.reasons, e.Reason)
		r.mu.Unlock()
	}
}

// TestReachedIsBetterThanNamed: the active controller is asked where it was
// reached, whatever address it names itself by. Under steady change of the
// metadata no new connection would get through otherwise.
func TestReachedIsBetterThanNamed(t *testing.T) {
	c := newCluster(t, func(cfg *quorum.Config) {
		cfg.Endpoints = []quorum.Endpoint{{Name: "CONTROLLER", Host: "nowhere", Port: 1}}
	})
	seen := &retries{}
	u := c.broker(2, func(cfg *Config) { cfg.Controllers, cfg.Events = at(controllerAddr), seen })
	c.ready(u)
	for i := range 5 {
		name := fmt.Sprint("t", i)
		create(c, u, name)
		c.await(u, func(img *metaimage.Image) bool { return img.TopicByName(name) != nil })
	}
	if _, err := u.NextProducerID(nil); err != nil {
		t.Fatal(err)
	}
	seen.mu.Lock()
	defer seen.mu.Unlock()
	for _, reason := range seen.reasons {
		if strings.Contains(reason, "nowhere") {
			t.Errorf("tried again: %s", reason)
		}
	}
}

// TestControllerRestart: the broker finds the controller again, keeps its
// registration, and misses nothing.
func TestControllerRestart(t *testing.T) {
	c := newCluster(t, nil)
	u := c.broker(2, nil)
	c.ready(u)
	epoch := u.BrokerEpoch()
	for i := range 4 {
		create(c, u, fmt.Sprintf("t%d", i))
		c.restart()
	}
	create(c, u, "last")
	c.await(u, func(img *metaimage.Image) bool { return img.TopicByName("last") != nil })
	if n := u.cfg.Holder.Load().NumTopics(); n != 5 {
		t.Fatalf("%d topics", n)
	}
	if u.BrokerEpoch() != epoch {
		t.Fatalf("broker epoch %d, was %d", u.BrokerEpoch(), epoch)
	}
}

// TestSnapshotCatchUp: a broker whose image is older than what the controller
// has in memory takes the checkpoint.
func TestSnapshotCatchUp(t *testing.T) {
	c := newCluster(t, func(cfg *quorum.Config) { cfg.SnapshotBytes = 1 })
	u := c.broker(2, nil)
	c.ready(u)
	for i := range 20 {
		create(c, u, fmt.Sprintf("t%d", i))
	}
	// A clean stop leaves the whole log in a checkpoint, so that nothing of it
	// is in memory after the start.
	if err := c.q.Stop(); err != nil {
		t.Fatal(err)
	}
	c.start()
	c.server.Replace(c.q)
	late := c.broker(3, nil)
	c.await(late, func(img *metaimage.Image) bool { return img.NumTopics() == 20 })
	for name, topic := range late.cfg.Holder.Load().Topics() {
		if want := c.holder.Load().TopicByName(name); want.ID != topic.ID {
			t.Fatalf("%s: %s, want %s", name, topic.ID, want.ID)
		}
	}
}

// TestForeignCluster: a broker of another cluster is told so and stops.
func TestForeignCluster(t *testing.T) {
	c := newCluster(t, nil)
	failed := make(chan error, 4)
	u := c.broker(2, func(cfg *Config) {
		cfg.ClusterID = "another"
		cfg.Holder = published.New(metaimage.New("another"))
		cfg.OnFailure = func(err error) { failed <- err }
	})
	if err := <-failed; err == nil {
		t.Fatal("no error")
	}
	if err := u.WaitRegistered(nil); err == nil {
		t.Fatal("registered")
	}
}

// stuck is a network whose connections never answer.
type stuck struct{ transport.Network }

// TestCloseWhileWaiting: Close ends every wait.
func TestCloseWhileWaiting(t *testing.T) {
	clk := sysclock.New()
	net := memnet.New(clk)
	ln, err := net.Listen(controllerAddr)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	u, err := New(Config{
		Clock: clk, Network: stuck{net}, Events: event.Discard{}, Holder: published.New(metaimage.New("c")),
		Controllers: at(controllerAddr), NodeID: 1, ClusterID: "c", HeartbeatInterval: time.Second,
		OnFailure: func(err error) { t.Error(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 3)
	go func() { ended <- u.WaitUnfenced(nil) }()
	go func() { _, err := u.NextProducerID(nil); ended <- err }()
	go func() {
		_, err := u.Forward(kmsg.NewPtrCreateTopicsRequest(), time.Hour)
		ended <- err
	}()
	u.Close()
	for range 3 {
		if err := <-ended; err == nil {
			t.Error("no error")
		}
	}
}
