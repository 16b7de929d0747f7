package broker_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"bytes"
	"encoding/binary"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker"
	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/clock/manual"
	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/net/memnet"
)

// patience bounds what a test waits for; it is no measurement.
const patience = 60 * time.Second

// eventLog keeps what a node reported at Warn or above.
type eventLog struct {
	mu    sync.Mutex
	lines []string
}

func (l *eventLog) Emit(e event.Event) {
	if e.Level() < slog.LevelWarn {
		return
	}
	var b strings.Builder
	b.WriteString(e.Kind())
	for _, a := range e.Attrs() {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, b.String())
}

func (l *eventLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// launch starts a node whose start may fail; the error is that of the start.
func launch(t *testing.T, fsys vfs.FS, seed uint64, events event.Sink, properties ...config.Property) (*node, error) {
	t.Helper()
	settings, _, err := config.Load(append([]config.Property{{Name: "log.dirs", Value: "data"}}, properties...))
	if err != nil {
		t.Fatal(err)
	}
	clk := sysclock.New()
	n := &node{t: t, net: memnet.New(clk), fs: fsys, ended: make(chan error, 1)}
	n.broker, err = broker.New(broker.Config{
		Settings: settings, FS: fsys, Network: n.net, Clock: clk, Entropy: manual.NewEntropy(seed), Events: events, Shards: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	go func() { n.ended <- n.broker.Run(ctx) }()
	select {
	case <-n.broker.Ready():
		return n, nil
	case err := <-n.ended:
		cancel()
		return nil, err
	}
}

// quit stops a node whose clean stop may fail.
func (n *node) quit() error {
	n.cancel()
	return <-n.ended
}

// multi produces raw to the partitions first to first+count-1 and returns
// their answers.
func (c *client) multi(topic string, first, count int32, timeoutMs int32, raw []byte) []kmsg.ProduceResponseTopicPartition {
	c.t.Helper()
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = 9, -1, timeoutMs
	tp := kmsg.NewProduceRequestTopic()
	tp.Topic = topic
	for i := range count {
		p := kmsg.NewProduceRequestTopicPartition()
		p.Partition, p.Records = first+i, raw
		tp.Partitions = append(tp.Partitions, p)
	}
	req.Topics = append(req.Topics, tp)
	return c.ask(req).(*kmsg.ProduceResponse).Topics[0].Partitions
}

// readAll fetches a partition from its beginning; the error says what kept it
// from being read to its end.
func (c *client) readAll(topic string, partition int32) (all []string, err error) {
	c.t.Helper()
	for offset := int64(0); ; {
		p := c.fetch(topic, partition, offset)
		if p.ErrorCode != 0 {
			return all, fmt.Errorf("%s-%d at %d: %w", topic, partition, offset, kafka.ErrorCode(p.ErrorCode))
		}
		got, next, err := parseRun(p.RecordBatches)
		all = append(all, got...)
		if err != nil {
			return all, fmt.Errorf("%s-%d at %d: %w", topic, partition, offset, err)
		}
		if offset = max(offset, next); offset >= p.HighWatermark {
			return all, nil
		}
		if len(got) == 0 {
			return all, fmt.Errorf("%s-%d: nothing at %d below the high watermark %d", topic, partition, offset, p.HighWatermark)
		}
	}
}

// parseRun takes a fetched run of batches apart; a last one that is cut off is
// left out.
func parseRun(raw []byte) (values []string, next int64, err error) {
	codecs := batch.NewCodecs(batch.Limits{})
	for len(raw) >= 12 && len(raw) >= 12+int(binary.BigEndian.Uint32(raw[8:])) {
		h, b, rest, err := batch.Next(raw)
		if err == nil {
			err = batch.CheckCRC(b)
		}
		if err != nil {
			return values, next, err
		}
		body, err := codecs.Body(h, b)
		if err != nil {
			return values, next, err
		}
		for it := batch.Records(h, bytes.Clone(body)); ; {
			r, ok, err := it.Next()
			if err != nil {
				return values, next, err
			}
			if !ok {
				break
			}
			values = append(values, string(r.Value))
			next = r.Offset + 1
		}
		raw = rest
	}
	return values, next, nil
}

// commit commits an offset of a group without members.
func (c *client) commit(group, topic string, partition int32, at int64) kafka.ErrorCode {
	c.t.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.Generation = 8, group, -1
	tp := kmsg.NewOffsetCommitRequestTopic()
	tp.Topic = topic
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset, p.LeaderEpoch = partition, at, -1
	tp.Partitions = append(tp.Partitions, p)
	req.Topics = append(req.Topics, tp)
	for deadline := time.Now().Add(patience); ; {
		code := kafka.ErrorCode(c.ask(req).(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode)
		if code != kafka.ErrCoordinatorLoadInProgress || time.Now().After(deadline) {
			return code
		}
	}
}

// committed is a group's offset, asked again while the coordinator loads.
func (c *client) committed(group, topic string, partition int32) (int64, error) {
	c.t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version, req.Group = 7, group
	tp := kmsg.NewOffsetFetchRequestTopic()
	tp.Topic, tp.Partitions = topic, []int32{partition}
	req.Topics = append(req.Topics, tp)
	for deadline := time.Now().Add(patience); ; {
		resp := c.ask(req).(*kmsg.OffsetFetchResponse)
		code := kafka.ErrorCode(resp.ErrorCode)
		if code == kafka.ErrNone {
			p := resp.Topics[0].Partitions[0]
			return p.Offset, nil
		}
		if time.Now().After(deadline) || code != kafka.ErrCoordinatorLoadInProgress && code != kafka.ErrNotCoordinator && code != kafka.ErrCoordinatorNotAvailable {
			return -1, code
		}
	}
}

// findCoordinator makes the groups' topic.
func (c *client) findCoordinator(group string) {
	c.t.Helper()
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.Version, req.CoordinatorKeys = 4, []string{group}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if c.ask(req).(*kmsg.FindCoordinatorResponse).Coordinators[0].ErrorCode == 0 {
			return
		}
	}
	c.t.Fatalf("no coordinator of %s", group)
}
