package attack

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/tests/node"
)

const (
	// killRounds in continuous integration; MOLDAU_KILL_ROUNDS says otherwise.
	killRounds = 100
	// ackedPerRoundMax: a round ends after up to so many acks, drawn anew each time.
	ackedPerRoundMax = 400
	// rereadEvery rounds all partitions are read from their beginning.
	rereadEvery = 25
)

// partitionID names a partition of the test's topics.
type partitionID struct {
	topic     string
	partition int32
}

// ledger is what the node acked and what was asked of it.
type ledger struct {
	mu       sync.Mutex
	sent     map[partitionID]int           // records handed to the producer
	acked    map[partitionID]map[int]int64 // record number to offset
	ends     map[partitionID]int64         // one past the greatest acked offset
	acks     int
	topics   map[string]kadm.TopicID // acked creations that nobody deletes
	deleted  map[string]bool         // acked deletions
	config   attempts
	commit   attempts
	pids     map[int64]int // producer id to round
	problems []error

	awaited int // number of acks at which reached is closed
	reached chan struct{}
}

// attempts of a value that only grows: what was acked and what was asked.
type attempts struct{ acked, asked int64 }

func (l *ledger) problem(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.problems = append(l.problems, fmt.Errorf(format, args...))
}

// TestKilledAgainAndAgain: one directory, a node on it that is killed under
// load again and again. Whatever it acked is there after each start.
func TestKilledAgainAndAgain(t *testing.T) {
	rounds := killRounds
	if s := os.Getenv("MOLDAU_KILL_ROUNDS"); s != "" {
		var err error
		if rounds, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	k := &killer{
		t: t, px: newProxy(t), data: filepath.Join(t.TempDir(), "data"), rng: rand.New(rand.NewPCG(1, 2)),
		ledger: &ledger{
			sent: map[partitionID]int{}, acked: map[partitionID]map[int]int64{}, ends: map[partitionID]int64{},
			topics: map[string]kadm.TopicID{}, deleted: map[string]bool{}, pids: map[int64]int{},
		},
		seen: map[partitionID]*readSoFar{},
	}
	k.start()
	k.prepare()
	ctx, stop := context.WithCancel(context.Background())
	var load sync.WaitGroup
	defer load.Wait()
	defer stop()
	k.produce(ctx, &load)
	for _, worker := range []func(context.Context, *kgo.Client){k.topics, k.configs, k.commits, k.producerIDs} {
		load.Add(1)
		go func() {
			defer load.Done()
			worker(ctx, k.client())
		}()
	}
	for k.round = range rounds {
		k.awaitAcks(1 + k.rng.IntN(ackedPerRoundMax))
		k.node.Kill()
		k.px.to("")
		k.start()
		k.verify(k.round%rereadEvery == rereadEvery-1 || k.round == rounds-1)
		if t.Failed() {
			t.Fatalf("in round %d", k.round)
		}
	}
	k.ledger.mu.Lock()
	defer k.ledger.mu.Unlock()
	t.Logf("%d rounds, %d acked records, %d topics kept, %d deleted, %d producer ids, config %d, commits %d",
		rounds, k.ledger.acks, len(k.ledger.topics), len(k.ledger.deleted), len(k.ledger.pids), k.ledger.config.acked, k.ledger.commit.acked)
}

type killer struct {
	t      *testing.T
	px     *proxy
	data   string
	rng    *rand.Rand
	node   *node.Node
	ledger *ledger
	round  int

	cluster string
	seen    map[partitionID]*readSoFar
	reader  *kgo.Client
}

// readSoFar is how far a partition was read and found right.
type readSoFar struct {
	next   int64 // offset
	number int   // record
}

func (k *killer) start() {
	k.t.Helper()
	k.node = node.Start(k.t, node.Options{Data: k.data, Flags: []string{
		"--advertise", k.px.addr(), "--set", "log.segment.bytes=1048576", "--set", "metadata.log.max.record.bytes.between.snapshots=65536",
		"--set", "offsets.topic.num.partitions=2",
	}})
	k.px.to(k.node.Kafka)
}

func (k *killer) client(opts ...kgo.Opt) *kgo.Client {
	k.t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(k.px.addr()), kgo.RetryBackoffFn(func(int) time.Duration { return 5 * time.Millisecond }),
		kgo.MetadataMinAge(10 * time.Millisecond), kgo.UnknownTopicRetries(-1), kgo.RequestRetries(1_000_000),
	}, opts...)...)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(c.Close)
	return c
}

