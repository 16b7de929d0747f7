package shard

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/broker/coord"
	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
	"github.com/moldau/moldau/broker/replica"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/broker/seglog/logdir"
	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/disk/faultfs"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testNode = 1

// world is a Manager over one log directory, with an image to change.
type world struct {
	t       *testing.T
	dir     *logdir.Dir
	manager *Manager
	img     *metaimage.Image
	next    int64
}

// fetches notes what a fetcher and the controller are told.
type fetches struct {
	mu        sync.Mutex
	moves     map[int32][]Move
	proposals []Proposed
}

func (f *fetches) Moved(leader int32, list []Move) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.moves == nil {
		f.moves = make(map[int32][]Move)
	}
	f.moves[leader] = append(f.moves[leader], list...)
}

func (f *fetches) Propose(list []Proposed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.proposals = append(f.proposals, list...)
}

func newWorld(t *testing.T, fsys vfs.FS, shards int) *world {
	t.Helper()
	clk := sysclock.New()
	if err := fsys.MkdirAll("d"); err != nil {
		t.Fatal(err)
	}
	dir, err := logdir.Open(logdir.Config{FS: fsys, Clock: clk, Path: "d", Events: event.Discard{}})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: dir, img: metaimage.New("cluster")}
	w.manager = NewManager(Config{
		NodeID: testNode, Shards: shards, Clock: clk, Events: event.Discard{}, Dirs: []*logdir.Dir{dir},
		Topic: func(*metaimage.Image, string) TopicConfig {
			return TopicConfig{Replica: replica.Config{Log: seglog.DefaultConfig(), MinISR: 1}, Options: logdir.Options{FileDeleteDelay: time.Millisecond, IndexBytes: 1 << 20}}
		},
		Directory: func(id kafka.UUID) *logdir.Dir {
			if id == testDirectory {
				return dir
			}
			return nil
		},
		Place:     func(map[*logdir.Dir][]kafka.TopicPartition) {},
		LoadBytes: 1 << 20,
		Fetcher:   &fetches{}, ISRs: &fetches{}, BrokerEpoch: func() int64 { return 0 },
		NewCoordinator: func(topic string) func() coord.Machine {
			if topic == kafka.OffsetsTopicName {
				return func() coord.Machine { return idleMachine{} }
			}
			return nil
		},
	}, "cluster")
	return w
}

func (w *world) close() {
	w.manager.Close()
	if err := w.dir.Close(true, 1); err != nil {
		w.t.Error(err)
	}
}

func (w *world) apply(records ...metarecord.Record) {
	w.t.Helper()
	img, _, err := w.img.Apply(records, w.next, 1)
	if err != nil {
		w.t.Fatal(err)
	}
	w.next += int64(len(records))
	w.img = img
	w.manager.Apply(img)
}

// testDirectory is the id of the only directory.
var testDirectory = kafka.UUID{15: 77}

func topicID(i int) kafka.UUID { return kafka.UUID{0: 9, 15: byte(i)} }

// create makes a topic that this node leads.
func (w *world) create(i int, partitions int32) []*Handle {
	w.t.Helper()
	topic := metarecord.NewTopic()
	topic.Name, topic.TopicID = fmt.Sprint("t", i), topicID(i)
	records := []metarecord.Record{topic}
	for p := range partitions {
		r := metarecord.NewPartition()
		r.PartitionID, r.TopicID, r.Replicas, r.ISR = p, topicID(i), []int32{testNode}, []int32{testNode}
		r.Leader, r.LeaderEpoch, r.PartitionEpoch = testNode, 0, 0
		r.Directories = []kafka.UUID{testDirectory}
		records = append(records, r)
	}
	w.apply(records...)
	var handles []*Handle
	for p := range partitions {
		h := w.manager.Find(kafka.TopicPartition{Topic: topicID(i), Partition: p})
		if h == nil {
			w.t.Fatalf("t%d-%d is not open", i, p)
		}
		handles = append(handles, h)
	}
	return handles
}

func (w *world) remove(i int) {
	r := metarecord.NewRemoveTopic()
	r.TopicID = topicID(i)
	w.apply(r)
}

