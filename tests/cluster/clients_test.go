package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/tests/node"
)

const (
	// windowMax records of a partition are under way at a time.
	windowMax = 4
	// recordPad bytes stand behind each record's number.
	recordPad = 200
	// problemsMax of the clients' problems are kept.
	problemsMax = 10
)

// topic is one that the load writes to.
type topic struct {
	name       string
	id         string
	uuid       [16]byte
	partitions int32
	durability history.Durability
	foreign    bool // another program writes to it
}

// load is what clients do to a cluster, and its record.
type load struct {
	t       *testing.T
	cluster *node.Cluster
	record  *recorder
	topics  []*topic

	mu       sync.Mutex
	problems []error
	clients  []string
	runs     map[string]struct{} // clients that have not ended
	closers  []func()            // of Kafka clients
}

// wrong are the clients' problems.
func (l *load) wrong() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.problems...)
}

// start runs a client, which is expected to progress.
func (l *load) start(name string, run func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clients = append(l.clients, name)
	if l.runs == nil {
		l.runs = map[string]struct{}{}
	}
	l.runs[name] = struct{}{}
	go func() {
		run()
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.runs, name)
	}()
}

// running names the clients that have not ended.
func (l *load) running(context.Context) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(slices.Sorted(maps.Keys(l.runs)), ", ")
}

func (l *load) problem(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.problems) < problemsMax {
		l.problems = append(l.problems, fmt.Errorf(format, args...))
	}
}

// settings that every client has: it asks again soon, and gives up a broker that
// does not answer within a second.
func (l *load) settings(name string) []kgo.Opt {
	return []kgo.Opt{
		kgo.ClientID(name), kgo.SeedBrokers(l.cluster.Kafka()...), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }),
		kgo.MetadataMinAge(50 * time.Millisecond), kgo.MetadataMaxAge(2 * time.Second), kgo.UnknownTopicRetries(-1), kgo.RequestRetries(1_000_000),
		kgo.ProduceRequestTimeout(time.Second), kgo.RequestTimeoutOverhead(time.Second), kgo.DialTimeout(time.Second),
		kgo.RetryTimeout(time.Hour),
	}
}

func (l *load) client(name string, opts ...kgo.Opt) *kgo.Client {
	l.t.Helper()
	c, err := kgo.NewClient(append(l.settings(name), opts...)...)
	if err != nil {
		l.t.Fatal(err)
	}
	end := sync.OnceFunc(c.Close)
	l.closers = append(l.closers, end)
	l.t.Cleanup(end)
	return c
}

// create makes the topics and declares them.
func (l *load) create(ctx context.Context, topics ...*topic) {
	l.t.Helper()
	admin := kadm.NewClient(l.client("admin"))
	for _, t := range topics {
		durability, insync := string(t.durability), "2"
		resp, err := admin.CreateTopic(ctx, t.partitions, node.Nodes, map[string]*string{"moldau.durability": &durability, "min.insync.replicas": &insync}, t.name)
		if err == nil {
			err = resp.Err
		}
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) { // a try before may have been answered with an error
			l.t.Fatalf("create %s: %v", t.name, err)
		}
		for resp.ID == [16]byte{} {
			known, err := admin.ListTopics(ctx, t.name)
			if err != nil {
				l.t.Fatalf("create %s: %v", t.name, err)
			}
			resp.ID = known[t.name].ID // not known to every broker at once
		}
		t.id, t.uuid = resp.ID.String(), resp.ID
		l.topics = append(l.topics, t)
		l.record.topic(history.Topic{ID: t.id, Name: t.name, Partitions: t.partitions, Durability: t.durability, RetentionMs: -1, RetentionBytes: -1})
	}
}

// byName is nil for a topic that the load does not write to.
func (l *load) byName(name string) *topic {
	for _, t := range l.topics {
		if t.name == name {
			return t
		}
	}
	return nil
}

// run starts the clients; they end with ctx.
func (l *load) run(ctx context.Context) {
	producer := l.client("producer", kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.StopProducerOnDataLossDetected(),
		kgo.ProducerLinger(0), kgo.RecordRetries(1_000_000), kgo.ProducerBatchCompression(kgo.NoCompression()))
	all := map[string]map[int32]kgo.Offset{}
	for _, t := range l.topics {
		all[t.name] = map[int32]kgo.Offset{}
		for p := range t.partitions {
			all[t.name][p] = kgo.NewOffset().AtStart()
			if t.foreign {
				continue
			}
			name := fmt.Sprintf("producer-%s-%d", t.name, p)
			l.start(name, func() { l.produce(ctx, producer, name, t, p) })
		}
	}
	consumer := l.client("consumer", kgo.ConsumePartitions(all), kgo.FetchMaxWait(200*time.Millisecond))
	l.start("consumer", func() { l.consume(ctx, "consumer", consumer) })
	committer := l.client("committer")
	l.start("committer", func() { l.commit(ctx, "committer", kadm.NewClient(committer)) })
}

