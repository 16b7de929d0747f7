package broker_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/observe"
)

// unannounced stops a node as a kill of its process does for the others.
var unannounced = config.Property{Name: "controlled.shutdown.enable", Value: "false"}

// replicated starts three nodes whose stops are not announced.
func replicated(t *testing.T) *cluster {
	c := newCluster(t)
	for id := int32(1); id <= 3; id++ {
		c.comeBack(id)
	}
	for id := int32(1); id <= 3; id++ {
		c.nodes[id].awaitReady()
	}
	return c
}

// comeBack starts a node of a replicated cluster.
func (c *cluster) comeBack(id int32) *node {
	return c.begin(id, config.Property{Name: "controller.quorum.voters", Value: threeVoters}, unannounced,
		config.Property{Name: "offsets.topic.num.partitions", Value: "1"},
		config.Property{Name: "group.initial.rebalance.delay.ms", Value: "0"})
}

// any is a node that runs.
func (c *cluster) any() *node {
	for id := int32(1); id <= 3; id++ {
		if n := c.nodes[id]; n != nil {
			return n
		}
	}
	c.t.Fatal("no node runs")
	return nil
}

// seen is a partition as a node that runs shows it.
func (c *cluster) seen(topic string) kmsg.MetadataResponseTopicPartition {
	c.t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 12
	rt := kmsg.NewMetadataRequestTopic()
	rt.Topic = &topic
	req.Topics = append(req.Topics, rt)
	cl := c.any().client()
	defer cl.conn.Close()
	resp := cl.ask(req).(*kmsg.MetadataResponse)
	if len(resp.Topics[0].Partitions) != 1 {
		return kmsg.MetadataResponseTopicPartition{Leader: -1}
	}
	return resp.Topics[0].Partitions[0]
}

// append writes a record with acks=all at the leader, whoever that is, until it
// is taken; a try whose outcome is not known counts as not taken, so that a
// record may be there twice.
func (c *cluster) append(topic, value string) {
	c.t.Helper()
	c.await("an ack for "+value, func() bool {
		p := c.seen(topic)
		n := c.nodes[p.Leader]
		if n == nil {
			return false
		}
		cl := n.client()
		defer cl.conn.Close()
		return cl.produce(topic, 0, -1, records(c.t, batch.CodecNone, value)).ErrorCode == 0
	})
}

// readAll reads a topic's only partition at one node up to its high watermark.
func (n *node) readAll(topic string) (out []string) {
	n.t.Helper()
	cl := n.client()
	defer cl.conn.Close()
	for at := int64(0); ; {
		a := cl.fetchAt(topic, at)
		if a.ErrorCode != 0 {
			n.t.Fatalf("read %s at %d: %s", topic, at, kafka.ErrorCode(a.ErrorCode))
		}
		got := values(n.t, a.RecordBatches)
		if out = append(out, got...); len(got) == 0 {
			return out
		}
		at += int64(len(got))
	}
}

// fetchAt reads without waiting.
func (c *client) fetchAt(topic string, offset int64) kmsg.FetchResponseTopicPartition {
	c.t.Helper()
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxBytes, req.SessionEpoch = 11, 1<<20, -1
	tp := kmsg.NewFetchRequestTopic()
	tp.Topic = topic
	p := kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = offset, 1<<20, -1
	tp.Partitions = append(tp.Partitions, p)
	req.Topics = append(req.Topics, tp)
	return c.ask(req).(*kmsg.FetchResponse).Topics[0].Partitions[0]
}