var killTopics = map[string]struct {
	partitions int32
	durability string
}{"few": {2, "sync"}, "many": {24, "sync"}, "cached": {2, "os"}}

func (k *killer) prepare() {
	k.t.Helper()
	admin := kadm.NewClient(k.client())
	for name, kind := range killTopics {
		resp, err := admin.CreateTopic(k.patience(), kind.partitions, -1, map[string]*string{"moldau.durability": &kind.durability}, name)
		if err == nil {
			err = resp.Err
		}
		if err != nil {
			k.t.Fatalf("create %s: %v", name, err)
		}
		k.ledger.topics[name] = resp.ID
		for p := range kind.partitions {
			id := partitionID{name, p}
			k.ledger.acked[id] = map[int]int64{}
			k.seen[id] = &readSoFar{}
		}
	}
}

func (k *killer) patience() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	k.t.Cleanup(cancel)
	return ctx
}

// awaitAcks waits until n more records are acked.
func (k *killer) awaitAcks(n int) {
	k.t.Helper()
	reached := make(chan struct{})
	k.ledger.mu.Lock()
	k.ledger.awaited, k.ledger.reached = k.ledger.acks+n, reached
	k.ledger.mu.Unlock()
	select {
	case <-reached:
	case <-k.patience().Done():
		k.t.Fatalf("round %d: no more acks, %v\n%s", k.round, k.ledger.problems, k.node.Log())
	}
}

// produce keeps every partition supplied by one idempotent producer that
// lives through all rounds.
func (k *killer) produce(ctx context.Context, wg *sync.WaitGroup) {
	c := k.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.StopProducerOnDataLossDetected(),
		kgo.ProducerLinger(0), kgo.MaxBufferedRecords(400))
	for id := range k.ledger.acked {
		wg.Add(1)
		go func() {
			defer wg.Done()
			pad := strings.Repeat("x", 200)
			for n := 0; ctx.Err() == nil; n++ {
				k.ledger.mu.Lock()
				k.ledger.sent[id] = n + 1
				k.ledger.mu.Unlock()
				window := make(chan struct{})
				c.Produce(ctx, &kgo.Record{Topic: id.topic, Partition: id.partition, Value: fmt.Appendf(nil, "%d %s", n, pad)},
					func(r *kgo.Record, err error) { k.produced(id, n, r, err); close(window) })
				if n%4 == 0 { // several batches, some of several records
					<-window
				}
			}
		}()
	}
}

func (k *killer) produced(id partitionID, n int, r *kgo.Record, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	if err != nil {
		k.ledger.problem("produce record %d to %s-%d: %w", n, id.topic, id.partition, err)
		return
	}
	l := k.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.acks++; l.acks == l.awaited {
		close(l.reached)
	}
	l.acked[id][n] = r.Offset
	l.ends[id] = max(l.ends[id], r.Offset+1)
}

// topics creates and deletes topics without end.
func (k *killer) topics(ctx context.Context, c *kgo.Client) {
	admin := kadm.NewClient(c)
	for n := 0; ctx.Err() == nil; n++ {
		name := fmt.Sprintf("made-%d", n)
		resp, err := admin.CreateTopic(ctx, 1+int32(n%3), -1, nil, name)
		if err != nil || resp.Err != nil {
			continue // unknown whether it was made
		}
		if n%4 == 0 {
			k.ledger.mu.Lock()
			k.ledger.topics[name] = resp.ID
			k.ledger.mu.Unlock()
			continue
		}
		if gone, err := admin.DeleteTopic(ctx, name); err == nil && gone.Err == nil {
			k.ledger.mu.Lock()
			k.ledger.deleted[name] = true
			k.ledger.mu.Unlock()
		}
	}
}

