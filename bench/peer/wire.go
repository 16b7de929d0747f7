package peer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/moldau/moldau/broker/batch"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Wire is one connection that sends a request and reads its answer.
type Wire struct {
	conn net.Conn
	next int32
}

const (
	// answerTimeout bounds the wait for one answer.
	answerTimeout = time.Minute
	// answerBytesMax bounds an answer's length.
	answerBytesMax = 64 << 20
)

// Dial connects.
func Dial(addr string) (*Wire, error) {
	conn, err := net.DialTimeout("tcp", addr, answerTimeout)
	if err != nil {
		return nil, err
	}
	return &Wire{conn: conn}, nil
}

// Close closes the connection.
func (w *Wire) Close() { _ = w.conn.Close() } // nothing is lost

// Ask sends a request, whose version is set, and reads the answer.
func (w *Wire) Ask(request kmsg.Request) (kmsg.Response, error) {
	w.next++
	frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("moldau-bench")).AppendRequest(nil, request, w.next)
	if err := w.conn.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return nil, err
	}
	if _, err := w.conn.Write(frame); err != nil {
		return nil, err
	}
	var head [4]byte
	if _, err := io.ReadFull(w.conn, head[:]); err != nil {
		return nil, err
	}
	n := int32(binary.BigEndian.Uint32(head[:]))
	if n < 4 || n > answerBytesMax {
		return nil, fmt.Errorf("an answer of %d bytes", n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(w.conn, body); err != nil {
		return nil, err
	}
	if id := int32(binary.BigEndian.Uint32(body)); id != w.next {
		return nil, fmt.Errorf("the answer to request %d, not %d", id, w.next)
	}
	body = body[4:]
	if request.IsFlexible() {
		if body[0] != 0 {
			return nil, errors.New("an answer with tags in its header")
		}
		body = body[1:]
	}
	response := request.ResponseKind()
	return response, response.ReadFrom(body)
}

// Versions that are the same for both systems and not flexible.
const (
	metadataVersion     = 8
	listOffsetsVersion  = 5
	produceVersion      = 8
	createTopicsVersion = 4
)

// Metadata asks for the brokers and, by all, for all topics. It fails unless
// the answer names a broker.
func (w *Wire) Metadata(all bool) (*kmsg.MetadataResponse, error) {
	request := kmsg.NewPtrMetadataRequest()
	request.Version = metadataVersion
	if !all {
		request.Topics = []kmsg.MetadataRequestTopic{}
	}
	answer, err := w.Ask(request)
	if err != nil {
		return nil, err
	}
	m := answer.(*kmsg.MetadataResponse)
	if len(m.Brokers) == 0 {
		return nil, errors.New("no broker yet")
	}
	return m, nil
}

// Topic asks for the partitions of a topic, in no order.
func (w *Wire) Topic(name string) ([]kmsg.MetadataResponseTopicPartition, error) {
	request := kmsg.NewPtrMetadataRequest()
	request.Version = metadataVersion
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &name
	request.Topics = append(request.Topics, t)
	answer, err := w.Ask(request)
	if err != nil {
		return nil, err
	}
	topics := answer.(*kmsg.MetadataResponse).Topics
	if len(topics) != 1 || topics[0].ErrorCode != 0 {
		return nil, fmt.Errorf("%s is not known", name)
	}
	return topics[0].Partitions, nil
}

// EndOffsets asks where the partitions 0 to n-1 of a topic end. It fails
// unless every one of them answers.
func (w *Wire) EndOffsets(topic string, n int) ([]int64, error) {
	partitions := make([]int32, n)
	for i := range partitions {
		partitions[i] = int32(i)
	}
	ends, err := w.Ends(topic, partitions)
	if err != nil {
		return nil, err
	}
	out := make([]int64, n)
	for i := range out {
		out[i] = ends[int32(i)]
	}
	return out, nil
}

// Ends asks where partitions of a topic end that the server leads. It fails
// unless every one of them answers.
func (w *Wire) Ends(topic string, partitions []int32) (map[int32]int64, error) {
	request := kmsg.NewPtrListOffsetsRequest()
	request.Version = listOffsetsVersion
	request.ReplicaID = -1
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for _, i := range partitions {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = i, -1
		t.Partitions = append(t.Partitions, p)
	}
	request.Topics = append(request.Topics, t)
	answer, err := w.Ask(request)
	if err != nil {
		return nil, err
	}
	served := make(map[int32]int64, len(partitions))
	for _, t := range answer.(*kmsg.ListOffsetsResponse).Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode == 0 {
				served[p.Partition] = p.Offset
			}
		}
	}
	for _, i := range partitions {
		if _, ok := served[i]; !ok {
			return nil, fmt.Errorf("%d of %d partitions are served", len(served), len(partitions))
		}
	}
	return served, nil
}

// createTimeout is how long a server may take to make a topic.
const createTimeout = 30 * time.Second

// CreateTopic makes a topic with so many replicas of each partition, of which
// a majority has to have what is acknowledged.
func (w *Wire) CreateTopic(name string, partitions int32, replicas int16) error {
	request := kmsg.NewPtrCreateTopicsRequest()
	request.Version, request.TimeoutMillis = createTopicsVersion, int32(createTimeout.Milliseconds())
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, replicas
	insync := strconv.Itoa(int(replicas)/2 + 1)
	t.Configs = append(t.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: "min.insync.replicas", Value: &insync})
	request.Topics = append(request.Topics, t)
	answer, err := w.Ask(request)
	if err != nil {
		return err
	}
	topics := answer.(*kmsg.CreateTopicsResponse).Topics
	if len(topics) != 1 || topics[0].ErrorCode != 0 {
		return fmt.Errorf("create %s: the answer is %+v", name, topics)
	}
	return nil
}

// produceTimeout is how long a server may take to acknowledge what Produce sends.
const produceTimeout = 5 * time.Second

// Produce sends one small record to each of the partitions of a topic, with
// acks=all, and returns those that have not acknowledged theirs.
func (w *Wire) Produce(topic string, partitions []int32) (left []int32, err error) {
	records, err := lone()
	if err != nil {
		return partitions, err
	}
	request := kmsg.NewPtrProduceRequest()
	request.Version, request.Acks, request.TimeoutMillis = produceVersion, -1, int32(produceTimeout.Milliseconds())
	t := kmsg.NewProduceRequestTopic()
	t.Topic = topic
	for _, i := range partitions {
		p := kmsg.NewProduceRequestTopicPartition()
		p.Partition, p.Records = i, records
		t.Partitions = append(t.Partitions, p)
	}
	request.Topics = append(request.Topics, t)
	answer, err := w.Ask(request)
	if err != nil {
		return partitions, err
	}
	acked := make(map[int32]bool, len(partitions))
	for _, t := range answer.(*kmsg.ProduceResponse).Topics {
		for _, p := range t.Partitions {
			acked[p.Partition] = p.ErrorCode == 0
		}
	}
	for _, i := range partitions {
		if !acked[i] {
			left = append(left, i)
		}
	}
	return left, nil
}

// lone is a batch of one record.
func lone() ([]byte, error) {
	var b batch.Builder
	b.Reset(batch.BuilderOptions{})
	if err := b.Append(batch.NewRecord{Timestamp: time.Now().UnixMilli(), Value: []byte("here")}); err != nil {
		return nil, err
	}
	return b.Build(batch.NewCodecs(batch.Limits{}))
}
