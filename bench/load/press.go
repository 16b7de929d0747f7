package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/moldau/moldau/bench/await"
)

// Fill makes the scenario's topic and produces its records, checked.
func Fill(ctx context.Context, t Target, s Scenario) (topic string, err error) {
	topic = filledTopic(t, s)
	return topic, fill(ctx, t, s, topic)
}

// Press keeps a server busy until it dies.
type Press struct {
	cl     *kgo.Client
	cancel context.CancelFunc
	ended  chan struct{}

	mu     sync.Mutex
	ends   []int64 // by partition: one past the last acknowledged offset
	acks   int64
	first  error // before killing
	killed bool
}

// pressBytes of a record, pressLinger, and the records that wait at most: small
// batches to many partitions at once.
const (
	pressBytes      = 1 << 10
	pressLinger     = 5 * time.Millisecond
	pressRecordsMax = 20_000
)

// StartPress produces 1-KiB records to all partitions by turns until Stop.
func StartPress(t Target, topic string, partitions int) (*Press, error) {
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(t.Addrs...),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerLinger(pressLinger),
		kgo.MaxBufferedRecords(pressRecordsMax),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &Press{cl: cl, cancel: cancel, ended: make(chan struct{}), ends: make([]int64, partitions)}
	go func() {
		defer close(p.ended)
		payload := values(pressBytes)
		for i := 0; ctx.Err() == nil; i++ {
			cl.Produce(ctx, &kgo.Record{Topic: topic, Partition: int32(i % partitions), Value: payload[i%valuesCount]}, p.answered)
		}
	}()
	return p, nil
}

func (p *Press) answered(r *kgo.Record, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		p.ends[r.Partition] = max(p.ends[r.Partition], r.Offset+1)
		p.acks++
	case !p.killed && p.first == nil:
		p.first = err
	}
}

// Await waits until the load is under way: n records acknowledged. It fails on
// the first error, and when that many do not come.
func (p *Press) Await(n int64) error {
	var first error
	return errors.Join(await.Until(stallTimeout, pressEvery, func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if first = p.first; first != nil || p.acks >= n {
			return nil
		}
		return fmt.Errorf("%d of %d records were acknowledged", p.acks, n)
	}), first)
}

// pressEvery is the pause between two looks at how far the load is.
const pressEvery = 10 * time.Millisecond

// Stop ends the load around kill, which ends the server, and returns the end
// of each partition as far as it was acknowledged, and how many records were.
func (p *Press) Stop(kill func()) (ends []int64, acks int64, err error) {
	p.mu.Lock()
	p.killed = true
	p.mu.Unlock()
	kill()
	p.cancel()
	<-p.ended
	p.cl.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.first == nil && p.acks == 0 {
		p.first = fmt.Errorf("nothing was acknowledged before the server was killed")
	}
	return p.ends, p.acks, p.first
}