func oneRecord(t *testing.T, value string) []byte {
	t.Helper()
	b := batch.NewBuilder(batch.BuilderOptions{})
	if err := b.Append(batch.NewRecord{Timestamp: 1, Value: []byte(value)}); err != nil {
		t.Fatal(err)
	}
	raw, err := b.Build(nil)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// collector counts how often each Produce was finished.
type collector struct {
	wg    sync.WaitGroup
	again atomic.Int64
}

type counted struct {
	c    *collector
	done atomic.Bool
	part ProducePart
}

func (d *counted) ProduceDone(p *Produce) {
	if d.done.Swap(true) {
		d.c.again.Add(1)
		return
	}
	d.part = p.Parts[0]
	d.c.wg.Done()
}

func (c *collector) produce(t *testing.T, h *Handle, acks int8, timeout time.Duration) *counted {
	t.Helper()
	raw := oneRecord(t, "v")
	header, err := batch.ParseHeader(raw)
	if err != nil {
		t.Fatal(err)
	}
	d := &counted{c: c}
	c.wg.Add(1)
	p := &Produce{Acks: acks, Timeout: timeout, Done: d, Parts: []ProducePart{{Handle: h, Batch: seglog.BatchOf(&header), Data: buffer.Own(raw)}}}
	p.Send()
	return d
}

// Every Produce is finished exactly once while topics come and go under it,
// and what was acked has offsets without gaps.
func TestEveryProduceIsFinishedOnce(t *testing.T) {
	w := newWorld(t, memfs.New(), 3)
	defer w.close()
	stable := w.create(0, 4)
	c := &collector{}
	var acked [4][]*counted
	for round := range 20 {
		doomed := w.create(1+round, 3)
		for i := range 50 {
			acked[i%4] = append(acked[i%4], c.produce(t, stable[i%4], replica.AcksAll, 0))
			c.produce(t, doomed[i%3], int8(1-2*(i%2)), 0)
		}
		w.remove(1 + round)
		for i := range 5 {
			c.produce(t, doomed[i%3], replica.AcksLeader, 0)
		}
	}
	c.wg.Wait()
	if n := c.again.Load(); n > 0 {
		t.Errorf("%d requests were finished twice", n)
	}
	for p, list := range acked {
		for i, d := range list {
			if d.part.Code != kafka.ErrNone || d.part.BaseOffset != int64(i) {
				t.Fatalf("partition %d, produce %d: %s at offset %d", p, i, d.part.Code, d.part.BaseOffset)
			}
		}
	}
}

// A fetch that watches is woken by growth on any of its shards, and nothing of
// it is left behind once it unwatched.
func TestWatchesWakeAndEnd(t *testing.T) {
	w := newWorld(t, memfs.New(), 2)
	defer w.close()
	handles := w.create(0, 2)
	if SameShard(handles[0], handles[1]) {
		t.Fatal("both replicas went to one shard although the other had none")
	}
	wait := NewFetchWait()
	var fetches []*Fetch
	for _, h := range handles {
		fetches = append(fetches, &Fetch{Wait: wait, Watch: true, Parts: []FetchPart{{Handle: h, Ask: replica.Fetch{CurrentLeaderEpoch: -1, LastFetchedEpoch: -1, MaxBytes: 1 << 20}}}})
	}
	ask := func() (sum int64) {
		wait.Arm(len(fetches), 1)
		for _, f := range fetches {
			f.Send()
		}
		for !wait.Answered() {
			<-wait.Wake()
		}
		for _, f := range fetches {
			if code := f.Parts[0].Answer.Code; code != kafka.ErrNone {
				t.Fatal(code)
			}
			sum += f.Parts[0].Answer.Available
		}
		return sum
	}
	for turn, h := range []*Handle{handles[1], handles[0]} {
		for i := range fetches {
			fetches[i].Parts[0].Ask.Offset = 0
			if st, ok := fetches[i].Parts[0].Handle.Status(); ok {
				fetches[i].Parts[0].Ask.Offset = st.HighWatermark
			}
		}
		if got := ask(); got != 0 {
			t.Fatalf("%d bytes at the end of the logs", got)
		}
		c := &collector{}
		c.produce(t, h, replica.AcksAll, 0)
		<-wait.Wake()
		c.wg.Wait()
		if got := ask(); got == 0 {
			t.Fatalf("turn %d: woken, but there is nothing to read", turn)
		}
	}
	for _, f := range fetches {
		(&Unwatch{Wait: wait, Handles: []*Handle{f.Parts[0].Handle}}).Send()
		if _, ok := f.Parts[0].Handle.Status(); !ok { // behind the unwatch in the same inbox
			t.Fatal("the replica is gone")
		}
		if n := len(f.Parts[0].Handle.watchers); n != 0 {
			t.Errorf("%d watches are left", n)
		}
	}
}

// acks=all on a disk that hangs ends with REQUEST_TIMED_OUT; when the disk goes
// on, the record is there, and later requests are answered.
func TestHungDiskTimesOut(t *testing.T) {
	faults := faultfs.New(memfs.New(), sysclock.New())
	w := newWorld(t, faults, 1)
	defer w.close()
	h := w.create(0, 1)[0]
	hold := make(chan struct{})
	remove := faults.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.OpSync}, Pattern: "*", Hold: hold})
	c := &collector{}
	d := c.produce(t, h, replica.AcksAll, time.Millisecond)
	c.wg.Wait()
	if d.part.Code != kafka.ErrRequestTimedOut {
		t.Fatalf("answered %s, want REQUEST_TIMED_OUT", d.part.Code)
	}
	remove()
	close(hold)
	d = c.produce(t, h, replica.AcksAll, time.Minute)
	c.wg.Wait()
	if d.part.Code != kafka.ErrNone || d.part.BaseOffset != 1 {
		t.Fatalf("after the disk went on: %s at offset %d, want 1", d.part.Code, d.part.BaseOffset)
	}
}