// produce keeps a partition supplied until ctx ends, or a record fails: then all
// that follow would. What is under way is given up, and may still come to pass.
func (l *load) produce(ctx context.Context, c *kgo.Client, name string, t *topic, p int32) {
	ctx, fail := context.WithCancel(ctx)
	defer fail()
	window := make(chan struct{}, windowMax)
	pad := strings.Repeat("x", recordPad)
	for ctx.Err() == nil {
		window <- struct{}{}
		now := time.Now().UnixMilli()
		op := &history.Op{Client: name, Node: history.Unknown, Kind: history.KindProduce, Topic: t.id, Partition: p}
		value := l.record.value()
		op.Produce = &history.Produce{
			Acks: -1, ProducerID: history.Unknown, ProducerEpoch: history.Unknown, BaseSequence: history.Unknown,
			BaseOffset: history.Unknown, LogStart: history.Unknown,
			Records: []history.Record{{
				Offset: history.Unknown, Epoch: history.Unknown, Key: name, Value: value, TimestampMs: now,
				ProducerID: history.Unknown, ProducerEpoch: history.Unknown, Sequence: history.Unknown,
			}},
		}
		l.record.began(op)
		r := &kgo.Record{Topic: t.name, Partition: p, Key: []byte(name), Value: fmt.Appendf(nil, "%d %s", value, pad), Timestamp: time.UnixMilli(now)}
		c.Produce(ctx, r, func(r *kgo.Record, err error) {
			switch {
			case err == nil:
				op.Produce.BaseOffset = r.Offset
				l.record.ended(op, history.OutcomeOK)
			default:
				if !errors.Is(err, context.Canceled) {
					l.problem("%s: %w", name, err)
				}
				fail()
				l.record.ended(op, history.OutcomeMaybe)
			}
			<-window
		})
	}
	for range windowMax {
		window <- struct{}{}
	}
}

// records of an answer, as the history has them.
func (l *load) records(in []*kgo.Record) []history.Record {
	out := make([]history.Record, 0, len(in))
	for _, r := range in {
		number, _, _ := strings.Cut(string(r.Value), " ")
		value, err := strconv.ParseUint(number, 10, programShift)
		valid := err == nil && len(r.Value) == len(number)+1+recordPad
		if !valid {
			value, valid = foreignValue(string(r.Value))
		}
		if !valid {
			l.problem("%s-%d offset %d: nobody wrote %.40q", r.Topic, r.Partition, r.Offset, r.Value)
			continue
		}
		out = append(out, history.Record{
			Offset: r.Offset, Epoch: r.LeaderEpoch, Key: string(r.Key), Value: value, TimestampMs: r.Timestamp.UnixMilli(),
			ProducerID: r.ProducerID, ProducerEpoch: r.ProducerEpoch, Sequence: history.Unknown,
		})
	}
	return out
}

// consume reads everything as it comes.
func (l *load) consume(ctx context.Context, name string, c *kgo.Client) {
	for ctx.Err() == nil {
		invoked := l.record.now()
		fetches := c.PollFetches(ctx)
		fetches.EachError(func(topic string, p int32, err error) {
			var lost *kgo.ErrDataLoss
			if errors.As(err, &lost) {
				l.problem("%s: %s-%d: %w", name, topic, p, err)
			}
		})
		fetches.EachPartition(func(part kgo.FetchTopicPartition) {
			t := l.byName(part.Topic)
			if t == nil || len(part.Records) == 0 {
				return
			}
			op := &history.Op{Client: name, Node: history.Unknown, Kind: history.KindPoll, Topic: t.id, Partition: part.Partition}
			op.Read = &history.Read{
				Position: history.Unknown, LeaderEpoch: history.Unknown, HighWatermark: history.Unknown,
				LastStable: history.Unknown, LogStart: history.Unknown, Records: l.records(part.Records),
			}
			l.record.began(op)
			op.Invoke = invoked
			l.record.ended(op, history.OutcomeOK)
		})
	}
}

const group = "committed"

// commit commits a group's offset again and again, and reads it back.
func (l *load) commit(ctx context.Context, name string, admin *kadm.Client) {
	t := l.topics[0]
	for v := int64(1); ctx.Err() == nil; v++ {
		op := &history.Op{Client: name, Node: history.Unknown, Topic: t.id}
		op.Offset = &history.Offset{Group: group, Generation: history.Unknown, Value: v, Metadata: fmt.Sprint("m", v), CoordinatorEpoch: history.Unknown}
		op.Kind = history.KindCommitOffset
		if v%3 == 0 {
			op.Kind = history.KindFetchOffset
		}
		l.record.began(op)
		outcome := history.OutcomeMaybe
		if op.Kind == history.KindCommitOffset {
			var offsets kadm.Offsets
			offsets.Add(kadm.Offset{Topic: t.name, At: v, LeaderEpoch: -1, Metadata: op.Offset.Metadata})
			if err := admin.CommitAllOffsets(ctx, group, offsets); err == nil {
				outcome = history.OutcomeOK
			}
		} else {
			found, err := admin.FetchOffsets(ctx, group)
			if err != nil {
				l.record.dropped(op)
				continue
			}
			outcome = history.OutcomeOK
			if o, any := found.Lookup(t.name, 0); !any {
				op.Offset.Value, op.Offset.Metadata = history.Unknown, ""
			} else if o.Err != nil {
				l.record.dropped(op)
				continue
			} else {
				op.Offset.Value, op.Offset.Metadata = o.At, o.Metadata
			}
		}
		l.record.ended(op, outcome)
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond): // to leave the machine to the others
		}
	}
}

// retriable reports whether an error of a broker passes.
func retriable(code int16) bool { return kerr.IsRetriable(kerr.ErrorForCode(code)) }
