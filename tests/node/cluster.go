package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// Nodes of a cluster, 1 to Nodes; each is broker and controller.
	Nodes = 3
	// The ports are drawn below those that the kernel gives to whoever connects,
	// so that nobody takes one while its node is down.
	portFirst, portCount = 12000, 20000
	// startsMax bounds how often a cluster draws its ports.
	startsMax = 5
)

// Cluster is three processes that are one cluster. Nodes are named by their ids.
// Its methods are for one goroutine.
type Cluster struct {
	t     testing.TB
	flags []string
	at    [Nodes + 1]place
	nodes [Nodes + 1]*Node // nil while one is down
	logs  [Nodes + 1]*logBuffer
	pids  [Nodes + 1]atomic.Int64 // 0 while one is down
	wires *Wires                  // nil for a cluster without
}

// place is where a node is, whichever process that is: where it listens, and
// where it is reached.
type place struct{ data, kafka, controller, kafkaReached, controllerReached string }

// StartCluster starts three nodes, with more flags of `moldau start` for each,
// and waits until all serve. They are killed at the end of the test.
func StartCluster(t testing.TB, flags ...string) *Cluster {
	t.Helper()
	return startCluster(t, &Cluster{t: t, flags: flags})
}

// StartWired is StartCluster of nodes that are reached through wires.
func StartWired(t testing.TB, flags ...string) (*Cluster, *Wires) {
	t.Helper()
	c := &Cluster{t: t, flags: flags}
	c.wires = newWires(func(id int32) int { return int(c.pids[id].Load()) })
	t.Cleanup(c.wires.close)
	return startCluster(t, c), c.wires
}

