package attack

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/batch"
)

// patience bounds one step of a test; it is no measurement.
const patience = 60 * time.Second

// wire is a client that speaks the protocol itself, one request at a time.
type wire struct {
	conn net.Conn
	next int32
}

func dialWire(addr string) (*wire, error) {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	return &wire{conn: c}, nil
}

func mustDial(t *testing.T, addr string) *wire {
	t.Helper()
	w, err := dialWire(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.conn.Close() })
	return w
}

func (w *wire) frame(req kmsg.Request) []byte {
	w.next++
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("attack")).AppendRequest(nil, req, w.next)
}

func (w *wire) send(req kmsg.Request) error {
	_, err := w.conn.Write(w.frame(req))
	return err
}

// receive reads the next answer's correlation id and bytes.
func (w *wire) receive() (int32, []byte, error) {
	if err := w.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return 0, nil, err
	}
	var head [4]byte
	if _, err := io.ReadFull(w.conn, head[:]); err != nil {
		return 0, nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(w.conn, b); err != nil {
		return 0, nil, err
	}
	if len(b) < 4 {
		return 0, nil, errors.New("an answer without a correlation id")
	}
	return int32(binary.BigEndian.Uint32(b)), b[4:], nil
}

// ask sends req at its version and decodes the answer.
func (w *wire) ask(req kmsg.Request) (kmsg.Response, error) {
	if err := w.send(req); err != nil {
		return nil, err
	}
	id, b, err := w.receive()
	if err != nil {
		return nil, err
	}
	if id != w.next {
		return nil, fmt.Errorf("answer to %d, want %d", id, w.next)
	}
	return decodeAnswer(req, b)
}

func decodeAnswer(req kmsg.Request, b []byte) (kmsg.Response, error) {
	if req.IsFlexible() && req.Key() != 18 {
		if len(b) == 0 {
			return nil, io.ErrUnexpectedEOF
		}
		b = b[1:]
	}
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	return resp, resp.ReadFrom(b)
}

func (w *wire) mustAsk(t *testing.T, req kmsg.Request) kmsg.Response {
	t.Helper()
	resp, err := w.ask(req)
	if err != nil {
		t.Fatalf("%T: %v", req, err)
	}
	return resp
}

// oneBatch encodes a batch of the values, uncompressed.
func oneBatch(values ...string) []byte {
	b := batch.NewBuilder(batch.BuilderOptions{})
	for _, v := range values {
		if err := b.Append(batch.NewRecord{Timestamp: 1_700_000_000_000, Value: []byte(v)}); err != nil {
			panic(err) // values of tests fit
		}
	}
	raw, err := b.Build(batch.NewCodecs(batch.Limits{}))
	if err != nil {
		panic(err) // nothing is compressed
	}
	return raw
}

// produceOf is a request for the partitions first to first+count-1 of topic.
func produceOf(topic string, first, count int32, acks int16, raw []byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = 9, acks, 30_000
	tp := kmsg.NewProduceRequestTopic()
	tp.Topic = topic
	for i := range count {
		p := kmsg.NewProduceRequestTopicPartition()
		p.Partition, p.Records = first+i, raw
		tp.Partitions = append(tp.Partitions, p)
	}
	req.Topics = append(req.Topics, tp)
	return req
}

func (w *wire) createTopic(t *testing.T, name string, partitions int32, configs ...[2]string) [16]byte {
	t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = 7, 30_000
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, partitions, -1
	for _, kv := range configs {
		cfg := kmsg.NewCreateTopicsRequestTopicConfig()
		cfg.Name, cfg.Value = kv[0], &kv[1]
		topic.Configs = append(topic.Configs, cfg)
	}
	req.Topics = append(req.Topics, topic)
	resp := w.mustAsk(t, req).(*kmsg.CreateTopicsResponse)
	if resp.Topics[0].ErrorCode != 0 {
		t.Fatalf("create %s: error %d", name, resp.Topics[0].ErrorCode)
	}
	return resp.Topics[0].TopicID
}

// produce sends one batch and returns code and base offset.
func (w *wire) produce(topic string, partition int32, raw []byte) (int16, int64, error) {
	resp, err := w.ask(produceOf(topic, partition, 1, -1, raw))
	if err != nil {
		return 0, 0, err
	}
	p := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	return p.ErrorCode, p.BaseOffset, nil
}
