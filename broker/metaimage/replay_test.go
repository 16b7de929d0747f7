package metaimage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metarecord"
)

// drawRecord is a record that fits the image.
func drawRecord(t *rapid.T, m *Image) metarecord.Record {
	name := fmt.Sprintf("topic%d", rapid.IntRange(0, 40).Draw(t, "topic"))
	topic := m.TopicByName(name)
	switch k := rapid.IntRange(0, 11).Draw(t, "kind"); {
	case topic == nil && k < 9:
		id := kafka.UUID{byte(m.Offset()), byte(m.Offset() >> 8), 15: 255}
		return &metarecord.Topic{Name: name, TopicID: id}
	case k == 0:
		return &metarecord.RemoveTopic{TopicID: topic.ID}
	case k < 5:
		p := metarecord.NewPartition()
		p.TopicID, p.PartitionID, p.Leader, p.LeaderEpoch, p.PartitionEpoch = topic.ID, int32(topic.NumPartitions()), 1, 0, 0
		p.Replicas, p.ISR = []int32{1, 2, 3}, []int32{1, 2}
		p.EligibleLeaderReplicas = []int32{3}
		p.Unknown = []metarecord.Tag{{Key: 30000, Value: []byte{byte(k)}}}
		return p
	case k < 8 && topic != nil && topic.NumPartitions() > 0:
		c := metarecord.NewPartitionChange()
		c.TopicID, c.PartitionID = topic.ID, rapid.Int32Range(0, int32(topic.NumPartitions())-1).Draw(t, "p")
		if rapid.Bool().Draw(t, "leader") {
			c.Leader = rapid.SampledFrom([]int32{-1, 1, 2}).Draw(t, "to")
		}
		if rapid.Bool().Draw(t, "isr") {
			c.ISR = rapid.SampledFrom([][]int32{{}, {1}, {1, 2}}).Draw(t, "set")
		}
		if rapid.Bool().Draw(t, "doubt") {
			c.Doubtful = []metarecord.DoubtfulReplica{{BrokerID: 3, LastEpoch: 1, End: 2}}
		}
		return c
	case k == 8 && topic != nil:
		return &metarecord.ClearELR{TopicName: name}
	case k == 9:
		r := metarecord.NewRegisterBroker()
		r.BrokerID, r.BrokerEpoch = rapid.Int32Range(1, 3).Draw(t, "b"), m.Offset()+1
		return r
	case k == 10:
		return &metarecord.ProducerIDs{NextProducerID: m.NextProducerID() + 1000}
	}
	c := &metarecord.Config{ResourceType: 2, ResourceName: name, Name: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key")}
	if rapid.Bool().Draw(t, "set") {
		c.Value = ptr(rapid.SampledFrom([]string{"1", "2"}).Draw(t, "value"))
	}
	return c
}

// Whatever the records: in batches of any size the same image; its snapshot
// makes it again; what it shares with older images stays as it was; the deltas
// name what differs.
func TestReplay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one := New("c") // record by record
		var records []metarecord.Record
		texts := map[*Image]string{}
		images := []*Image{one}
		for range rapid.IntRange(1, 60).Draw(t, "n") {
			r := drawRecord(t, one)
			next, d, err := one.Apply([]metarecord.Record{r}, one.Offset()+1, 1)
			if err != nil {
				t.Fatal(err)
			}
			checkDelta(t, one, next, d)
			records = append(records, r)
			one = next
			images = append(images, one)
			texts[one] = dump(one)
		}
		bulk, _, err := New("c").Apply(records, 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		if dump(bulk) != dump(one) || bulk.NumPartitions() != one.NumPartitions() {
			t.Fatal("one batch differs from many")
		}
		l := NewLoader("c")
		for r := range one.Records() {
			if err := l.Add(r); err != nil {
				t.Fatal(err)
			}
		}
		if again := l.Image(one.Offset(), 1); dump(again) != dump(one) || again.NumPartitions() != one.NumPartitions() {
			t.Fatal("the snapshot makes another image")
		}
		for m, text := range texts {
			if dump(m) != text {
				t.Fatal("an older image changed")
			}
		}
		a := images[rapid.IntRange(0, len(images)-1).Draw(t, "a")]
		checkDelta(t, a, one, one.Since(a))
	})
}

