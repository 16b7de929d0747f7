package load

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/moldau/moldau/bench/stats"
)

// loneWarm records are sent before the measured ones.
const loneWarm = 100

// lone sends one record at a time, acks=all, and the next one only when the
// answer and the record at the consumer have come.
func lone(ctx context.Context, t Target, s Scenario, topic string, measure Measure) (Result, error) {
	warm := min(loneWarm, s.Records-1)
	cl, err := producer(t, s, 0)
	if err != nil {
		return Result{}, err
	}
	defer cl.Close()
	tail, err := consumer(t, topic, 1)
	if err != nil {
		return Result{}, err
	}
	defer tail.Close()
	p := pair{producer: cl, tail: tail, topic: topic, value: values(s.RecordBytes)[0]}
	for range warm {
		if _, _, err := p.send(ctx); err != nil {
			return Result{}, err
		}
	}
	r := Result{Records: s.Records - warm, Ack: &stats.Histogram{}, EndToEnd: &stats.Histogram{}}
	err = measure(func() error {
		began := time.Now()
		defer func() { r.Wall = time.Since(began) }()
		for range r.Records {
			ack, arrival, err := p.send(ctx)
			if err != nil {
				return err
			}
			r.Ack.Add(ack)
			r.EndToEnd.Add(arrival)
		}
		return nil
	})
	return r, err
}

// pair is a producer and a consumer that waits at the end of its topic.
type pair struct {
	producer, tail *kgo.Client
	topic          string
	value          []byte
	sent           uint64
}

// send sends the next record; the value begins with its number.
func (p *pair) send(ctx context.Context) (ack, arrival time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, stallTimeout)
	defer cancel()
	binary.BigEndian.PutUint64(p.value, p.sent)
	acked := make(chan error, 1)
	began := time.Now()
	p.producer.Produce(ctx, &kgo.Record{Topic: p.topic, Value: p.value}, func(_ *kgo.Record, err error) {
		ack = time.Since(began)
		acked <- err
	})
	fetched := p.tail.PollFetches(ctx)
	arrival = time.Since(began)
	if err := <-acked; err != nil {
		return 0, 0, fmt.Errorf("produce record %d to %s: %w", p.sent, p.topic, err)
	}
	if err := fetched.Err(); err != nil {
		return 0, 0, fmt.Errorf("consume record %d of %s: %w", p.sent, p.topic, err)
	}
	records := fetched.Records()
	if len(records) != 1 || binary.BigEndian.Uint64(records[0].Value) != p.sent || records[0].Offset != int64(p.sent) {
		return 0, 0, fmt.Errorf("consume record %d of %s: %d others came", p.sent, p.topic, len(records))
	}
	p.sent++
	return ack, arrival, nil
}