func startCluster(t testing.TB, c *Cluster) *Cluster {
	t.Helper()
	var err error
	for range startsMax {
		if err = c.place(); err == nil {
			err = c.Restart(1, 2, 3)
		}
		if err == nil || !strings.Contains(err.Error(), "address already in use") {
			break
		}
		c.KillAll()
	}
	t.Cleanup(func() {
		c.KillAll()
		if t.Failed() {
			for id := 1; id <= Nodes; id++ {
				if c.logs[id] != nil {
					t.Logf("end of node %d's log:\n%s", id, c.logs[id].tail())
				}
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// place draws addresses and directories.
func (c *Cluster) place() error {
	dir := c.t.TempDir()
	for id := 1; id <= Nodes; id++ {
		at := place{data: filepath.Join(dir, fmt.Sprint("node-", id))}
		for _, address := range []*string{&at.kafka, &at.controller} {
			var err error
			if *address, err = freeAddress(); err != nil {
				return err
			}
		}
		if err := c.wired(int32(id), &at); err != nil {
			return err
		}
		c.at[id] = at
	}
	return nil
}

// wired says where a node is reached.
func (c *Cluster) wired(id int32, at *place) (err error) {
	at.kafkaReached, at.controllerReached = at.kafka, at.controller
	if c.wires == nil {
		return nil
	}
	if at.kafkaReached, err = c.wires.open(id, at.kafka); err != nil {
		return err
	}
	at.controllerReached, err = c.wires.open(id, at.controller)
	return err
}

// freeAddress finds a port that nobody listens on now.
func freeAddress() (string, error) {
	var last error
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", portFirst+rand.IntN(portCount))
		l, err := net.Listen("tcp", address)
		if err != nil {
			last = err
			continue
		}
		return address, l.Close()
	}
	return "", last
}

// voters is the quorum as each node is told it.
func (c *Cluster) voters() string {
	var all []string
	for id := 1; id <= Nodes; id++ {
		all = append(all, fmt.Sprintf("%d@%s", id, c.at[id].controllerReached))
	}
	return strings.Join(all, ",")
}

// Restart starts nodes that are down, all at once, and waits until they serve.
func (c *Cluster) Restart(ids ...int32) error {
	var wg sync.WaitGroup
	errs := make([]error, len(ids))
	for i, id := range ids {
		at := c.at[id]
		flags := append([]string{
			"--node-id", fmt.Sprint(id), "--listen", at.kafka, "--controller-listen", at.controller, "--voters", c.voters(), "--advertise", at.kafkaReached,
		}, c.flags...)
		wg.Go(func() {
			var n *Node
			if n, errs[i] = start(Binary(c.t), Options{Data: at.data, Flags: flags, log: c.log(id), pid: &c.pids[id]}); errs[i] == nil {
				c.nodes[id] = n
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// log is the node's log over all its processes.
func (c *Cluster) log(id int32) *logBuffer {
	if c.logs[id] == nil {
		c.logs[id] = &logBuffer{began: make(chan struct{})}
	}
	return c.logs[id]
}

// Log is what the processes of a node wrote to their standard error, its end.
func (c *Cluster) Log(id int32) string { return c.logs[id].String() }

// Node is the process of a node, nil while it is down.
func (c *Cluster) Node(id int32) *Node { return c.nodes[id] }

// Up are the nodes that have a process.
func (c *Cluster) Up() []int32 {
	var up []int32
	for id := int32(1); id <= Nodes; id++ {
		if c.nodes[id] != nil {
			up = append(up, id)
		}
	}
	return up
}

// Fallen is an error if a node has ended that nobody ended.
func (c *Cluster) Fallen() error {
	for _, id := range c.Up() {
		n := c.nodes[id]
		select {
		case <-n.done:
			lines := strings.Split(strings.TrimSpace(n.Log()), "\n")
			return fmt.Errorf("node %d ended by itself (%v): %s", id, n.err, lines[len(lines)-1])
		default:
		}
	}
	return nil
}

// Kill ends nodes with SIGKILL.
func (c *Cluster) Kill(ids ...int32) {
	for _, id := range ids {
		if n := c.nodes[id]; n != nil {
			n.Kill()
			c.nodes[id] = nil
			c.pids[id].Store(0)
		}
	}
}

// KillAll ends all that run.
func (c *Cluster) KillAll() { c.Kill(c.Up()...) }

// Stop ends a node with SIGTERM.
func (c *Cluster) Stop(id int32) error {
	n := c.nodes[id]
	c.nodes[id] = nil
	defer c.pids[id].Store(0)
	if err := n.Stop(); err != nil {
		return fmt.Errorf("node %d: %w", id, err)
	}
	return nil
}

// Kafka are the addresses for clients, of nodes that are down too.
func (c *Cluster) Kafka() []string {
	var all []string
	for id := 1; id <= Nodes; id++ {
		all = append(all, c.at[id].kafkaReached)
	}
	return all
}

// Seeds is Kafka as the tools of the command line take it.
func (c *Cluster) Seeds() string { return strings.Join(c.Kafka(), ",") }

// ActiveController asks a client's cluster who it is.
func ActiveController(ctx context.Context, client *kgo.Client) (int32, error) {
	req := kmsg.NewPtrDescribeQuorumRequest()
	topic := kmsg.NewDescribeQuorumRequestTopic()
	topic.Topic = "__cluster_metadata"
	topic.Partitions = append(topic.Partitions, kmsg.NewDescribeQuorumRequestTopicPartition())
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return -1, err
	}
	if resp.ErrorCode != 0 || len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 || resp.Topics[0].Partitions[0].ErrorCode != 0 {
		return -1, fmt.Errorf("describe the quorum: %+v", resp)
	}
	return resp.Topics[0].Partitions[0].LeaderID, nil
}

// Whole reports whether every partition of the topics has a leader and all of
// its replicas in sync; text says what is missing.
func Whole(ctx context.Context, client *kgo.Client, topics ...string) (text string, err error) {
	req := kmsg.NewPtrMetadataRequest()
	for _, name := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &name
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return "", err
	}
	for _, t := range resp.Topics {
		if t.ErrorCode != 0 {
			return fmt.Sprintf("%s: error %d", *t.Topic, t.ErrorCode), nil
		}
		for _, p := range t.Partitions {
			isr := slices.Clone(p.ISR)
			replicas := slices.Clone(p.Replicas)
			slices.Sort(isr)
			slices.Sort(replicas)
			if p.Leader < 0 || !slices.Equal(isr, replicas) {
				return fmt.Sprintf("%s-%d: leader %d, replicas %v, in sync %v", *t.Topic, p.Partition, p.Leader, p.Replicas, p.ISR), nil
			}
		}
	}
	return "", nil
}