// configs sets a topic's retention to ever greater values.
func (k *killer) configs(ctx context.Context, c *kgo.Client) {
	admin := kadm.NewClient(c)
	k.grow(ctx, &k.ledger.config, func(v int64) error {
		value := strconv.FormatInt(1<<40+v, 10)
		resp, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: "retention.ms", Value: &value}}, "few")
		if err == nil && len(resp) == 1 {
			err = resp[0].Err
		}
		return err
	})
}

// commits commits ever greater offsets of a group without members.
func (k *killer) commits(ctx context.Context, c *kgo.Client) {
	admin := kadm.NewClient(c)
	k.grow(ctx, &k.ledger.commit, func(v int64) error {
		var offsets kadm.Offsets
		for p := range int32(3) {
			offsets.Add(kadm.Offset{Topic: "many", Partition: p, At: v, LeaderEpoch: -1})
		}
		return admin.CommitAllOffsets(ctx, "g", offsets)
	})
}

// grow asks for 1, 2, 3, …, one after the other.
func (k *killer) grow(ctx context.Context, a *attempts, ask func(v int64) error) {
	for v := int64(1); ctx.Err() == nil; v++ {
		k.ledger.mu.Lock()
		a.asked = v
		k.ledger.mu.Unlock()
		if err := ask(v); err == nil {
			k.ledger.mu.Lock()
			a.acked = v
			k.ledger.mu.Unlock()
		}
	}
}

// producerIDs asks for producer ids; none may come twice.
func (k *killer) producerIDs(ctx context.Context, c *kgo.Client) {
	for ctx.Err() == nil {
		req := kmsg.NewPtrInitProducerIDRequest()
		resp, err := req.RequestWith(ctx, c)
		if err != nil || kerr.ErrorForCode(resp.ErrorCode) != nil {
			continue
		}
		k.ledger.mu.Lock()
		k.ledger.pids[resp.ProducerID]++
		twice := k.ledger.pids[resp.ProducerID] > 1
		k.ledger.mu.Unlock()
		if twice {
			k.ledger.problem("producer id %d was given twice", resp.ProducerID)
		}
	}
}

// verify checks all that was acked before the kill.
func (k *killer) verify(reread bool) {
	k.t.Helper()
	if k.reader == nil {
		k.reader = k.client()
	}
	admin := kadm.NewClient(k.reader)
	k.verifyMetadata(admin)
	k.verifyGrown(admin)
	if reread {
		for id := range k.seen {
			k.seen[id] = &readSoFar{}
		}
	}
	k.readRecords()
	k.ledger.mu.Lock()
	defer k.ledger.mu.Unlock()
	for _, err := range k.ledger.problems {
		k.t.Error(err)
	}
}

func (k *killer) verifyMetadata(admin *kadm.Client) {
	k.t.Helper()
	k.ledger.mu.Lock()
	kept, deleted := map[string]kadm.TopicID{}, map[string]bool{}
	for name, id := range k.ledger.topics {
		kept[name] = id
	}
	for name := range k.ledger.deleted {
		deleted[name] = true
	}
	k.ledger.mu.Unlock()
	meta, err := admin.Metadata(k.patience())
	if err != nil {
		k.t.Fatal(err)
	}
	if k.cluster == "" {
		k.cluster = meta.Cluster
	}
	if meta.Cluster != k.cluster {
		k.t.Errorf("cluster id %s, before it was %s", meta.Cluster, k.cluster)
	}
	for name, id := range kept {
		if got, ok := meta.Topics[name]; !ok || got.ID != id {
			k.t.Errorf("topic %s: %v %s, it was made with id %s", name, ok, got.ID, id)
		}
	}
	for name := range deleted {
		if meta.Topics.Has(name) {
			k.t.Errorf("topic %s is back", name)
		}
	}
}