func checkDelta(t *rapid.T, a, b *Image, d Delta) {
	created, deleted := map[string]bool{}, map[string]bool{}
	for _, r := range d.TopicsCreated {
		created[r.ID.String()] = true
	}
	for _, r := range d.TopicsDeleted {
		deleted[r.ID.String()] = true
	}
	changed := map[kafka.TopicPartition]bool{}
	for _, tp := range d.Partitions {
		changed[tp] = true
	}
	for _, topic := range b.Topics() {
		if (a.Topic(topic.ID) == nil) != created[topic.ID.String()] {
			t.Fatalf("created: %v", d.TopicsCreated)
		}
		for id, p := range topic.Partitions() {
			tp := kafka.TopicPartition{Topic: topic.ID, Partition: id}
			if old := a.Partition(tp); (old != p) != changed[tp] {
				t.Fatalf("partition %s: changed %v", tp, changed[tp])
			}
		}
	}
	for _, topic := range a.Topics() {
		if (b.Topic(topic.ID) == nil) != deleted[topic.ID.String()] {
			t.Fatalf("deleted: %v", d.TopicsDeleted)
		}
	}
	for k, v := range b.Configs() {
		if old, ok := a.Config(k.Resource, k.Key); (!ok || old != v) && !slices.Contains(d.Configs, k.Resource) {
			t.Fatalf("config %v", k)
		}
	}
	for id, broker := range b.Brokers() {
		if (a.Broker(id) != broker) != slices.Contains(d.Brokers, id) {
			t.Fatalf("broker %d", id)
		}
	}
}

// Records of a transaction show at its end, or never.
func TestTransactions(t *testing.T) {
	apply := func(m *Image, records ...metarecord.Record) (*Image, Delta) {
		t.Helper()
		next, d, err := m.Apply(records, m.Offset()+1, 1)
		if err != nil {
			t.Fatal(err)
		}
		return next, d
	}
	begin, end := &metarecord.BeginTransaction{Name: ptr("x")}, &metarecord.EndTransaction{}
	a, b, c := &metarecord.Topic{Name: "a", TopicID: kafka.UUID{1}}, &metarecord.Topic{Name: "b", TopicID: kafka.UUID{2}}, &metarecord.Topic{Name: "c", TopicID: kafka.UUID{3}}

	m, d := apply(New("c"), a, begin, b)
	if m.NumTopics() != 1 || !m.InTransaction() || len(d.TopicsCreated) != 1 || m.Offset() != 2 {
		t.Fatalf("%d topics, %+v", m.NumTopics(), d)
	}
	m2, d := apply(m, c)
	if m2.NumTopics() != 1 || len(d.TopicsCreated) != 0 {
		t.Fatalf("%d topics, %+v", m2.NumTopics(), d)
	}
	ended, d := apply(m2, end)
	if ended.NumTopics() != 3 || ended.InTransaction() || len(d.TopicsCreated) != 2 {
		t.Fatalf("%d topics, %+v", ended.NumTopics(), d)
	}
	aborted, d := apply(m2, &metarecord.AbortTransaction{}, c)
	if aborted.NumTopics() != 2 || aborted.TopicByName("b") != nil || len(d.TopicsCreated) != 1 {
		t.Fatalf("%d topics, %+v", aborted.NumTopics(), d)
	}
	if m.NumTopics() != 1 || m2.NumTopics() != 1 || !m2.InTransaction() {
		t.Error("an older image changed")
	}
	for _, bad := range [][]metarecord.Record{{end}, {&metarecord.AbortTransaction{}}, {begin, begin}} {
		if _, _, err := New("c").Apply(bad, 0, 1); !errors.Is(err, ErrInvalid) {
			t.Errorf("%v", err)
		}
	}
}

