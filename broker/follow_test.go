package broker_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/api"
	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/coord"
	"github.com/moldau/moldau/broker/fetcher"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
	"github.com/moldau/moldau/broker/replica"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/broker/seglog/logdir"
	"github.com/moldau/moldau/broker/server"
	"github.com/moldau/moldau/broker/shard"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/clock/manual"
	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/disk/faultfs"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/net/memnet"
)

// trio is three brokers whose metadata the test writes by hand: what follows
// and leads is real, the controller is a few lines.
type trio struct {
	t     testing.TB
	clock clock.Clock
	net   *memnet.Network
	topic kafka.UUID

	mu      sync.Mutex
	moved   chan struct{} // closed and made anew at each image
	img     *metaimage.Image
	members [3]*member
}

// member is one of a trio's brokers.
type member struct {
	trio    *trio
	id      int32
	epoch   int64
	fs      *memfs.FS
	faults  *faultfs.FS // over fs
	gate    sync.Mutex  // held by a test to keep images from the member
	dir     *logdir.Dir
	manager *shard.Manager
	fetcher *fetcher.Fetcher
	server  *server.Server
	images  chan *metaimage.Image
	ended   chan struct{}
}

const trioTopic = "t"

// trioWait is how long a follower's fetch is parked: so long that a test which
// needs one to come back by itself hangs.
const trioWait = time.Hour

// trioDirectory is the id of a broker's log directory.
func trioDirectory(broker int32) kafka.UUID { return kafka.UUID{5, 15: byte(100 + broker)} }

func newTrio(t testing.TB, partitions int32) *trio {
	t.Helper()
	clk := clock.Clock(sysclock.New())
	tr := &trio{
		t: t, clock: clk, net: memnet.New(clk), topic: kafka.UUID{7, 15: 7},
		img: metaimage.New("cluster"), moved: make(chan struct{}),
	}
	for i := range tr.members {
		tr.members[i] = &member{trio: tr, id: int32(i), fs: memfs.New()}
		tr.members[i].faults = faultfs.New(tr.members[i].fs, clk)
	}
	for i := range tr.members {
		tr.start(i)
	}
	topic := metarecord.NewTopic()
	topic.Name, topic.TopicID = trioTopic, tr.topic
	list := []metarecord.Record{topic}
	for p := range partitions {
		r := metarecord.NewPartition()
		r.PartitionID, r.TopicID, r.Leader = p, tr.topic, p%3
		r.Replicas, r.ISR = []int32{p % 3, (p + 1) % 3, (p + 2) % 3}, []int32{0, 1, 2}
		r.LeaderEpoch, r.PartitionEpoch = 0, 0
		for _, b := range r.Replicas {
			r.Directories = append(r.Directories, trioDirectory(b))
		}
		list = append(list, r)
	}
	tr.write(list...)
	t.Cleanup(func() {
		for i := range tr.members {
			tr.stop(i)
		}
	})
	return tr
}

// write brings records to all members that run.
func (tr *trio) write(list ...metarecord.Record) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.writeLocked(list...)
}

func (tr *trio) writeLocked(list ...metarecord.Record) {
	img, _, err := tr.img.Apply(list, tr.img.Offset()+1, 1)
	if err != nil {
		tr.t.Errorf("metadata: %v", err)
		return
	}
	tr.img = img
	close(tr.moved)
	tr.moved = make(chan struct{})
	for _, m := range tr.members {
		if m.images != nil {
			m.images <- img
		}
	}
}

// await waits for an image.
func (tr *trio) await(what string, holds func(img *metaimage.Image) bool) {
	tr.t.Helper()
	for {
		tr.mu.Lock()
		img, moved := tr.img, tr.moved
		tr.mu.Unlock()
		if holds(img) {
			return
		}
		select {
		case <-moved:
		case <-tr.t.Context().Done():
			tr.t.Fatalf("never: %s", what)
		}
	}
}

func (tr *trio) partition(p int32) *metaimage.Partition {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.img.Partition(kafka.TopicPartition{Topic: tr.topic, Partition: p})
}

func (tr *trio) addr(i int32) string { return fmt.Sprintf("broker%d:9092", i) }