// verifyGrown checks what only grows: at least what was acked, at most what was asked.
func (k *killer) verifyGrown(admin *kadm.Client) {
	k.t.Helper()
	check := func(what string, a *attempts, before int64, get func() int64) {
		got := get()
		k.ledger.mu.Lock()
		defer k.ledger.mu.Unlock()
		if got < before || got > a.asked {
			k.t.Errorf("%s is %d; %d was acked, %d asked", what, got, before, a.asked)
		}
	}
	k.ledger.mu.Lock()
	config, commit := k.ledger.config.acked, k.ledger.commit.acked
	k.ledger.mu.Unlock()
	check("retention.ms", &k.ledger.config, config, func() int64 {
		rc, err := admin.DescribeTopicConfigs(k.patience(), "few")
		if err != nil || len(rc) != 1 || rc[0].Err != nil {
			k.t.Fatalf("describe configs: %v %+v", err, rc)
		}
		for _, c := range rc[0].Configs {
			if c.Key == "retention.ms" && c.Value != nil {
				v, _ := strconv.ParseInt(*c.Value, 10, 64)
				return max(v-1<<40, 0)
			}
		}
		return -1
	})
	if commit == 0 {
		return
	}
	for p := range int32(3) {
		check(fmt.Sprintf("committed offset of partition %d", p), &k.ledger.commit, commit, func() int64 {
			offsets, err := admin.FetchOffsets(k.patience(), "g")
			if err != nil {
				k.t.Fatalf("fetch offsets: %v", err)
			}
			o, _ := offsets.Lookup("many", p)
			return o.At
		})
	}
}

// readRecords reads on from where the last round stopped, at least to the end
// of what was acked when the node was killed: every record once and in order,
// those that were acked at their offsets.
func (k *killer) readRecords() {
	k.t.Helper()
	from, left := map[string]map[int32]kgo.Offset{}, map[partitionID]int64{}
	k.ledger.mu.Lock()
	for id, end := range k.ledger.ends {
		if s := k.seen[id]; s.next < end {
			if from[id.topic] == nil {
				from[id.topic] = map[int32]kgo.Offset{}
			}
			from[id.topic][id.partition] = kgo.NewOffset().At(s.next)
			left[id] = end
		}
	}
	k.ledger.mu.Unlock()
	if len(left) == 0 {
		return
	}
	c := k.client(kgo.ConsumePartitions(from), kgo.FetchMaxWait(20*time.Millisecond))
	defer c.Close()
	ctx := k.patience()
	for len(left) > 0 && !k.t.Failed() {
		fetches := c.PollFetches(ctx)
		if ctx.Err() != nil {
			k.t.Fatalf("round %d: acked records are missing: %v, read so far %d", k.round, left, len(k.seen))
		}
		fetches.EachError(func(topic string, p int32, err error) { k.t.Errorf("fetch %s-%d: %v", topic, p, err) })
		fetches.EachRecord(func(r *kgo.Record) {
			id := partitionID{r.Topic, r.Partition}
			k.record(id, r)
			if end, ok := left[id]; ok && k.seen[id].next >= end {
				delete(left, id)
			}
		})
	}
}

func (k *killer) record(id partitionID, r *kgo.Record) {
	s := k.seen[id]
	text, _, _ := strings.Cut(string(r.Value), " ")
	n, err := strconv.Atoi(text)
	if err != nil || n != s.number || r.Offset != s.next {
		k.t.Errorf("%s-%d: record %q at offset %d, want record %d at %d", id.topic, id.partition, text, r.Offset, s.number, s.next)
		return
	}
	k.ledger.mu.Lock()
	at, acked := k.ledger.acked[id][n]
	k.ledger.mu.Unlock()
	if acked && at != r.Offset {
		k.t.Errorf("%s-%d: record %d at offset %d, acked at %d", id.topic, id.partition, n, r.Offset, at)
	}
	s.next, s.number = r.Offset+1, n+1
}
