package broker_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/kafka"
)

// TestReplicasMove: the offsets topic of a single node gets replicas on those
// that join, and a topic moves from node to node without losing anything; the
// logs that it leaves behind are deleted. All nodes have two directories, so
// each new replica is made only once the controller knows where.
func TestReplicasMove(t *testing.T) {
	c := newCluster(t)
	own := []config.Property{twoDirs, {Name: "offsets.topic.num.partitions", Value: "1"}, {Name: "group.initial.rebalance.delay.ms", Value: "0"}}
	c.begin(1, own...).awaitReady()
	c.nodes[1].client().createTopicRF("t", 1)
	c.await("a commit", func() bool {
		n := c.nodes[c.coordinator()]
		return n != nil && n.commit(7) == kafka.ErrNone
	})
	for i := range 5 {
		c.append("t", fmt.Sprint("v", i))
	}
	join := config.Property{Name: "controller.quorum.bootstrap.servers", Value: controllerAddress(1)}
	for id := int32(2); id <= 3; id++ {
		c.begin(id, append(own, join)...).awaitReady()
	}
	c.await("three replicas of the offsets", func() bool { return len(c.seen(kafka.OffsetsTopicName).ISR) == 3 })
	if got := c.setting(kafka.OffsetsTopicName, "min.insync.replicas"); got != "2" {
		t.Errorf("min.insync.replicas of the offsets is %s, want 2", got)
	}
	written := 5
	for _, replicas := range [][]int32{{2, 3, 1}, {3}, {2, 1}, {1}} {
		if code := c.nodes[2].reassign("t", replicas); code != kafka.ErrNone {
			t.Fatalf("to %v: %s", replicas, code)
		}
		c.append("t", fmt.Sprint("v", written))
		written++
		c.await(fmt.Sprint("replicas ", replicas), func() bool {
			p := c.seen("t")
			return slices.Equal(p.Replicas, replicas) && len(p.ISR) == len(replicas) && slices.Contains(replicas, p.Leader)
		})
		if got, want := c.setting("t", "min.insync.replicas"), fmt.Sprint(len(replicas)/2+1); got != want {
			t.Errorf("min.insync.replicas for %v is %s, want %s", replicas, got, want)
		}
	}
	var got []string
	for _, s := range c.nodes[1].readAll("t") {
		_, value, _ := cut(s)
		got = append(got, value)
	}
	if want := "v0 v1 v2 v3 v4 v5 v6 v7 v8"; strings.Join(slices.Compact(got), " ") != want {
		t.Errorf("read %v, want %s", got, want)
	}
	for id, n := range c.nodes {
		if n.events.has("unclean-leader-elected") {
			t.Errorf("node %d tells of an unclean election", id)
		}
	}
	for id := int32(2); id <= 3; id++ {
		c.await(fmt.Sprintf("node %d without t", id), func() bool {
			for _, dir := range []string{"a", "b"} {
				names, err := c.disks[id].List(dir)
				if err != nil {
					t.Fatal(err)
				}
				for _, name := range names {
					if name.Name == "t-0" {
						return false
					}
				}
			}
			return true
		})
	}
	c.stopAll()
}

// reassign moves the only partition of a topic.
func (n *node) reassign(topic string, replicas []int32) kafka.ErrorCode {
	n.t.Helper()
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	req.Version = 1
	rt := kmsg.NewAlterPartitionAssignmentsRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
	rp.Replicas = replicas
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	cl := n.client()
	defer cl.conn.Close()
	resp := cl.ask(req).(*kmsg.AlterPartitionAssignmentsResponse)
	if resp.ErrorCode != 0 {
		return kafka.ErrorCode(resp.ErrorCode)
	}
	return kafka.ErrorCode(resp.Topics[0].Partitions[0].ErrorCode)
}

// setting is a topic's setting as the first node that runs shows it.
func (c *cluster) setting(topic, name string) string {
	c.t.Helper()
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Version = 4
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName, r.ConfigNames = kmsg.ConfigResourceTypeTopic, topic, []string{name}
	req.Resources = append(req.Resources, r)
	cl := c.any().client()
	defer cl.conn.Close()
	resp := cl.ask(req).(*kmsg.DescribeConfigsResponse)
	if len(resp.Resources) != 1 || len(resp.Resources[0].Configs) != 1 || resp.Resources[0].Configs[0].Value == nil {
		c.t.Fatalf("%s of %s: %+v", name, topic, resp.Resources)
	}
	return *resp.Resources[0].Configs[0].Value
}
