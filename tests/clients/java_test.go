package clients

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moldau/moldau/tests/kafkajvm"
	"github.com/moldau/moldau/tests/node"
)

const (
	consoleProducer = "org.apache.kafka.tools.ConsoleProducer"
	consoleConsumer = "org.apache.kafka.tools.consumer.ConsoleConsumer"
	producerPerf    = "org.apache.kafka.tools.ProducerPerformance"
	consumerPerf    = "org.apache.kafka.tools.ConsumerPerformance"
	topicCommand    = "org.apache.kafka.tools.TopicCommand"
	groupCommand    = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
	configCommand   = "kafka.admin.ConfigCommand"
)

func TestJavaConsoleEveryCodec(t *testing.T) {
	jars := kafkajvm.Tools(t)
	n := node.Start(t, node.Options{Flags: []string{"--set", "group.initial.rebalance.delay.ms=0"}})
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		t.Run(codec, func(t *testing.T) {
			topic := "java-" + codec
			var in, want strings.Builder
			for i := range 100 {
				value := strings.Repeat(fmt.Sprintf("v%d ", i), 1+i%30)
				fmt.Fprintf(&in, "a:%d\tk%d\t%s\n", i, i, value)
				fmt.Fprintf(&want, "a:%d\tk%d\t%s\n", i, i, value)
			}
			jars.Run(t, in.String(), consoleProducer, "--bootstrap-server", n.Kafka, "--topic", topic,
				"--compression-codec", codec, "--reader-property", "parse.key=true", "--reader-property", "parse.headers=true")
			for _, group := range [][]string{{"--partition", "0", "--offset", "earliest"}, {"--group", "g-" + codec, "--from-beginning"}} {
				args := append([]string{"--bootstrap-server", n.Kafka, "--topic", topic, "--max-messages", "100", "--timeout-ms", "60000",
					"--formatter-property", "print.key=true", "--formatter-property", "print.headers=true"}, group...)
				if got := jars.Run(t, "", consoleConsumer, args...); got != want.String() {
					t.Errorf("%v: read back %d bytes, want %d:\n%.300s", group, len(got), want.Len(), got)
				}
			}
		})
	}
}

func TestJavaPerfTools(t *testing.T) { everywhere(t, javaPerfTools) }

func javaPerfTools(t *testing.T, n *node.Node, _ int) {
	jars := kafkajvm.Tools(t)
	createTopic(t, n, "perf", 3)
	out := jars.Run(t, "", producerPerf, "--topic", "perf", "--num-records", "50000", "--record-size", "200", "--throughput", "-1",
		"--bootstrap-server", n.Kafka, "--command-property", "acks=all")
	if !strings.Contains(out, "50000 records sent") {
		t.Errorf("producer: %s", out)
	}
	out = jars.Run(t, "", consumerPerf, "--bootstrap-server", n.Kafka, "--topic", "perf", "--num-records", "50000", "--timeout", "60000", "--hide-header")
	if fields := strings.Split(out, ", "); len(fields) < 5 || strings.TrimSpace(fields[4]) != "50000" {
		t.Errorf("consumer: %s", out)
	}
}

func TestJavaAdminTools(t *testing.T) {
	jars := kafkajvm.Tools(t)
	n := node.Start(t, node.Options{Flags: []string{"--set", "group.initial.rebalance.delay.ms=0"}})
	run := func(class string, args ...string) string {
		t.Helper()
		return jars.Run(t, "", class, append([]string{"--bootstrap-server", n.Kafka}, args...)...)
	}
	contains := func(out string, parts ...string) {
		t.Helper()
		for _, p := range parts {
			if !strings.Contains(out, p) {
				t.Errorf("%q is missing in:\n%s", p, out)
			}
		}
	}
	contains(run(topicCommand, "--create", "--topic", "admin", "--partitions", "3", "--config", "retention.ms=1000"), "Created topic admin.")
	contains(run(topicCommand, "--describe", "--topic", "admin"), "PartitionCount: 3", "ReplicationFactor: 1", "retention.ms=1000", "Leader: 1", "Isr: 1")
	contains(run(topicCommand, "--list"), "admin")
	run(topicCommand, "--alter", "--topic", "admin", "--partitions", "5")
	contains(run(topicCommand, "--describe", "--topic", "admin"), "PartitionCount: 5")
	run(configCommand, "--alter", "--topic", "admin", "--add-config", "max.message.bytes=2000000")
	contains(run(configCommand, "--describe", "--topic", "admin"), "max.message.bytes=2000000", "retention.ms=1000")
	jars.Run(t, "x\ny\n", consoleProducer, "--bootstrap-server", n.Kafka, "--topic", "admin")
	run(consoleConsumer, "--topic", "admin", "--group", "ga", "--from-beginning", "--max-messages", "2", "--timeout-ms", "60000")
	contains(run(groupCommand, "--list"), "ga")
	contains(run(groupCommand, "--describe", "--group", "ga"), "admin", "LAG")
	contains(run(groupCommand, "--describe", "--group", "ga", "--state"), "Empty")
	offsets := filepath.Join(t.TempDir(), "delete.json")
	if err := os.WriteFile(offsets, []byte(`{"partitions":[{"topic":"admin","partition":0,"offset":-1}],"version":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	contains(run("org.apache.kafka.tools.DeleteRecordsCommand", "--offset-json-file", offsets), "low_watermark")
	contains(run("org.apache.kafka.tools.GetOffsetShell", "--topic", "admin"), "admin:0:", "admin:4:")
	contains(jars.Run(t, "", "org.apache.kafka.tools.ClusterTool", "cluster-id", "--bootstrap-server", n.Kafka), "Cluster ID")
	run("org.apache.kafka.tools.LeaderElectionCommand", "--election-type", "preferred", "--all-topic-partitions")
	contains(run("org.apache.kafka.tools.LogDirsCommand", "--describe"), `"logDirs"`)
	contains(run("org.apache.kafka.tools.MetadataQuorumCommand", "describe", "--status"), "LeaderId:")
	run(groupCommand, "--delete", "--group", "ga")
	run(topicCommand, "--delete", "--topic", "admin")
	if out := run(topicCommand, "--list"); strings.Contains(out, "admin") {
		t.Errorf("the topic is still listed: %s", out)
	}
}
