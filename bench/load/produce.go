package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// bufferedBytesMax bounds what the producer holds back.
	bufferedBytesMax = 64 << 20
	// lingerBulk lets every batch of a bulk load fill up.
	lingerBulk = 20 * time.Millisecond
	// valuesCount different values are sent by turns.
	valuesCount = 64
)

// values are of random bytes, so that nothing on the way gains by packing them.
func values(size int) [][]byte {
	rng := rand.NewChaCha8([32]byte{1})
	out := make([][]byte, valuesCount)
	for i := range out {
		out[i] = make([]byte, size)
		_, _ = rng.Read(out[i]) // never fails
	}
	return out
}

// producer is an idempotent one, as Kafka's own default is, with up to five
// requests under way.
func producer(t Target, s Scenario, linger time.Duration) (*kgo.Client, error) {
	return kgo.NewClient(
		kgo.SeedBrokers(t.Addrs...),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerBatchMaxBytes(int32(s.BatchBytes)),
		kgo.ProducerLinger(linger),
		kgo.MaxBufferedRecords(int(s.Records)+1),
		kgo.MaxBufferedBytes(bufferedBytesMax),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RecordDeliveryTimeout(stallTimeout),
	)
}

// produce sends all records, a batch's worth to each partition in turn.
func produce(ctx context.Context, t Target, s Scenario, topic string, measure Measure) (Result, error) {
	cl, err := producer(t, s, lingerBulk)
	if err != nil {
		return Result{}, err
	}
	defer cl.Close()
	if err := connect(ctx, cl, t, s, topic); err != nil {
		return Result{}, err
	}
	r := Result{Records: s.Records}
	err = measure(func() error {
		began := time.Now()
		defer func() { r.Wall = time.Since(began) }()
		return sendAll(ctx, cl, s, topic)
	})
	return r, err
}

// sendAll returns when every record is acknowledged.
func sendAll(ctx context.Context, cl *kgo.Client, s Scenario, topic string) error {
	var failed atomic.Pointer[error]
	var acked atomic.Int64
	records := sync.Pool{New: func() any { return new(kgo.Record) }}
	promise := func(r *kgo.Record, err error) {
		if err != nil {
			failed.CompareAndSwap(nil, &err)
		} else {
			acked.Add(1)
		}
		records.Put(r)
	}
	payload, perBatch := values(s.RecordBytes), int64(s.recordsPerBatch())
	for i := range s.Records {
		r := records.Get().(*kgo.Record)
		*r = kgo.Record{Topic: topic, Partition: int32(i / perBatch % int64(s.Partitions)), Value: payload[i%valuesCount]}
		cl.Produce(ctx, r, promise)
		if failed.Load() != nil {
			break
		}
	}
	if err := cl.Flush(ctx); err != nil {
		return fmt.Errorf("produce to %s: %w", topic, err)
	}
	if err := failed.Load(); err != nil {
		return fmt.Errorf("produce to %s: %w", topic, *err)
	}
	if n := acked.Load(); n != s.Records {
		return fmt.Errorf("produce to %s: %d of %d records were acknowledged", topic, n, s.Records)
	}
	return nil
}

// connect makes the client open its connections to all nodes with a record for
// each partition of another topic, so that the measured part has none of it.
func connect(ctx context.Context, cl *kgo.Client, t Target, s Scenario, topic string) error {
	admin, err := newAdmin(t)
	if err != nil {
		return err
	}
	defer admin.Close()
	side := topic + "-connect"
	if err := create(ctx, admin, t, side, len(t.Addrs)); err != nil {
		return err
	}
	for i := range t.Addrs {
		if err := cl.ProduceSync(ctx, &kgo.Record{Topic: side, Partition: int32(i), Value: make([]byte, s.RecordBytes)}).FirstErr(); err != nil {
			return fmt.Errorf("produce to %s: %w", side, err)
		}
	}
	return remove(ctx, admin, side)
}
