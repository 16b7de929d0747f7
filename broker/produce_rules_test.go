package broker_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
)

// anyAge lets the records of tests be as old as they are.
const anyAge = "message.timestamp.before.max.ms=9223372036854775807"

// encoded is one batch of the options.
func encoded(t testing.TB, o batch.BuilderOptions, records ...batch.NewRecord) []byte {
	t.Helper()
	b := batch.NewBuilder(o)
	for _, r := range records {
		if err := b.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := b.Build(batch.NewCodecs(batch.Limits{}))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func oneRecord(timestamp int64) batch.NewRecord {
	return batch.NewRecord{Timestamp: timestamp, Key: []byte("k"), Value: []byte("v")}
}

// Every rule of validation refuses with Kafka's code, appends nothing, and
// leaves the connection open.
func TestProduceRefusals(t *testing.T) {
	n := startNode(t, memfs.New())
	defer n.stop()
	c := n.client()
	c.createTopic("t", 1, anyAge, "max.message.bytes=1000")
	c.createTopic("keyed", 1, anyAge, "cleanup.policy=compact")
	c.createTopic("young", 1, "message.timestamp.before.max.ms=1000", "message.timestamp.after.max.ms=1000")
	awaitCoordinator(c, "g")
	producer := &batch.Producer{ID: 5, Epoch: 0, BaseSequence: 0}
	damaged := records(t, batch.CodecNone, "x")
	damaged[len(damaged)-1] ^= 1
	badCodec := records(t, batch.CodecNone, "x")
	badCodec[22] |= 7
	for _, c2 := range []struct {
		what, topic string
		version     int16
		acks        int16
		raw         []byte
		code        kafka.ErrorCode
		blamed      int
	}{
		{"wrong checksum", "t", 9, -1, damaged, kafka.ErrCorruptMessage, 0},
		{"too large", "t", 9, -1, records(t, batch.CodecNone, string(make([]byte, 1000))), kafka.ErrMessageTooLarge, 0},
		{"too old", "young", 9, -1, records(t, batch.CodecNone, "x", "y"), kafka.ErrInvalidTimestamp, 2},
		{"of the future", "young", 9, -1, encoded(t, batch.BuilderOptions{}, oneRecord(1<<50)), kafka.ErrInvalidTimestamp, 1},
		{"no key", "keyed", 9, -1, keyless(t), kafka.ErrInvalidRecord, 1},
		{"control batch", "t", 9, -1, encoded(t, batch.BuilderOptions{Control: true, Producer: producer, Transactional: true}, oneRecord(1)), kafka.ErrInvalidRecord, 0},
		{"zstd before version 7", "t", 6, -1, records(t, batch.CodecZstd, "x"), kafka.ErrUnsupportedCompressionType, 0},
		{"unknown codec", "t", 9, -1, badCodec, kafka.ErrUnsupportedCompressionType, 0},
		{"two batches", "t", 9, -1, append(records(t, batch.CodecNone, "x"), records(t, batch.CodecNone, "y")...), kafka.ErrInvalidRecord, 0},
		{"part of a batch", "t", 9, -1, records(t, batch.CodecNone, "x")[:40], kafka.ErrInvalidRecord, 0},
		{"acks 3", "t", 9, 3, records(t, batch.CodecNone, "x"), kafka.ErrInvalidRequiredAcks, 0},
		{"unknown topic", "nowhere", 9, -1, records(t, batch.CodecNone, "x"), kafka.ErrUnknownTopicOrPartition, 0},
		{"internal topic", kafka.OffsetsTopicName, 9, -1, records(t, batch.CodecNone, "x"), kafka.ErrInvalidTopicException, 0},
		{"transaction", "t", 9, -1, encoded(t, batch.BuilderOptions{Producer: producer, Transactional: true}, oneRecord(1)), kafka.ErrInvalidTxnState, 0},
		{"sequence begins in the middle", "t", 9, -1, encoded(t, batch.BuilderOptions{Producer: &batch.Producer{ID: 6, BaseSequence: -1}}, oneRecord(1)), kafka.ErrInvalidRecord, 0},
	} {
		req := produceRequest(c2.acks, c2.topic, kafka.UUID{}, 0, c2.raw)
		req.Version = c2.version
		p := c.ask(req).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
		if got := kafka.ErrorCode(p.ErrorCode); got != c2.code || p.BaseOffset != -1 || len(p.ErrorRecords) != c2.blamed {
			t.Errorf("%s: %s at offset %d with %d records blamed, want %s and %d", c2.what, got, p.BaseOffset, len(p.ErrorRecords), c2.code, c2.blamed)
		}
	}
	unknown := produceRequest(1, "", kafka.UUID{1}, 0, records(t, batch.CodecNone, "x"))
	unknown.Version = 13
	if got := kafka.ErrorCode(c.ask(unknown).(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode); got != kafka.ErrUnknownTopicID {
		t.Errorf("unknown topic id: %s", got)
	}
	for _, topic := range []string{"t", "keyed", "young"} {
		if end := c.listOffset(topic, 0, -1).Offset; end != 0 {
			t.Errorf("%s has %d records of refused batches", topic, end)
		}
	}
}

func (c *client) listOffset(topic string, partition int32, timestamp int64) kmsg.ListOffsetsResponseTopicPartition {
	c.t.Helper()
	req := &kmsg.ListOffsetsRequest{Version: 7, ReplicaID: -1, Topics: []kmsg.ListOffsetsRequestTopic{{
		Topic: topic, Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Partition: partition, Timestamp: timestamp, CurrentLeaderEpoch: -1}},
	}}}
	return c.ask(req).(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]
}

// A topic's compression.type and timestamp type change the batch; what is
// read back has a right checksum (values checks it) and the same records.
func TestProduceRewrites(t *testing.T) {
	n := startNode(t, memfs.New())
	defer n.stop()
	c := n.client()
	for _, codec := range []batch.Codec{batch.CodecNone, batch.CodecGzip, batch.CodecSnappy, batch.CodecLZ4, batch.CodecZstd} {
		name := codec.String()
		kind := name
		if codec == batch.CodecNone {
			kind = "uncompressed"
		}
		c.createTopic(name, 1, anyAge, "compression.type="+kind)
		for _, from := range []batch.Codec{batch.CodecNone, batch.CodecLZ4, batch.CodecZstd} {
			if p := c.produce(name, 0, -1, records(t, from, "a", "b")); p.ErrorCode != 0 {
				t.Fatalf("%s to %s: %s", from, codec, kafka.ErrorCode(p.ErrorCode))
			}
		}
		raw := c.fetch(name, 0, 0).RecordBatches
		if got := fmt.Sprint(values(t, raw)); got != "[0=a 1=b 2=a 3=b 4=a 5=b]" {
			t.Errorf("%s: %s", codec, got)
		}
		for rest := raw; len(rest) > 0; {
			h, _, next, err := batch.Next(rest)
			if err != nil {
				t.Fatal(err)
			}
			if h.Codec() != codec {
				t.Errorf("a batch of topic %s is stored as %s", name, h.Codec())
			}
			rest = next
		}
	}
	c.createTopic("at", 1, "message.timestamp.type=LogAppendTime")
	p := c.produce("at", 0, 1, records(t, batch.CodecGzip, "a"))
	raw := c.fetch("at", 0, 0).RecordBatches
	h, _, _, err := batch.Next(raw)
	if err != nil {
		t.Fatal(err)
	}
	if len(values(t, raw)) != 1 || h.TimestampType() != batch.LogAppendTime || h.MaxTimestamp != p.LogAppendTime || p.LogAppendTime < 1_700_000_000_001 {
		t.Errorf("append time %d was answered, type %d and %d are stored", p.LogAppendTime, h.TimestampType(), h.MaxTimestamp)
	}
}

// Idempotent producers: a batch sent twice is acknowledged where it was
// appended, a gap is refused, also after a restart; an old epoch is fenced.
func TestIdempotentProducerOverRestart(t *testing.T) {
	fsys := memfs.New()
	n := startNode(t, fsys)
	c := n.client()
	c.createTopic("t", 1, anyAge)
	send := func(what string, epoch int16, sequence int32, code kafka.ErrorCode, offset int64) {
		t.Helper()
		raw := encoded(t, batch.BuilderOptions{Producer: &batch.Producer{ID: 77, Epoch: epoch, BaseSequence: sequence}}, oneRecord(1), oneRecord(2))
		p := c.produce("t", 0, -1, raw)
		if got := kafka.ErrorCode(p.ErrorCode); got != code || p.BaseOffset != offset {
			t.Errorf("%s: %s at %d, want %s at %d", what, got, p.BaseOffset, code, offset)
		}
	}
	send("first", 1, 0, kafka.ErrNone, 0)
	send("second", 1, 2, kafka.ErrNone, 2)
	send("first again", 1, 0, kafka.ErrNone, 0)
	send("gap", 1, 9, kafka.ErrOutOfOrderSequenceNumber, -1)
	n.stop()
	n = startNode(t, fsys)
	c = n.client()
	send("second again after a restart", 1, 2, kafka.ErrNone, 2)
	send("gap after a restart", 1, 9, kafka.ErrOutOfOrderSequenceNumber, -1)
	send("third", 1, 4, kafka.ErrNone, 4)
	send("older epoch", 0, 6, kafka.ErrInvalidProducerEpoch, -1)
	send("next epoch begins anew", 2, 0, kafka.ErrNone, 6)
	if end := c.listOffset("t", 0, -1).Offset; end != 8 {
		t.Errorf("the log ends at %d, want 8", end)
	}
	n.stop()
}

// A producer with five batches under way sends all of them again when the node
// was away before it answered: none is appended twice, none is out of order.
func TestPipelinedBatchesComeAgainAfterARestart(t *testing.T) {
	fsys := memfs.New()
	n := startNode(t, fsys)
	c := n.client()
	c.createTopic("t", 1, anyAge)
	const pipelined = 5
	send := func(c *client, what string, sequence int32) {
		t.Helper()
		raw := encoded(t, batch.BuilderOptions{Producer: &batch.Producer{ID: 77, BaseSequence: sequence}}, oneRecord(1))
		p := c.produce("t", 0, -1, raw)
		if code := kafka.ErrorCode(p.ErrorCode); code != kafka.ErrNone || p.BaseOffset != int64(sequence) {
			t.Errorf("%s, sequence %d: %s at %d", what, sequence, code, p.BaseOffset)
		}
	}
	for i := range int32(pipelined) {
		send(c, "first", i)
	}
	killed := fsys.Clone()
	n.stop()
	for what, left := range map[string]vfs.FS{"after a kill": killed, "after a stop": fsys} {
		for life := range uint64(2) { // the second takes over what the first made of it
			n := startIncarnation(t, left, 100+life)
			c := n.client()
			for i := range int32(pipelined) {
				send(c, what, i)
			}
			n.stop()
		}
	}
}

// acks=0 has no answer: the next request's comes at once. An error closes the
// connection.
func TestProduceWithoutAcks(t *testing.T) {
	n := startNode(t, memfs.New())
	defer n.stop()
	c := n.client()
	c.createTopic("t", 1, anyAge)
	send := func(topic string) {
		req := produceRequest(0, topic, kafka.UUID{}, 0, records(t, batch.CodecNone, "x"))
		req.Version = 9
		if _, err := c.conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, req, 999)); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		send("t")
	}
	// Nothing says when they are durable, and the latest offset is that of durable records.
	for deadline := time.Now().Add(patience); ; {
		end := c.listOffset("t", 0, -1).Offset
		if end == 3 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the log ends at %d behind three batches that were sent before", end)
		}
	}
	send("nowhere")
	if k, err := c.conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("after an error without acks: %d bytes, %v, want the end of the connection", k, err)
	}
}