func TestRefused(t *testing.T) {
	m := sample(t)
	change := metarecord.NewPartitionChange()
	change.TopicID, change.PartitionID = kafka.UUID{1, 15: 9}, 8
	for _, r := range []metarecord.Record{
		&metarecord.Topic{Name: "t", TopicID: kafka.UUID{2}}, &metarecord.Topic{Name: "u", TopicID: kafka.UUID{1, 15: 9}},
		&metarecord.RemoveTopic{}, &metarecord.Partition{}, change, metarecord.NewPartitionChange(), &metarecord.ClearELR{TopicName: "x"},
		&metarecord.UnregisterBroker{BrokerID: 1, BrokerEpoch: 1}, &metarecord.BrokerRegistrationChange{BrokerID: 9},
		&metarecord.BrokerRegistrationChange{BrokerID: 1, BrokerEpoch: 2, Fenced: 2}, &metarecord.RemoveAccessControlEntry{},
		&metarecord.UnregisterController{ControllerID: 4},
	} {
		if _, _, err := m.Apply([]metarecord.Record{r}, m.Offset()+1, 1); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", r.Type(), err)
		}
	}
	if _, _, err := m.Apply(nil, m.Offset(), 1); !errors.Is(err, ErrGap) {
		t.Error(err)
	}
	if _, _, err := m.Apply(nil, m.Offset()+2, 1); !errors.Is(err, ErrGap) {
		t.Error(err)
	}
	if _, _, err := m.Apply(nil, m.Offset()+1, 0); !errors.Is(err, ErrInvalid) {
		t.Error("an older epoch was taken", err)
	}
}

// 100,000 partitions must fit 100 MB, and one change must not copy the topic.
func TestLarge(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	l := NewLoader("c")
	rng := rand.New(rand.NewPCG(1, 2))
	var tps []kafka.TopicPartition
	for i := range 1000 {
		id := kafka.UUID{byte(rng.Uint32()), byte(rng.Uint32()), byte(i), byte(i >> 8)}
		if err := l.Add(&metarecord.Topic{Name: fmt.Sprint("topic", i), TopicID: id}); err != nil {
			t.Fatal(err)
		}
		for p := range int32(100) {
			r := metarecord.NewPartition()
			r.TopicID, r.PartitionID, r.Leader = id, p, 1
			r.Replicas, r.ISR = []int32{1, 2, 3}, []int32{1, 2, 3}
			r.Directories = []kafka.UUID{{1}, {2}, {3}}
			if err := l.Add(r); err != nil {
				t.Fatal(err)
			}
			tps = append(tps, kafka.TopicPartition{Topic: id, Partition: p})
		}
	}
	m := l.Image(0, 0)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if mb := (after.HeapAlloc - before.HeapAlloc) >> 20; m.NumPartitions() != 100_000 || mb > 100 {
		t.Errorf("%d partitions in %d MB", m.NumPartitions(), mb)
	} else {
		t.Logf("%d MB", mb)
	}
	c := metarecord.NewPartitionChange()
	c.TopicID, c.PartitionID, c.Leader = tps[777].Topic, tps[777].Partition, 2
	records := []metarecord.Record{c}
	if n := testing.AllocsPerRun(10, func() { _, _, _ = m.Apply(records, 1, 1) }); n > 80 {
		t.Errorf("%v allocations for one change", n)
	}
	next, d, err := m.Apply(records, 1, 1)
	if err != nil || len(d.Partitions) != 1 || next.Partition(tps[777]).Leader != 2 || m.Partition(tps[777]).Leader != 1 {
		t.Errorf("%+v %v", d, err)
	}
}
