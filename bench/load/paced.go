package load

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/moldau/moldau/bench/stats"
)

// pacedWarm is how long records flow before the measured ones, at most a tenth of them.
const pacedWarm = 2 * time.Second

// due is a plan: record i is due at began plus i/perSecond. Latencies count
// from there, so that a driver or a server that falls behind cannot hide it.
type due struct {
	began     time.Time
	perSecond int64
}

func (d due) at(i int64) time.Time {
	return d.began.Add(time.Duration(i) * time.Second / time.Duration(d.perSecond))
}

// paced sends s.PerSecond records a second to all partitions by turns, without
// linger, whatever the answers do; a consumer waits at the ends.
func paced(ctx context.Context, t Target, s Scenario, topic string, measure Measure) (Result, error) {
	cl, err := producer(t, s, 0)
	if err != nil {
		return Result{}, err
	}
	defer cl.Close()
	tail, err := consumer(t, topic, s.Partitions)
	if err != nil {
		return Result{}, err
	}
	defer tail.Close()
	warm := min(s.Records/10, int64(pacedWarm.Seconds())*int64(s.PerSecond))
	p := pacer{producer: cl, tail: tail, topic: topic, s: s, next: make([]int64, s.Partitions)}
	if err := p.run(ctx, warm, &Result{Ack: &stats.Histogram{}, EndToEnd: &stats.Histogram{}}); err != nil {
		return Result{}, err
	}
	r := Result{Records: s.Records - warm, Ack: &stats.Histogram{}, EndToEnd: &stats.Histogram{}}
	err = measure(func() error {
		began := time.Now()
		defer func() { r.Wall = time.Since(began) }()
		return p.run(ctx, r.Records, &r)
	})
	return r, err
}

// pacer is a producer and a consumer that waits at the ends of its topic.
type pacer struct {
	producer, tail *kgo.Client
	topic          string
	s              Scenario
	next           []int64 // by partition: the offset that the consumer sees next
}

// ack is the answer to one record.
type ack struct {
	after time.Duration
	err   error
}

// run sends n records and returns when each is acknowledged and consumed.
func (p *pacer) run(ctx context.Context, n int64, r *Result) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	plan := due{time.Now(), int64(p.s.PerSecond)}
	acks := make(chan ack, n) // as many as come, so that no answer waits
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		p.send(ctx, plan, n, acks)
	}()
	defer func() { <-sent }()
	defer cancel()
	if err := p.read(ctx, plan, n, r.EndToEnd); err != nil {
		return err
	}
	for range n {
		select {
		case a := <-acks:
			if a.err != nil {
				return fmt.Errorf("produce to %s: %w", p.topic, a.err)
			}
			r.Ack.Add(a.after)
		case <-time.After(stallTimeout):
			return fmt.Errorf("produce to %s: no answer for %s", p.topic, stallTimeout)
		}
	}
	return nil
}

func (p *pacer) send(ctx context.Context, plan due, n int64, acks chan<- ack) {
	random := values(p.s.RecordBytes)[0]
	for i := range n {
		when := plan.at(i)
		select {
		case <-time.After(time.Until(when)):
		case <-ctx.Done():
			return
		}
		value := append([]byte(nil), random...)
		binary.BigEndian.PutUint64(value, uint64(i))
		record := &kgo.Record{Topic: p.topic, Partition: int32(i % int64(p.s.Partitions)), Value: value}
		p.producer.Produce(ctx, record, func(_ *kgo.Record, err error) { acks <- ack{time.Since(when), err} })
	}
}

// read takes n records, each partition in order and without a gap.
func (p *pacer) read(ctx context.Context, plan due, n int64, h *stats.Histogram) error {
	for seen := int64(0); seen < n; {
		poll, cancel := context.WithTimeout(ctx, stallTimeout)
		fetched := p.tail.PollFetches(poll)
		cancel()
		now := time.Now()
		if err := fetched.Err(); err != nil {
			return fmt.Errorf("consume after %d of %d records of %s: %w", seen, n, p.topic, err)
		}
		for _, r := range fetched.Records() {
			if r.Offset != p.next[r.Partition] || len(r.Value) != p.s.RecordBytes {
				return fmt.Errorf("partition %d of %s: offset %d with %d bytes came, not %d", r.Partition, p.topic, r.Offset, len(r.Value), p.next[r.Partition])
			}
			p.next[r.Partition]++
			seen++
			h.Add(now.Sub(plan.at(int64(binary.BigEndian.Uint64(r.Value)))))
		}
	}
	return nil
}