// TestLeadersAreKilled: over kills of every leader in turn no record that was
// acked is lost, ISR shrinks and is whole again, and all replicas are the same.
func TestLeadersAreKilled(t *testing.T) {
	c := replicated(t)
	c.any().client().createTopicRF("t", 3)
	want := 0
	write := func() {
		t.Helper()
		for range 5 {
			c.append("t", fmt.Sprint("v", want))
			want++
		}
	}
	write()
	for range 3 {
		leader := c.seen("t").Leader
		c.stop(leader)
		write()
		if isr := c.seen("t").ISR; slices.Contains(isr, leader) {
			t.Fatalf("ISR %v has %d, which was killed", isr, leader)
		}
		c.comeBack(leader).awaitReady()
		c.await("ISR of three", func() bool { return len(c.seen("t").ISR) == 3 })
	}
	write()
	all := c.nodes[c.seen("t").Leader].readAll("t")
	next := 0
	for _, v := range all { // a record may be there twice
		if _, value, _ := cut(v); value == fmt.Sprint("v", next) {
			next++
		}
	}
	if next != want {
		t.Fatalf("%d of %d records are there: %q", next, want, all)
	}
	for id, n := range c.nodes {
		c.await("the same records everywhere", func() bool { return slices.Equal(n.readAll("t"), all) })
		var s observe.Snapshot
		n.broker.Snapshot(&s)
		if s.Replication.BytesIn+s.Replication.BytesOut == 0 {
			t.Errorf("node %d replicated nothing: %+v", id, s.Replication)
		}
	}
	c.stopAll()
}

// cut takes "offset=value" apart.
func cut(s string) (offset, value string, ok bool) {
	for i := range s {
		if s[i] == '=' {
			return s[:i], s[i+1:], true
		}
	}
	return "", s, false
}

// TestOffsetsOutliveTheirCoordinator: committed offsets are there at the broker
// that leads the offsets partition next, and the one before serves them no more.
func TestOffsetsOutliveTheirCoordinator(t *testing.T) {
	c := replicated(t)
	c.any().client().createTopicRF("t", 3)
	for round := range int64(3) {
		var coordinator int32
		c.await("a commit", func() bool {
			coordinator = c.coordinator()
			n := c.nodes[coordinator]
			return n != nil && n.commit(round+1) == kafka.ErrNone
		})
		c.stop(coordinator)
		c.await("the offset at another coordinator", func() bool {
			n := c.nodes[c.coordinator()]
			if n == nil {
				return false
			}
			offset, code := n.committed()
			if code == kafka.ErrNone && offset != round+1 {
				t.Fatalf("offset %d, committed was %d", offset, round+1)
			}
			return code == kafka.ErrNone
		})
		c.comeBack(coordinator).awaitReady()
		c.await("ISR of three", func() bool { return len(c.seen(kafka.OffsetsTopicName).ISR) == 3 })
	}
	for id, n := range c.nodes {
		if _, code := n.committed(); id != c.coordinator() && code != kafka.ErrNotCoordinator {
			t.Errorf("node %d is not the coordinator and answers %s", id, code)
		}
	}
	c.stopAll()
}

const testGroup = "g"

// coordinator is the group's, -1 while there is none.
func (c *cluster) coordinator() int32 {
	c.t.Helper()
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.Version, req.CoordinatorKeys = 4, []string{testGroup}
	cl := c.any().client()
	defer cl.conn.Close()
	found := cl.ask(req).(*kmsg.FindCoordinatorResponse).Coordinators[0]
	if found.ErrorCode != 0 {
		return -1
	}
	return found.NodeID
}

func (n *node) commit(offset int64) kafka.ErrorCode {
	n.t.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.Generation = 8, testGroup, -1
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic = "t"
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset = offset
	topic.Partitions = append(topic.Partitions, p)
	req.Topics = append(req.Topics, topic)
	cl := n.client()
	defer cl.conn.Close()
	return kafka.ErrorCode(cl.ask(req).(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode)
}

func (n *node) committed() (int64, kafka.ErrorCode) {
	n.t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version = 8
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = testGroup
	topic := kmsg.NewOffsetFetchRequestGroupTopic()
	topic.Topic, topic.Partitions = "t", []int32{0}
	g.Topics = append(g.Topics, topic)
	req.Groups = append(req.Groups, g)
	cl := n.client()
	defer cl.conn.Close()
	found := cl.ask(req).(*kmsg.OffsetFetchResponse).Groups[0]
	if found.ErrorCode != 0 || len(found.Topics) == 0 {
		return -1, kafka.ErrorCode(found.ErrorCode)
	}
	return found.Topics[0].Partitions[0].Offset, kafka.ErrorCode(found.Topics[0].Partitions[0].ErrorCode)
}
