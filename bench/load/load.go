package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/moldau/moldau/bench/await"
	"github.com/moldau/moldau/bench/stats"
)

// Target is what a load runs against.
type Target struct {
	Addrs  []string          // of all nodes
	Data   []string          // their log directories, for the check of what is on disk; each node has every replica
	Topic  map[string]string // configuration of the topics
	Prefix string            // of the topics' names
}

// replicas of a topic: one on each node.
func (t Target) replicas() int16 { return int16(max(1, len(t.Addrs))) }

// Result is what the driver saw.
type Result struct {
	Records  int64
	Wall     time.Duration    // from the first record to the last answer
	Disk     Disk             // of one replica; not of Consume
	Ack      *stats.Histogram // Lone, Paced
	EndToEnd *stats.Histogram // Lone, Paced: from Produce, or from when a record was due, to the consumer's poll
}

// Measure runs the measured part of a load and reads the counters around it.
type Measure func(part func() error) error

// stallTimeout is how long no answer at all may come.
const stallTimeout = 60 * time.Second

// Run runs one scenario in a topic of its own, checks the logs and deletes the
// topic. Consume reads a topic that the first run fills and Forget deletes.
func Run(ctx context.Context, t Target, s Scenario, measure Measure) (Result, error) {
	switch s.Kind {
	case Produce:
		return inTopic(ctx, t, s, func(topic string) (Result, error) { return produce(ctx, t, s, topic, measure) })
	case Lone:
		return inTopic(ctx, t, s, func(topic string) (Result, error) { return lone(ctx, t, s, topic, measure) })
	case Paced:
		return inTopic(ctx, t, s, func(topic string) (Result, error) { return paced(ctx, t, s, topic, measure) })
	case Consume:
		return consumeFilled(ctx, t, s, measure)
	}
	return Result{}, fmt.Errorf("scenario %s: no such kind %q", s.Name, s.Kind)
}

// inTopic makes a topic, runs f, compares the logs with what was acknowledged,
// and deletes the topic.
func inTopic(ctx context.Context, t Target, s Scenario, f func(topic string) (Result, error)) (r Result, err error) {
	admin, err := newAdmin(t)
	if err != nil {
		return r, err
	}
	defer admin.Close()
	topic := fmt.Sprintf("%s%s-%d", t.Prefix, s.Name, time.Now().UnixNano())
	if err := create(ctx, admin, t, topic, s.Partitions); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, remove(ctx, admin, topic)) }()
	if r, err = f(topic); err != nil {
		return r, err
	}
	r.Disk, err = verify(ctx, t, s, topic)
	return r, err
}

// verify compares a topic's end offsets and files with what was acknowledged,
// with a client that has not heard of the topic before it was there.
func verify(ctx context.Context, t Target, s Scenario, topic string) (Disk, error) {
	admin, err := newAdmin(t)
	if err != nil {
		return Disk{}, err
	}
	defer admin.Close()
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return Disk{}, fmt.Errorf("ask where %s ends: %w", topic, err)
	}
	var sum int64
	ends.Each(func(o kadm.ListedOffset) {
		if o.Err != nil {
			err = errors.Join(err, fmt.Errorf("ask where partition %d of %s ends: %w", o.Partition, topic, o.Err))
		}
		sum += o.Offset
	})
	if err == nil && sum != s.Records {
		err = fmt.Errorf("%s: the logs end at %d together, %d records were acknowledged", topic, sum, s.Records)
	}
	if err != nil {
		return Disk{}, err
	}
	var disk Disk
	for _, data := range t.Data {
		if disk, err = awaitDisk(data, topic, s); err != nil {
			return disk, err
		}
	}
	return disk, nil
}

const (
	// replicaTimeout is how long a replica that acks=all did not wait for may
	// take to have all records, and replicaEvery the pause between two looks.
	replicaTimeout = 30 * time.Second
	replicaEvery   = 20 * time.Millisecond
)

// awaitDisk reads a topic's replicas in a directory until they hold all records.
func awaitDisk(data, topic string, s Scenario) (Disk, error) {
	var disk Disk
	err := await.Until(replicaTimeout, replicaEvery, func() (err error) {
		if disk, err = ReadDisk(data, topic); err == nil {
			err = s.checkSize(disk)
		}
		return err
	})
	return disk, err
}

func newAdmin(t Target) (*kadm.Client, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(t.Addrs...))
	if err != nil {
		return nil, err
	}
	return kadm.NewClient(cl), nil
}

func create(ctx context.Context, admin *kadm.Client, t Target, topic string, partitions int) error {
	configs := map[string]*string{}
	for name, value := range t.Topic {
		configs[name] = &value
	}
	if _, err := admin.CreateTopic(ctx, int32(partitions), t.replicas(), configs, topic); err != nil {
		return fmt.Errorf("create %s: %w", topic, err)
	}
	return nil
}

func remove(ctx context.Context, admin *kadm.Client, topic string) error {
	if _, err := admin.DeleteTopic(ctx, topic); err != nil {
		return fmt.Errorf("delete %s: %w", topic, err)
	}
	return nil
}
