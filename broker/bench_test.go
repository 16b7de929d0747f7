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

func benchNode(b *testing.B, durability string) (*node, *client, kafka.UUID) {
	n := startNode(&testing.T{}, memfs.New())
	conn, err := n.net.Dial(n.broker.Addr(), time.Second, nil)
	if err != nil {
		b.Fatal(err)
	}
	c := &client{t: &testing.T{}, conn: conn}
	return n, c, c.createTopic("t", 1, anyAge, "moldau.durability="+durability)
}

// BenchmarkLoneProduce is one record's way through a node on memory, answered
// before the next is sent.
func BenchmarkLoneProduce(b *testing.B) {
	n, c, _ := benchNode(b, "os")
	raw := encoded(&testing.T{}, batch.BuilderOptions{}, batch.NewRecord{Timestamp: 1, Key: []byte("k"), Value: make([]byte, 1000)})
	req := produceRequest(1, "t", kafka.UUID{}, 0, raw)
	req.Version = 9
	frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("bench")).AppendRequest(nil, req, 1)
	buf := make([]byte, 1<<16)
	b.ReportAllocs()
	for b.Loop() {
		roundTrip(b, c, frame, buf)
	}
	b.StopTimer()
	_ = c.conn.Close()
	n.cancel()
	<-n.ended
}

// BenchmarkLoneFetch reads one record, as a consumer does that keeps up.
func BenchmarkLoneFetch(b *testing.B) {
	n, c, id := benchNode(b, "os")
	raw := encoded(&testing.T{}, batch.BuilderOptions{}, batch.NewRecord{Timestamp: 1, Key: []byte("k"), Value: make([]byte, 1000)})
	c.produce("t", 0, 1, raw)
	a := asking{topic: "t", id: id, offsets: map[int32]int64{0: 0}}
	frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("bench")).AppendRequest(nil, fetchOf(13, a.topics()), 1)
	buf := make([]byte, 1<<16)
	b.ReportAllocs()
	for b.Loop() {
		roundTrip(b, c, frame, buf)
	}
	b.StopTimer()
	_ = c.conn.Close()
	n.cancel()
	<-n.ended
}

// BenchmarkWideProduce is one request with 1 KiB for each of 1,000 partitions,
// answered when all of them are on the disk, which is memory.
func BenchmarkWideProduce(b *testing.B) {
	const partitions = 1000
	n := startNode(&testing.T{}, memfs.New())
	conn, err := n.net.Dial(n.broker.Addr(), time.Second, nil)
	if err != nil {
		b.Fatal(err)
	}
	c := &client{t: &testing.T{}, conn: conn}
	c.createTopic("t", partitions, anyAge, "moldau.durability=sync")
	raw := encoded(&testing.T{}, batch.BuilderOptions{}, batch.NewRecord{Timestamp: 1, Key: []byte("k"), Value: make([]byte, 1024)})
	req := produceRequest(-1, "t", kafka.UUID{}, 0, raw)
	req.Version = 9
	for i := int32(1); i < partitions; i++ {
		p := kmsg.NewProduceRequestTopicPartition()
		p.Partition, p.Records = i, raw
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, p)
	}
	frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("bench")).AppendRequest(nil, req, 1)
	buf := make([]byte, 1<<17)
	b.ReportAllocs()
	for b.Loop() {
		roundTrip(b, c, frame, buf)
	}
	b.StopTimer()
	_ = c.conn.Close()
	n.cancel()
	<-n.ended
}

// BenchmarkReplicatedProduce is one batch's way to three brokers on memory,
// answered when all of them have it, before the next is sent.
func BenchmarkReplicatedProduce(b *testing.B) {
	for name, records := range map[string]int{"1KiB": 1, "16KiB": 16, "1MiB": 1000} {
		b.Run(name, func(b *testing.B) {
			tr := newTrio(b, 1)
			c := tr.client(0)
			list := make([]batch.NewRecord, records)
			for i := range list {
				list[i] = batch.NewRecord{Timestamp: 1, Key: []byte("k"), Value: make([]byte, 1000)}
			}
			tr.append(c, 0, "all brokers know of it")
			req := produceRequest(-1, trioTopic, kafka.UUID{}, 0, encoded(b, batch.BuilderOptions{}, list...))
			req.Version = 9
			frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("bench")).AppendRequest(nil, req, 1)
			buf := make([]byte, 1<<16)
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			for b.Loop() {
				roundTrip(b, c, frame, buf)
			}
		})
	}
}
