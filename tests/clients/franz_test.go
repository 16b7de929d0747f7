package clients

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/moldau/moldau/tests/node"
)

// clientTimeout bounds one step of a client; it is no measurement.
const clientTimeout = 60 * time.Second

func franz(t *testing.T, n *node.Node, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(n.Kafka)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), clientTimeout)
	t.Cleanup(cancel)
	return ctx
}

func createTopic(t *testing.T, n *node.Node, name string, partitions int32) {
	t.Helper()
	resp, err := kadm.NewClient(franz(t, n)).CreateTopic(within(t), partitions, -1, nil, name)
	if err == nil {
		err = resp.Err
	}
	if err != nil {
		t.Fatalf("create %s: %v", name, err)
	}
}

// sample is a record with everything that must come back as it was.
func sample(i int) *kgo.Record {
	r := &kgo.Record{
		Key:       fmt.Appendf(nil, "key-%d", i),
		Value:     bytes.Repeat(fmt.Appendf(nil, "value %d \x00\xff ", i), 1+i%50),
		Timestamp: time.UnixMilli(1_700_000_000_000 + int64(i)),
		Headers:   []kgo.RecordHeader{{Key: "h", Value: fmt.Appendf(nil, "%d", i)}, {Key: "empty", Value: []byte{}}, {Key: "null"}},
	}
	if i%7 == 3 {
		r.Key = nil
	}
	if i%11 == 5 {
		r.Value = nil
	}
	return r
}

func sameRecord(a, b *kgo.Record) error {
	switch {
	case (a.Key == nil) != (b.Key == nil) || !bytes.Equal(a.Key, b.Key):
		return fmt.Errorf("key %q, want %q", a.Key, b.Key)
	case (a.Value == nil) != (b.Value == nil) || !bytes.Equal(a.Value, b.Value):
		return fmt.Errorf("value %q, want %q", a.Value, b.Value)
	case !a.Timestamp.Equal(b.Timestamp):
		return fmt.Errorf("timestamp %s, want %s", a.Timestamp, b.Timestamp)
	case len(a.Headers) != len(b.Headers):
		return fmt.Errorf("%d headers, want %d", len(a.Headers), len(b.Headers))
	}
	for i := range a.Headers {
		x, y := a.Headers[i], b.Headers[i]
		if x.Key != y.Key || (x.Value == nil) != (y.Value == nil) || !bytes.Equal(x.Value, y.Value) {
			return fmt.Errorf("header %d is %s=%q, want %s=%q", i, x.Key, x.Value, y.Key, y.Value)
		}
	}
	return nil
}

const sampleRecords = 500

// consume polls until n records of topic have come.
func consume(t *testing.T, c *kgo.Client, n int) []*kgo.Record {
	t.Helper()
	ctx := within(t)
	var got []*kgo.Record
	for len(got) < n {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("%d of %d records: %v", len(got), n, err)
		}
		fetches.EachError(func(topic string, p int32, err error) { t.Fatalf("fetch %s-%d: %v", topic, p, err) })
		got = append(got, fetches.Records()...)
	}
	return got
}

func TestFranzEveryCodecAndAcks(t *testing.T) { everywhere(t, franzEveryCodecAndAcks) }

func franzEveryCodecAndAcks(t *testing.T, n *node.Node, _ int) {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	acks := map[string][]kgo.Opt{
		"all":    nil,
		"leader": {kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite()},
		"none":   {kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite()},
	}
	for name, codec := range codecs {
		for level, opts := range acks {
			t.Run(name+"/"+level, func(t *testing.T) {
				topic := "franz-" + name + "-" + level
				createTopic(t, n, topic, 1)
				p := franz(t, n, append(opts, kgo.ProducerBatchCompression(codec), kgo.DefaultProduceTopic(topic))...)
				want := make([]*kgo.Record, sampleRecords)
				for i := range want {
					want[i] = sample(i)
				}
				if err := p.ProduceSync(within(t), want...).FirstErr(); err != nil {
					t.Fatal(err)
				}
				c := franz(t, n, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
				for i, r := range consume(t, c, len(want)) {
					if err := sameRecord(r, sample(i)); err != nil || r.Offset != int64(i) {
						t.Fatalf("record %d at offset %d: %v", i, r.Offset, err)
					}
				}
			})
		}
	}
}

func TestFranzGroupResumesWhereItCommitted(t *testing.T) {
	everywhere(t, franzGroupResumesWhereItCommitted)
}

func franzGroupResumesWhereItCommitted(t *testing.T, n *node.Node, _ int) {
	createTopic(t, n, "grouped", 4)
	p := franz(t, n, kgo.DefaultProduceTopic("grouped"))
	produce := func(from, to int) {
		for i := from; i < to; i++ {
			r := &kgo.Record{Key: fmt.Appendf(nil, "%d", i), Value: fmt.Appendf(nil, "%d", i)}
			if err := p.ProduceSync(within(t), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	seen := make(map[string]int)
	read := func(count int) {
		c := franz(t, n, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("grouped"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		for _, r := range consume(t, c, count) {
			seen[string(r.Value)]++
		}
		if err := c.CommitUncommittedOffsets(within(t)); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	produce(0, 100)
	read(100)
	produce(100, 150)
	read(50)
	if len(seen) != 150 {
		t.Fatalf("%d different records were read", len(seen))
	}
	for v, times := range seen {
		if times != 1 {
			t.Errorf("record %s was read %d times", v, times)
		}
	}
}