// A replica of which the controller does not know where it lies is not made:
// with its directory lost, it would count as one that was never written to. It
// holds up no other, and is told of once.
func TestNoReplicaBeforeItsPlacementIsKnown(t *testing.T) {
	w := newWorld(t, memfs.New(), 1)
	defer w.close()
	told := 0
	w.manager.cfg.Place = func(where map[*logdir.Dir][]kafka.TopicPartition) { told += len(where[w.dir]) }
	id := kafka.TopicPartition{Topic: topicID(1)}
	topic := metarecord.NewTopic()
	topic.Name, topic.TopicID = "t1", topicID(1)
	part := metarecord.NewPartition()
	part.PartitionID, part.TopicID, part.Replicas, part.ISR, part.Leader = 0, topicID(1), []int32{testNode}, []int32{testNode}, testNode
	w.apply(topic, part)
	asked := w.img.Offset()
	if h := w.manager.Find(id); h != nil || w.dir.Stats().Partitions != 0 || told != 1 {
		t.Errorf("%v was opened, %d partitions were made, told %d times", h, w.dir.Stats().Partitions, told)
	}
	w.create(2, 1)
	other := metarecord.NewPartitionChange()
	other.PartitionID, other.TopicID, other.ISR = 0, topicID(1), []int32{testNode}
	w.apply(other)
	if h := w.manager.Find(id); h != nil || told != 1 || w.manager.PlacedTo() != asked || w.manager.Image() != w.img {
		t.Errorf("%v was opened, told %d times, placed to %d", h, told, w.manager.PlacedTo())
	}
	there := metarecord.NewPartitionChange()
	there.PartitionID, there.TopicID, there.Directories = 0, topicID(1), []kafka.UUID{testDirectory}
	w.apply(there)
	if w.manager.Find(id) == nil || w.manager.PlacedTo() <= w.img.Offset() {
		t.Errorf("not open once its directory is known; placed to %d", w.manager.PlacedTo())
	}
}

// A replica that is deleted while it waits for its place is forgotten.
func TestAReplicaIsDeletedBeforeItIsPlaced(t *testing.T) {
	w := newWorld(t, memfs.New(), 1)
	defer w.close()
	topic := metarecord.NewTopic()
	topic.Name, topic.TopicID = "t1", topicID(1)
	part := metarecord.NewPartition()
	part.PartitionID, part.TopicID, part.Replicas, part.ISR, part.Leader = 0, topicID(1), []int32{testNode}, []int32{testNode}, testNode
	w.apply(topic, part)
	w.apply(&metarecord.RemoveTopic{TopicID: topicID(1)})
	if w.manager.PlacedTo() <= w.img.Offset() {
		t.Errorf("placed to %d, the image ends at %d", w.manager.PlacedTo(), w.img.Offset())
	}
}
