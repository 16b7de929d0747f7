package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// fetchWait is how long a server holds a fetch that finds nothing.
const fetchWait = 500 * time.Millisecond

// consumer reads partitions 0 to n-1 from their start, with franz-go's sizes.
func consumer(t Target, topic string, n int) (*kgo.Client, error) {
	offsets := map[int32]kgo.Offset{}
	for i := range n {
		offsets[int32(i)] = kgo.NewOffset().At(0)
	}
	return kgo.NewClient(
		kgo.SeedBrokers(t.Addrs...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets}),
		kgo.FetchMaxWait(fetchWait),
	)
}

// filledTopic is read by all runs of a scenario.
func filledTopic(t Target, s Scenario) string { return t.Prefix + s.Name }

// consumeFilled reads the whole topic, which the first call fills.
func consumeFilled(ctx context.Context, t Target, s Scenario, measure Measure) (Result, error) {
	topic := filledTopic(t, s)
	if err := fill(ctx, t, s, topic); err != nil {
		return Result{}, err
	}
	cl, err := consumer(t, topic, s.Partitions)
	if err != nil {
		return Result{}, err
	}
	defer cl.Close()
	r := Result{Records: s.Records}
	err = measure(func() error {
		began := time.Now()
		defer func() { r.Wall = time.Since(began) }()
		return readAll(ctx, cl, s)
	})
	return r, err
}

// fill produces the scenario's records where the topic is not there.
func fill(ctx context.Context, t Target, s Scenario, topic string) error {
	admin, err := newAdmin(t)
	if err != nil {
		return err
	}
	defer admin.Close()
	there, err := admin.ListTopics(ctx, topic)
	if err != nil {
		return err
	}
	if there.Has(topic) && there[topic].Err == nil {
		return nil
	}
	if err := create(ctx, admin, t, topic, s.Partitions); err != nil {
		return err
	}
	cl, err := producer(t, s, lingerBulk)
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := sendAll(ctx, cl, s, topic); err != nil {
		return err
	}
	_, err = verify(ctx, t, s, topic)
	return err
}

// Forget deletes the topic that Consume reads.
func Forget(ctx context.Context, t Target, s Scenario) error {
	admin, err := newAdmin(t)
	if err != nil {
		return err
	}
	defer admin.Close()
	return remove(ctx, admin, filledTopic(t, s))
}

// readAll reads until every record has come, each partition in order and
// without a gap.
func readAll(ctx context.Context, cl *kgo.Client, s Scenario) error {
	next := make([]int64, s.Partitions)
	for seen := int64(0); seen < s.Records; {
		poll, cancel := context.WithTimeout(ctx, stallTimeout)
		fetched := cl.PollFetches(poll)
		cancel()
		if err := fetched.Err(); err != nil {
			return fmt.Errorf("consume after %d of %d records: %w", seen, s.Records, err)
		}
		var wrong error
		fetched.EachRecord(func(r *kgo.Record) {
			if r.Offset != next[r.Partition] || len(r.Value) != s.RecordBytes {
				wrong = errors.Join(wrong, fmt.Errorf("partition %d: offset %d with %d bytes came, not %d", r.Partition, r.Offset, len(r.Value), next[r.Partition]))
			}
			next[r.Partition] = r.Offset + 1
			seen++
		})
		if wrong != nil {
			return wrong
		}
	}
	return nil
}
