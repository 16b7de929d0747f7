package broker_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/disk/memfs"
)

// tailed is a request with bytes after its last field.
type tailed struct {
	kmsg.Request
	tail []byte
}

func (r tailed) AppendTo(b []byte) []byte { return append(r.Request.AppendTo(b), r.tail...) }

// Kafka ignores what follows a request's body, and clients rely on it.
func TestBytesAfterTheBodyAreIgnored(t *testing.T) {
	n := startNode(t, memfs.New())
	defer n.stop()
	c := n.client()
	id := c.createTopic("t", 1)
	tail := []byte{1, 2, 3, 4, 5}

	produce := kmsg.NewPtrProduceRequest()
	produce.Version, produce.Acks, produce.TimeoutMillis = 13, -1, 10_000
	part := kmsg.NewProduceRequestTopicPartition()
	part.Records = records(t, batch.CodecNone, "v")
	topic := kmsg.NewProduceRequestTopic()
	topic.TopicID, topic.Partitions = id, append(topic.Partitions, part)
	produce.Topics = append(produce.Topics, topic)
	written := c.ask(tailed{produce, tail}).(*kmsg.ProduceResponse)
	if code := kafka.ErrorCode(written.Topics[0].Partitions[0].ErrorCode); code != kafka.ErrNone {
		t.Errorf("produce: %s", code)
	}

	fetch := kmsg.NewPtrFetchRequest()
	fetch.Version, fetch.MaxBytes = 13, 1<<20
	asked := kmsg.NewFetchRequestTopicPartition()
	asked.PartitionMaxBytes = 1 << 20
	from := kmsg.NewFetchRequestTopic()
	from.TopicID, from.Partitions = id, append(from.Partitions, asked)
	fetch.Topics = append(fetch.Topics, from)
	read := c.ask(tailed{fetch, tail}).(*kmsg.FetchResponse)
	if len(read.Topics) != 1 || len(read.Topics[0].Partitions[0].RecordBatches) == 0 {
		t.Errorf("fetch: %+v", read)
	}

	for _, req := range []kmsg.Request{
		kmsg.NewPtrApiVersionsRequest(), kmsg.NewPtrListGroupsRequest(), kmsg.NewPtrFindCoordinatorRequest(),
		kmsg.NewPtrHeartbeatRequest(), kmsg.NewPtrInitProducerIDRequest(),
	} {
		c.ask(tailed{req, tail})
	}
}

// wideNull is librdkafka's request for all topics at version 9 and later: the
// null array takes four bytes where one stands for it.
type wideNull struct{ kmsg.Request }

func (wideNull) AppendTo(b []byte) []byte { return append(b, 0, 0, 0, 0, 0, 0, 0) }

func TestMetadataOfAllTopicsAsLibrdkafkaAsks(t *testing.T) {
	n := startNode(t, memfs.New())
	defer n.stop()
	c := n.client()
	c.createTopic("t", 1)
	for v := int16(9); v <= 13; v++ {
		req := kmsg.NewPtrMetadataRequest()
		req.Version = v
		resp := c.ask(wideNull{req}).(*kmsg.MetadataResponse)
		if len(resp.Topics) != 1 || *resp.Topics[0].Topic != "t" {
			t.Errorf("v%d: %d topics", v, len(resp.Topics))
		}
	}
}