// A partition that a request names twice gets both batches, in order, and two
// answers; topics and empty arrays keep their places.
func TestProducePartitionsTwice(t *testing.T) {
	n := startNode(t, memfs.New())
	defer n.stop()
	c := n.client()
	c.createTopic("t", 3, anyAge)
	part := func(index int32, value string) kmsg.ProduceRequestTopicPartition {
		return kmsg.ProduceRequestTopicPartition{Partition: index, Records: records(t, batch.CodecNone, value)}
	}
	req := &kmsg.ProduceRequest{Version: 9, Acks: -1, TimeoutMillis: 10_000, Topics: []kmsg.ProduceRequestTopic{
		{Topic: "t", Partitions: []kmsg.ProduceRequestTopicPartition{part(1, "a"), part(0, "b"), part(1, "c")}},
		{Topic: "nowhere", Partitions: []kmsg.ProduceRequestTopicPartition{part(0, "d")}},
		{Topic: "empty", Partitions: []kmsg.ProduceRequestTopicPartition{}},
		{Topic: "t", Partitions: []kmsg.ProduceRequestTopicPartition{part(1, "e"), part(9, "f")}},
	}}
	resp := c.ask(req).(*kmsg.ProduceResponse)
	got := ""
	for _, topic := range resp.Topics {
		got += topic.Topic + ":"
		for _, p := range topic.Partitions {
			got += fmt.Sprintf(" %d@%d/%d", p.Partition, p.BaseOffset, p.ErrorCode)
		}
		got += "; "
	}
	if want := "t: 1@0/0 0@0/0 1@1/0; nowhere: 0@-1/3; empty:; t: 1@2/0 9@-1/3; "; got != want {
		t.Errorf("answered %q, want %q", got, want)
	}
	if got := fmt.Sprint(values(t, c.fetch("t", 1, 0).RecordBatches)); got != "[0=a 1=c 2=e]" {
		t.Errorf("partition 1 holds %s", got)
	}
}
