package clients

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moldau/moldau/tests/kafkajvm"
)

// TestJavaToolReassignsPartitions: Kafka's tool moves a partition between three
// nodes, watches it, and finds nothing to cancel afterwards; records stay.
func TestJavaToolReassignsPartitions(t *testing.T) {
	jars := kafkajvm.Tools(t)
	c, n := three(t)
	plan := filepath.Join(t.TempDir(), "plan.json")
	write := func(replicas string) {
		t.Helper()
		text := `{"version":1,"partitions":[{"topic":"m","partition":0,"replicas":[` + replicas + `]}]}`
		if err := os.WriteFile(plan, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) string {
		t.Helper()
		return jars.Run(t, "", "org.apache.kafka.tools.reassign.ReassignPartitionsCommand", append([]string{"--bootstrap-server", c.Seeds()}, args...)...)
	}
	jars.Run(t, "", topicCommand, "--bootstrap-server", c.Seeds(), "--create", "--topic", "m", "--replica-assignment", "1:2")
	jars.Run(t, "a\nb\n", consoleProducer, "--bootstrap-server", n.Kafka, "--topic", "m", "--command-property", "acks=all")
	for _, replicas := range []string{"2,3,1", "3,1"} {
		write(replicas)
		if out := run("--reassignment-json-file", plan, "--execute"); !strings.Contains(out, "Successfully started partition reassignment for m-0") {
			t.Fatalf("execute: %s", out)
		}
		awaitWhole(t, n, "m")
		if out := run("--reassignment-json-file", plan, "--verify"); !strings.Contains(out, "Reassignment of partition m-0 is completed.") {
			t.Fatalf("verify: %s", out)
		}
		if out := run("--list"); !strings.Contains(out, "No partition reassignments found.") {
			t.Errorf("list: %s", out)
		}
	}
	if out := run("--reassignment-json-file", plan, "--cancel"); !strings.Contains(out, "None of the specified partition reassignments are active.") {
		t.Errorf("cancel: %s", out)
	}
	if out := jars.Run(t, "", topicCommand, "--bootstrap-server", c.Seeds(), "--describe", "--topic", "m"); !strings.Contains(out, "Replicas: 3,1") {
		t.Errorf("describe: %s", out)
	}
	if out := jars.Run(t, "", consoleConsumer, "--bootstrap-server", n.Kafka, "--topic", "m", "--from-beginning", "--max-messages", "2", "--timeout-ms", "60000"); !strings.HasPrefix(out, "a\nb\n") {
		t.Errorf("read %q", out)
	}
}
