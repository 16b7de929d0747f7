package broker_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/disk/memfs"
)

// records encodes one batch of the values.
func records(t testing.TB, codec batch.Codec, values ...string) []byte {
	t.Helper()
	b := batch.NewBuilder(batch.BuilderOptions{Compression: batch.Compression{Codec: codec}})
	for i, v := range values {
		if err := b.Append(batch.NewRecord{Timestamp: 1_700_000_000_000 + int64(i), Key: []byte(fmt.Sprint(i)), Value: []byte(v)}); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := b.Build(batch.NewCodecs(batch.Limits{}))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (c *client) produce(topic string, partition int32, acks int16, raw []byte) kmsg.ProduceResponseTopicPartition {
	c.t.Helper()
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = 9, acks, 10_000
	tp := kmsg.NewProduceRequestTopic()
	tp.Topic = topic
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, raw
	tp.Partitions = append(tp.Partitions, p)
	req.Topics = append(req.Topics, tp)
	return c.ask(req).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
}

func (c *client) fetch(topic string, partition int32, offset int64) kmsg.FetchResponseTopicPartition {
	c.t.Helper()
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = 11, 1000, 1, 1<<20
	req.SessionEpoch = -1
	tp := kmsg.NewFetchRequestTopic()
	tp.Topic = topic
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = partition, offset, 1<<20, -1
	tp.Partitions = append(tp.Partitions, p)
	req.Topics = append(req.Topics, tp)
	return c.ask(req).(*kmsg.FetchResponse).Topics[0].Partitions[0]
}

// values decodes all records of a fetched byte run.
func values(t testing.TB, raw []byte) (out []string) {
	t.Helper()
	codecs := batch.NewCodecs(batch.Limits{})
	for len(raw) > 0 {
		h, b, rest, err := batch.Next(raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := batch.CheckCRC(b); err != nil {
			t.Fatal(err)
		}
		body, err := codecs.Body(h, b)
		if err != nil {
			t.Fatal(err)
		}
		it := batch.Records(h, bytes.Clone(body))
		for {
			r, ok, err := it.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			out = append(out, fmt.Sprintf("%d=%s", r.Offset, r.Value))
		}
		raw = rest
	}
	return out
}

func TestProduceAndFetchOverRestarts(t *testing.T) {
	fsys := memfs.New()
	n := startNode(t, fsys)
	c := n.client()
	id := c.createTopic("t", 2)
	for i, codec := range []batch.Codec{batch.CodecNone, batch.CodecGzip, batch.CodecSnappy, batch.CodecLZ4, batch.CodecZstd} {
		p := c.produce("t", 1, -1, records(t, codec, fmt.Sprint("a", i), fmt.Sprint("b", i)))
		if p.ErrorCode != 0 || p.BaseOffset != int64(2*i) {
			t.Fatalf("produce %s: %s at offset %d", codec, kafka.ErrorCode(p.ErrorCode), p.BaseOffset)
		}
	}
	want := "[0=a0 1=b0 2=a1 3=b1 4=a2 5=b2 6=a3 7=b3 8=a4 9=b4]"
	if got := fmt.Sprint(values(t, c.fetch("t", 1, 0).RecordBatches)); got != want {
		t.Fatalf("fetched %s", got)
	}
	n.stop()

	n = startNode(t, fsys)
	defer n.stop()
	c = n.client()
	if got := fmt.Sprint(values(t, c.fetch("t", 1, 0).RecordBatches)); got != want {
		t.Fatalf("fetched after a restart: %s", got)
	}
	if p := c.produce("t", 1, 1, records(t, batch.CodecNone, "later")); p.ErrorCode != 0 || p.BaseOffset != 10 {
		t.Fatalf("produce after a restart: %s at %d", kafka.ErrorCode(p.ErrorCode), p.BaseOffset)
	}
	if got := fmt.Sprint(values(t, c.fetch("t", 1, 10).RecordBatches)); got != "[10=later]" {
		t.Fatalf("fetched at 10: %s", got)
	}
	meta := kmsg.NewPtrMetadataRequest()
	meta.Version = 12
	for _, topic := range c.ask(meta).(*kmsg.MetadataResponse).Topics {
		if *topic.Topic == "t" && kafka.UUID(topic.TopicID) != id {
			t.Fatalf("topic id %s after the restart, %s before", kafka.UUID(topic.TopicID), id)
		}
	}
}
