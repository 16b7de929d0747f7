package clients

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/moldau/moldau/tests/kafkajvm"
	"github.com/moldau/moldau/tests/node"
)

// awaitWhole waits until all replicas of topics are in sync.
func awaitWhole(t *testing.T, n *node.Node, topics ...string) {
	t.Helper()
	c := franz(t, n)
	ctx, cancel := context.WithTimeout(context.Background(), clientTimeout)
	defer cancel()
	for {
		missing, err := node.Whole(ctx, c, topics...)
		if err == nil && missing == "" {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not all replicas are in sync: %s %v", missing, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// TestJavaToolsOnThreeNodes: Kafka's tools on topics of three replicas, while a
// node is down and after it came back.
func TestJavaToolsOnThreeNodes(t *testing.T) {
	jars := kafkajvm.Tools(t)
	c, n := three(t)
	run := func(class string, args ...string) string {
		t.Helper()
		return jars.Run(t, "", class, append([]string{"--bootstrap-server", c.Seeds()}, args...)...)
	}
	contains := func(out string, parts ...string) {
		t.Helper()
		for _, p := range parts {
			if !strings.Contains(out, p) {
				t.Errorf("%q is missing in:\n%s", p, out)
			}
		}
	}
	run(topicCommand, "--create", "--topic", "r", "--replica-assignment", "2:3:1,3:1:2,1:2:3")
	contains(run(topicCommand, "--describe", "--topic", "r"), "PartitionCount: 3", "ReplicationFactor: 3", "Leader: 2", "Leader: 3", "Leader: 1")
	jars.Run(t, "a\nb\nc\n", consoleProducer, "--bootstrap-server", n.Kafka, "--topic", "r", "--command-property", "acks=all")

	c.Kill(3)
	contains(jars.Run(t, "", consoleConsumer, "--bootstrap-server", n.Kafka, "--topic", "r", "--group", "g", "--from-beginning", "--max-messages", "3", "--timeout-ms", "60000"), "a\n", "b\n", "c\n")
	contains(run(topicCommand, "--describe", "--under-replicated-partitions"), "Partition: 0", "Partition: 1", "Partition: 2")
	if out := run(topicCommand, "--describe", "--unavailable-partitions"); strings.Contains(out, "Topic: r") {
		t.Errorf("a partition has no leader: %s", out)
	}
	contains(run("org.apache.kafka.tools.BrokerApiVersionsCommand"), "(id: 1 ", "(id: 2 ")
	if err := c.Restart(3); err != nil {
		t.Fatal(err)
	}
	awaitWhole(t, n, "r")
	if out := run(topicCommand, "--describe", "--under-replicated-partitions"); strings.Contains(out, "Topic: r") {
		t.Errorf("all replicas are in sync, and the tool says: %s", out)
	}
	run("org.apache.kafka.tools.LeaderElectionCommand", "--election-type", "preferred", "--all-topic-partitions")
	contains(run(topicCommand, "--describe", "--topic", "r"), "Leader: 2", "Leader: 3", "Leader: 1")
	contains(run(groupCommand, "--describe", "--group", "g"), "r", "LAG")
	for id := int32(1); id <= node.Nodes; id++ {
		contains(run("org.apache.kafka.tools.LogDirsCommand", "--describe", "--broker-list", fmt.Sprint(id)), fmt.Sprintf(`"broker":%d`, id), `"partition":"r-1"`)
	}
}
