package broker_test

import (
	"io"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/disk/memfs"
)

const benchRecordBytes = 1000

// roundTrip sends a frame and reads its answer into buf.
func roundTrip(b *testing.B, c *client, frame, buf []byte) {
	if _, err := c.conn.Write(frame); err != nil {
		b.Fatal(err)
	}
	if _, err := io.ReadFull(c.conn, buf[:4]); err != nil {
		b.Fatal(err)
	}
	size := int(buf[0])<<24 | int(buf[1])<<16 | int(buf[2])<<8 | int(buf[3])
	if _, err := io.ReadFull(c.conn, buf[:size]); err != nil {
		b.Fatal(err)
	}
}

// roundTrips sends a request and reads its answer, as often as the benchmark asks.
func roundTrips(b *testing.B, c *client, req kmsg.Request) {
	frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("bench")).AppendRequest(nil, req, 1)
	buf := make([]byte, 1<<17)
	b.ReportAllocs()
	for b.Loop() {
		roundTrip(b, c, frame, buf)
	}
}

// benchNode is a node on memory with topic t, and a client of it; both end with
// the benchmark.
func benchNode(b *testing.B, partitions int32, durability string) (*client, kafka.UUID) {
	n := startNode(&testing.T{}, memfs.New())
	conn, err := n.net.Dial(n.broker.Addr(), time.Second, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = conn.Close()
		n.cancel()
		<-n.ended
	})
	c := &client{t: &testing.T{}, conn: conn}
	return c, c.createTopic("t", partitions, anyAge, "moldau.durability="+durability)
}

// benchProduce appends a batch of so many records of benchRecordBytes to each of the
// topic's partitions.
func benchProduce(b *testing.B, acks int16, topic string, partitions int32, records int) *kmsg.ProduceRequest {
	list := make([]batch.NewRecord, records)
	for i := range list {
		list[i] = batch.NewRecord{Timestamp: 1, Key: []byte("k"), Value: make([]byte, benchRecordBytes)}
	}
	raw := encoded(b, batch.BuilderOptions{}, list...)
	req := produceRequest(acks, topic, kafka.UUID{}, 0, raw)
	req.Version = 9
	for i := int32(1); i < partitions; i++ {
		p := kmsg.NewProduceRequestTopicPartition()
		p.Partition, p.Records = i, raw
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, p)
	}
	return req
}

// BenchmarkLoneProduce is one record's way through a node on memory, answered
// before the next is sent.
func BenchmarkLoneProduce(b *testing.B) {
	c, _ := benchNode(b, 1, "os")
	roundTrips(b, c, benchProduce(b, 1, "t", 1, 1))
}

// BenchmarkLoneFetch reads one record, as a consumer does that keeps up.
func BenchmarkLoneFetch(b *testing.B) {
	c, id := benchNode(b, 1, "os")
	c.ask(benchProduce(b, 1, "t", 1, 1))
	a := asking{topic: "t", id: id, offsets: map[int32]int64{0: 0}}
	roundTrips(b, c, fetchOf(13, a.topics()))
}

// BenchmarkWideProduce is one request with a record for each of 1,000
// partitions, answered when all of them are on the disk, which is memory.
func BenchmarkWideProduce(b *testing.B) {
	const partitions = 1000
	c, _ := benchNode(b, partitions, "sync")
	roundTrips(b, c, benchProduce(b, -1, "t", partitions, 1))
}

// BenchmarkReplicatedProduce is one batch's way to three brokers on memory,
// answered when all of them have it, before the next is sent.
func BenchmarkReplicatedProduce(b *testing.B) {
	for name, records := range map[string]int{"1KiB": 1, "16KiB": 16, "1MiB": 1000} {
		b.Run(name, func(b *testing.B) {
			tr := newTrio(b, 1)
			c := tr.client(0)
			tr.append(c, 0, "all brokers know of it")
			b.SetBytes(int64(records) * benchRecordBytes)
			roundTrips(b, c, benchProduce(b, -1, trioTopic, 1, records))
		})
	}
}
