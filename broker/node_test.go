package broker_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/moldau/moldau/broker"
	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/clock/manual"
	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/net/memnet"
	"github.com/moldau/moldau/net/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node is a Broker on memory alone.
type node struct {
	t      *testing.T
	net    *memnet.Network
	fs     vfs.FS
	broker *broker.Broker
	events *testLog
	cancel context.CancelFunc
	ended  chan error
}

type testLog struct {
	t     testing.TB
	mu    sync.Mutex
	lines []string
	over  bool // the test has ended
}

// newTestLog is a log for one test. Goroutines of raft's that have a connection
// to end may say so when the test has ended, which a test must not log then.
func newTestLog(t testing.TB) *testLog {
	l := &testLog{t: t}
	t.Cleanup(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.over = true
	})
	return l
}

// has reports whether an event was emitted whose text contains s.
func (l *testLog) has(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.lines, func(line string) bool { return strings.Contains(line, s) })
}

func (l *testLog) Emit(e event.Event) {
	if e.Level() < slog.LevelInfo {
		return
	}
	var b strings.Builder
	for _, a := range e.Attrs() {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, e.Kind()+b.String())
	if e.Level() >= slog.LevelWarn && !l.over {
		l.t.Logf("%s %s%s", e.Level(), e.Kind(), b.String())
	}
}

// startNode runs a node with the properties on fsys until stop.
func startNode(t *testing.T, fsys vfs.FS, properties ...config.Property) *node {
	t.Helper()
	return startIncarnation(t, fsys, 7, properties...)
}

// startIncarnation starts a node that draws from a seed: one that starts for
// the third time on its files must not draw what it drew the second time.
func startIncarnation(t *testing.T, fsys vfs.FS, seed uint64, properties ...config.Property) *node {
	t.Helper()
	settings, _, err := config.Load(append([]config.Property{{Name: "log.dirs", Value: "data"}}, properties...))
	if err != nil {
		t.Fatal(err)
	}
	clk := clock.Clock(sysclock.New())
	n := &node{t: t, net: memnet.New(clk), fs: fsys, events: newTestLog(t), ended: make(chan error, 1)}
	n.broker, err = broker.New(broker.Config{
		Settings: settings, FS: fsys, Network: n.net, Clock: clk, Entropy: manual.NewEntropy(seed), Events: n.events, Shards: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	go func() { n.ended <- n.broker.Run(ctx) }()
	select {
	case <-n.broker.Ready():
	case err := <-n.ended:
		t.Fatalf("the node did not start: %v", err)
	}
	return n
}

func (n *node) stop() {
	n.t.Helper()
	n.cancel()
	if err := <-n.ended; err != nil {
		n.t.Fatalf("the node did not stop cleanly: %v", err)
	}
}

// client speaks to one listener, one request at a time.
type client struct {
	t    testing.TB
	conn transport.Conn
	next int32
}

func (n *node) client() *client { return n.clientAt(n.broker.Addr()) }

// clientAt speaks to the listener at an address.
func (n *node) clientAt(addr string) *client {
	n.t.Helper()
	c, err := n.net.Dial(addr, time.Second, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = c.Close() })
	return &client{t: n.t, conn: c}
}

// ask sends req at its version and decodes the answer.
func (c *client) ask(req kmsg.Request) kmsg.Response {
	c.t.Helper()
	c.next++
	frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("test")).AppendRequest(nil, req, c.next)
	if _, err := c.conn.Write(frame); err != nil {
		c.t.Fatalf("%T: %v", req, err)
	}
	var size [4]byte
	if _, err := io.ReadFull(c.conn, size[:]); err != nil {
		c.t.Fatalf("%T: %v", req, err)
	}
	b := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c.conn, b); err != nil {
		c.t.Fatalf("%T: %v", req, err)
	}
	if got := int32(binary.BigEndian.Uint32(b)); got != c.next {
		c.t.Fatalf("%T: answer to %d, want %d", req, got, c.next)
	}
	b = b[4:]
	if req.IsFlexible() && req.Key() != 18 {
		b = b[1:]
	}
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	if err := resp.ReadFrom(b); err != nil {
		c.t.Fatalf("%T v%d: %v: %x", resp, resp.GetVersion(), err, b)
	}
	if again := resp.AppendTo(nil); !bytes.Equal(again, b) {
		c.t.Errorf("%T v%d is not encoded as it decodes:\n%x\n%x", resp, resp.GetVersion(), b, again)
	}
	return resp
}

func (c *client) createTopic(name string, partitions int32, configs ...string) kafka.UUID {
	c.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = 7, 10_000
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, partitions, -1
	for _, kv := range configs {
		k, v, _ := strings.Cut(kv, "=")
		cfg := kmsg.NewCreateTopicsRequestTopicConfig()
		cfg.Name, cfg.Value = k, &v
		topic.Configs = append(topic.Configs, cfg)
	}
	req.Topics = append(req.Topics, topic)
	resp := c.ask(req).(*kmsg.CreateTopicsResponse)
	if code := kafka.ErrorCode(resp.Topics[0].ErrorCode); code != kafka.ErrNone {
		c.t.Fatalf("create %s: %s", name, code)
	}
	return kafka.UUID(resp.Topics[0].TopicID)
}