// start registers and runs a member on what its disk holds.
func (tr *trio) start(i int) {
	tr.t.Helper()
	m, t := tr.members[i], tr.t
	tr.mu.Lock()
	m.epoch = tr.img.Offset() + 1
	r := metarecord.NewRegisterBroker()
	r.BrokerID, r.BrokerEpoch, r.Fenced = m.id, m.epoch, false
	r.IncarnationID = kafka.UUID{1, 14: byte(m.id), 15: byte(m.epoch)}
	r.Rack = ptrTo(fmt.Sprintf("rack%d", m.id))
	r.EndPoints = []metarecord.BrokerEndpoint{{Name: "PLAINTEXT", Host: fmt.Sprintf("broker%d", m.id), Port: 9092}}
	tr.writeLocked(r)
	tr.mu.Unlock()
	if err := m.fs.MkdirAll("d"); err != nil {
		t.Fatal(err)
	}
	events := newTestLog(t)
	dir, err := logdir.Open(logdir.Config{FS: m.faults, Clock: tr.clock, Path: "d", Events: events})
	if err != nil {
		t.Fatal(err)
	}
	m.dir = dir
	m.fetcher, err = fetcher.New(fetcher.Config{
		NodeID: m.id, Clock: tr.clock, Network: tr.net, Entropy: manual.NewEntropy(uint64(m.epoch)), Events: events,
		Listener: "PLAINTEXT", BrokerEpoch: func() int64 { return m.epoch }, WaitMax: trioWait, MinBytes: 1,
		PartitionBytes: 1 << 20, AnswerBytes: 10 << 20, BackoffMax: 100 * time.Millisecond, Timeout: 3 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	m.manager = shard.NewManager(shard.Config{
		NodeID: m.id, Shards: 2, Clock: tr.clock, Events: events, Dirs: []*logdir.Dir{dir},
		Topic: func(*metaimage.Image, string) shard.TopicConfig {
			return shard.TopicConfig{
				Replica: replica.Config{Log: seglog.DefaultConfig(), MinISR: 2, LagMax: time.Second},
				Options: logdir.Options{FileDeleteDelay: time.Millisecond, IndexBytes: 1 << 20},
				Settings: shard.Settings{Policy: batch.Policy{MaxMessageBytes: 1 << 20, MaxSegmentBytes: 1 << 30, MaxRecordBytes: 1 << 20,
					BeforeMaxMs: 1 << 60, AfterMaxMs: 1 << 60}},
			}
		},
		Directory: func(id kafka.UUID) *logdir.Dir {
			if id == trioDirectory(m.id) {
				return dir
			}
			return nil
		},
		Place:     func(map[*logdir.Dir][]kafka.TopicPartition) {},
		LoadBytes: 1 << 20, NewCoordinator: func(string) func() coord.Machine { return nil },
		Fetcher: m.fetcher, ISRs: m, BrokerEpoch: func() int64 { return m.epoch },
	}, "cluster")
	settings := config.Default()
	settings.ReplicaSelector = config.RackAwareSelector
	m.server = server.New(server.Config{Clock: tr.clock, Events: events, Budget: server.NewBudget(tr.clock, 64<<20), MaxFrameBytes: 100 << 20})
	ln, err := tr.net.Listen(tr.addr(m.id))
	if err != nil {
		t.Fatal(err)
	}
	m.server.Serve("PLAINTEXT", ln, api.New(api.Config{
		NodeID: m.id, ClusterID: "cluster", Settings: settings, Clock: tr.clock, Entropy: manual.NewEntropy(uint64(m.epoch) + 99),
		Events: events, Manager: m.manager, Dirs: []*logdir.Dir{dir}, Synced: func() {},
		Layers: func(*metaimage.Image, string) config.Layers { return config.Layers{Static: config.Map{}} },
	}), nil)
	m.images, m.ended = make(chan *metaimage.Image, 1000), make(chan struct{})
	go func() {
		defer close(m.ended)
		for img := range m.images {
			m.gate.Lock()
			m.manager.Apply(img)
			m.fetcher.Apply(img)
			m.gate.Unlock()
		}
	}()
	tr.mu.Lock()
	m.images <- tr.img
	tr.mu.Unlock()
}

// stop ends a member as a kill of its process does: nothing is told.
func (tr *trio) stop(i int) {
	m := tr.members[i]
	tr.mu.Lock()
	images := m.images
	m.images = nil
	tr.mu.Unlock()
	if images == nil {
		return
	}
	close(images)
	<-m.ended
	m.fetcher.Close()
	if err := m.server.StopAccepting(); err != nil {
		tr.t.Error(err)
	}
	m.manager.Close()
	if err := m.server.Close(); err != nil {
		tr.t.Error(err)
	}
	if err := m.dir.Close(false, -1); err != nil {
		tr.t.Error(err)
	}
}

// Propose implements shard.ISRs: the controller's part.
func (m *member) Propose(list []shard.Proposed) {
	go func() {
		tr := m.trio
		tr.mu.Lock()
		defer tr.mu.Unlock()
		for _, x := range list {
			d := replica.ProposalResult{Attempt: x.Attempt, Code: kafka.ErrInvalidUpdateVersion}
			p := tr.img.Partition(x.ID)
			if p != nil && p.PartitionEpoch == x.PartitionEpoch && p.LeaderEpoch == x.LeaderEpoch {
				r := metarecord.NewPartitionChange()
				r.PartitionID, r.TopicID = x.ID.Partition, x.ID.Topic
				for _, member := range x.ISR {
					if b := tr.img.Broker(member.Broker); b == nil || b.BrokerEpoch != member.Epoch {
						tr.t.Errorf("proposal of broker %d epoch %d", member.Broker, member.Epoch)
					}
					r.ISR = append(r.ISR, member.Broker)
				}
				tr.writeLocked(r)
				d.Code, d.PartitionEpoch = kafka.ErrNone, p.PartitionEpoch+1
			}
			x.Handle.ProposalDone(d)
		}
	}()
}

// elect makes a broker the leader, the ISR what it says.
func (tr *trio) elect(p int32, leader int32, isr ...int32) {
	r := metarecord.NewPartitionChange()
	r.PartitionID, r.TopicID, r.Leader, r.ISR = p, tr.topic, leader, isr
	tr.write(r)
}

func (tr *trio) client(i int32) *client {
	tr.t.Helper()
	c, err := tr.net.Dial(tr.addr(i), time.Second, nil)
	if err != nil {
		tr.t.Fatal(err)
	}
	tr.t.Cleanup(func() { _ = c.Close() })
	return &client{t: tr.t, conn: c}
}

// append writes a record with acks=all, trying again until it is taken.
func (tr *trio) append(c *client, p int32, value string) int64 {
	tr.t.Helper()
	for {
		a := c.produce(trioTopic, p, -1, records(tr.t, batch.CodecNone, value))
		switch code := kafka.ErrorCode(a.ErrorCode); code {
		case kafka.ErrNone:
			return a.BaseOffset
		case kafka.ErrNotLeaderOrFollower, kafka.ErrNotEnoughReplicas, kafka.ErrUnknownTopicOrPartition, kafka.ErrKafkaStorageError:
			tr.clock.Sleep(time.Millisecond, nil)
		default:
			tr.t.Fatalf("%s: %s", value, code)
		}
	}
}

// read reads a partition from the beginning at one broker until it has n records.
func (tr *trio) read(i, p int32, n int) []string {
	tr.t.Helper()
	c := tr.client(i)
	var got []string
	for len(got) < n {
		a := c.fetch(trioTopic, p, int64(len(got)))
		if code := kafka.ErrorCode(a.ErrorCode); code != kafka.ErrNone && code != kafka.ErrOffsetNotAvailable && code != kafka.ErrNotLeaderOrFollower {
			tr.t.Fatalf("broker %d, partition %d, offset %d: %s", i, p, len(got), code)
		}
		got = append(got, values(tr.t, a.RecordBatches)...)
	}
	return got
}

// TestReplicate: what is acked with acks=all is on all three, in order.
func TestReplicate(t *testing.T) {
	tr := newTrio(t, 6)
	const n = 50
	var want [6][]string
	for p := range int32(6) {
		c := tr.client(p % 3)
		for i := range n {
			v := fmt.Sprintf("%d", p)
			if at := tr.append(c, p, v); at != int64(i) {
				t.Fatalf("%s at offset %d", v, at)
			}
			want[p] = append(want[p], fmt.Sprintf("%d=%s", i, v))
		}
	}
	for p := range int32(6) {
		for i := range int32(3) {
			if got := tr.read(i, p, n); !slices.Equal(got, want[p]) {
				t.Fatalf("broker %d partition %d: %q", i, p, got)
			}
		}
	}
}

// TestReplicaComesBack: ISR shrinks without a follower that is gone, acks go on,
// and it comes back with all that it missed.
func TestReplicaComesBack(t *testing.T) {
	tr := newTrio(t, 1)
	c := tr.client(0)
	tr.append(c, 0, "a")
	tr.stop(2)
	tr.append(c, 0, "b") // waits until 2 has left ISR for its lag
	tr.await("ISR without 2", func(*metaimage.Image) bool { return true })
	if isr := tr.partition(0).ISR; slices.Contains(isr, 2) {
		t.Fatalf("ISR %v", isr)
	}
	tr.append(c, 0, "c")
	tr.start(2)
	tr.await("ISR of all", func(img *metaimage.Image) bool {
		return len(img.Partition(kafka.TopicPartition{Topic: tr.topic}).ISR) == 3
	})
	if got := tr.read(2, 0, 3); !slices.Equal(got, []string{"0=a", "1=b", "2=c"}) {
		t.Fatalf("%q", got)
	}
}

// TestLeaderChanges: a follower takes over, the old leader comes back and drops
// what only it had.
func TestLeaderChanges(t *testing.T) {
	tr := newTrio(t, 1)
	c := tr.client(0)
	tr.append(c, 0, "a")
	tr.stop(1)
	tr.stop(2)
	if a := c.produce(trioTopic, 0, 1, records(t, batch.CodecNone, "only here")); a.ErrorCode != 0 || a.BaseOffset != 1 {
		t.Fatalf("%+v", a)
	}
	tr.stop(0)
	tr.start(1)
	tr.start(2)
	tr.elect(0, 1, 1, 2)
	c = tr.client(1)
	if at := tr.append(c, 0, "b"); at != 1 {
		t.Fatalf("b at offset %d", at)
	}
	tr.start(0)
	tr.await("ISR of all", func(img *metaimage.Image) bool {
		return len(img.Partition(kafka.TopicPartition{Topic: tr.topic}).ISR) == 3
	})
	tr.append(c, 0, "c")
	for i := range int32(3) {
		if got := tr.read(i, 0, 3); !slices.Equal(got, []string{"0=a", "1=b", "2=c"}) {
			t.Fatalf("broker %d: %q", i, got)
		}
	}
}

// TestReadFromTheNearestReplica: a consumer is sent to the in-sync replica of
// its rack, which serves it; one of the leader's rack, of another, or of none
// stays with the leader (KIP-392).
func TestReadFromTheNearestReplica(t *testing.T) {
	tr := newTrio(t, 1)
	c := tr.client(0)
	tr.append(c, 0, "a")
	fetch := func(c *client, rack string) kmsg.FetchResponseTopicPartition {
		t.Helper()
		req := kmsg.NewPtrFetchRequest()
		req.Version, req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.SessionEpoch, req.Rack = 11, 10_000, 1, 1<<20, -1, rack
		topic := kmsg.NewFetchRequestTopic()
		topic.Topic = trioTopic
		p := kmsg.NewFetchRequestTopicPartition()
		p.PartitionMaxBytes, p.CurrentLeaderEpoch = 1<<20, -1
		topic.Partitions = append(topic.Partitions, p)
		req.Topics = append(req.Topics, topic)
		return c.ask(req).(*kmsg.FetchResponse).Topics[0].Partitions[0]
	}
	for _, rack := range []string{"", "rack0", "rack9"} {
		if a := fetch(c, rack); a.PreferredReadReplica != -1 || len(a.RecordBatches) == 0 {
			t.Errorf("rack %q: sent to %d with %d bytes", rack, a.PreferredReadReplica, len(a.RecordBatches))
		}
	}
	if a := fetch(c, "rack2"); a.PreferredReadReplica != 2 || len(a.RecordBatches) != 0 || a.HighWatermark != 1 {
		t.Errorf("rack2: sent to %d with %d bytes, high watermark %d", a.PreferredReadReplica, len(a.RecordBatches), a.HighWatermark)
	}
	if got := tr.read(2, 0, 1); !slices.Equal(got, []string{"0=a"}) {
		t.Errorf("%q", got)
	}
	tr.stop(2)
	tr.elect(0, 0, 0, 1)
	tr.appliedEverywhere()
	if a := fetch(c, "rack2"); a.PreferredReadReplica != -1 || len(a.RecordBatches) == 0 {
		t.Errorf("not in sync: sent to %d with %d bytes", a.PreferredReadReplica, len(a.RecordBatches))
	}
}

func ptrTo[T any](v T) *T { return &v }

// appliedEverywhere waits until all members that run have the newest image.
func (tr *trio) appliedEverywhere() {
	tr.mu.Lock()
	want := tr.img.Offset()
	tr.mu.Unlock()
	for _, m := range tr.members {
		for m.images != nil && m.manager.Image().Offset() < want {
			tr.clock.Sleep(time.Millisecond, nil)
		}
	}
}
