package broker_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/disk/memfs"
)

const (
	// crashClones are taken of one workload, spread over its calls.
	crashClones = 48
	// crashShare: one in so many calls is cloned, until there are enough.
	crashShare  = 25
	crashRounds = 120
	crashWide   = 20 // partitions of the wide topic
)

// promised is what the node has acked at a moment.
type promised struct {
	records   map[string]int // by topic-partition: number of records
	topics    map[string]kafka.UUID
	committed int64
	config    int64
	cluster   string
}

func (p *promised) clone() promised {
	c := *p
	c.records, c.topics = maps.Clone(p.records), maps.Clone(p.topics)
	return c
}

// TestCrashClonesOfAWholeNode: a node that starts on what a power loss left at
// any moment has all that was acked at `sync`: records, topics with their ids,
// committed offsets, configs, the cluster's id.
func TestCrashClonesOfAWholeNode(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint("seed-", seed), func(t *testing.T) { crashAWholeNode(t, seed) })
	}
}

type crashPoint struct {
	fs   *memfs.FS
	had  promised
	call memfs.Call
}

func crashAWholeNode(t *testing.T, seed uint64) {
	fsys := memfs.New()
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(seed, 5))
	now := promised{records: map[string]int{}, topics: map[string]kafka.UUID{}}
	var points []crashPoint
	fsys.OnCall(func(c memfs.Call) error {
		mu.Lock()
		defer mu.Unlock()
		if len(points) < crashClones && rng.IntN(crashShare) == 0 {
			had := now.clone()
			points = append(points, crashPoint{fs: fsys.CrashClone(rng), had: had, call: c})
		}
		return nil
	})
	n := startNode(t, fsys, config.Property{Name: "log.segment.bytes", Value: "1048576"}, config.Property{Name: "offsets.topic.num.partitions", Value: "2"})
	promise := func(f func()) {
		mu.Lock()
		defer mu.Unlock()
		f()
	}
	c := n.client()
	c.findCoordinator("g")
	promise(func() { now.cluster = n.broker.Identity().ClusterID })
	for name, partitions := range map[string]int32{"narrow": 1, "wide": crashWide} {
		id := c.createTopic(name, partitions)
		promise(func() { now.topics[name] = id })
	}
	pad := string(make([]byte, 6000))
	for i := range crashRounds {
		topic, count := "narrow", int32(1)
		if i%3 == 1 {
			topic, count = "wide", crashWide
		}
		number := now.records[topic+"-0"]
		for _, p := range c.multi(topic, 0, count, 60_000, records(t, batch.CodecNone, fmt.Sprintf("%d %s", number, pad))) {
			if p.ErrorCode != 0 {
				t.Fatalf("produce to %s-%d: %s", topic, p.Partition, kafka.ErrorCode(p.ErrorCode))
			}
			promise(func() { now.records[fmt.Sprintf("%s-%d", topic, p.Partition)]++ })
		}
		if code := c.commit("g", "narrow", 0, int64(i)); code != 0 {
			t.Fatalf("commit: %s", code)
		}
		promise(func() { now.committed = int64(i) })
		if i%10 == 5 {
			name := fmt.Sprint("later-", i)
			id := c.createTopic(name, 2)
			promise(func() { now.topics[name] = id })
			c.setRetention("narrow", 1<<40+int64(i))
			promise(func() { now.config = 1<<40 + int64(i) })
		}
	}
	n.stop()
	fsys.OnCall(nil)
	if len(points) < crashClones {
		t.Errorf("only %d clones were taken", len(points))
	}
	for i, p := range points {
		t.Run(fmt.Sprintf("%d-%s", i, p.call.Op), func(t *testing.T) { p.check(t, uint64(100+i)) })
	}
}

func (p *crashPoint) check(t *testing.T, seed uint64) {
	events := &eventLog{}
	n, err := launch(t, p.fs, seed, events, config.Property{Name: "offsets.topic.num.partitions", Value: "2"})
	if err != nil {
		t.Fatalf("power loss at %v: the node does not start: %v", p.call, err)
	}
	defer func() {
		if err := n.quit(); err != nil {
			t.Errorf("stop: %v", err)
		}
		if t.Failed() {
			t.Logf("power loss at %v\n%s", p.call, events)
		}
	}()
	c := n.client()
	if id := n.broker.Identity().ClusterID; p.had.cluster != "" && id != p.had.cluster {
		t.Errorf("cluster id %s, was %s", id, p.had.cluster)
	}
	ids := c.topicIDs()
	for name, id := range p.had.topics {
		if ids[name] != id {
			t.Errorf("topic %s has id %s, was %s", name, ids[name], id)
		}
	}
	for _, tp := range slices.Sorted(maps.Keys(p.had.records)) {
		p.checkRecords(t, c, tp)
	}
	if p.had.committed > 0 {
		if at, err := c.committed("g", "narrow", 0); err != nil || at < p.had.committed {
			t.Errorf("committed offset %d, %v; %d was acked", at, err, p.had.committed)
		}
	}
	if p.had.config > 0 {
		if v := c.retention("narrow"); v < p.had.config {
			t.Errorf("retention.ms %d; %d was acked", v, p.had.config)
		}
	}
}

func (p *crashPoint) checkRecords(t *testing.T, c *client, tp string) {
	dash := strings.LastIndexByte(tp, '-')
	topic, partition := tp[:dash], tp[dash+1:]
	index, err := strconv.Atoi(partition)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.readAll(topic, int32(index))
	if err != nil || len(got) < p.had.records[tp] {
		t.Errorf("%s: %d records, %d were acked; %v", tp, len(got), p.had.records[tp], err)
	}
	for i, v := range got {
		if number := fmt.Sprint(i, " "); len(v) < len(number) || v[:len(number)] != number {
			t.Errorf("%s: record %d is %.10q", tp, i, v)
		}
	}
}

func (c *client) topicIDs() map[string]kafka.UUID {
	c.t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 12
	ids := map[string]kafka.UUID{}
	for _, topic := range c.ask(req).(*kmsg.MetadataResponse).Topics {
		ids[*topic.Topic] = kafka.UUID(topic.TopicID)
	}
	return ids
}

func (c *client) setRetention(topic string, ms int64) {
	c.t.Helper()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Version = 1
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	e := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	value := fmt.Sprint(ms)
	e.Name, e.Value = "retention.ms", &value
	r.Configs = append(r.Configs, e)
	req.Resources = append(req.Resources, r)
	if code := c.ask(req).(*kmsg.IncrementalAlterConfigsResponse).Resources[0].ErrorCode; code != 0 {
		c.t.Fatalf("alter configs: %s", kafka.ErrorCode(code))
	}
}

func (c *client) retention(topic string) int64 {
	c.t.Helper()
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Version = 4
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName, r.ConfigNames = kmsg.ConfigResourceTypeTopic, topic, []string{"retention.ms"}
	req.Resources = append(req.Resources, r)
	resp := c.ask(req).(*kmsg.DescribeConfigsResponse)
	v, err := strconv.ParseInt(*resp.Resources[0].Configs[0].Value, 10, 64)
	if err != nil {
		c.t.Fatal(err)
	}
	return v
}
