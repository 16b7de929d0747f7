package clients

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moldau/moldau/tests/kafkajvm"
	"github.com/moldau/moldau/tests/node"
)

// quorumView is what `moldau cluster quorum --format json` shows.
type quorumView struct {
	Controller int32 `json:"controllerId"`
	Quorum     *struct {
		Voters    []struct{ ReplicaID int32 } `json:"currentVoters"`
		Observers []struct{ ReplicaID int32 } `json:"observers"`
	} `json:"quorum"`
}

// moldau runs the command line against a node.
func moldau(t *testing.T, n *node.Node, args ...string) (string, error) {
	t.Helper()
	out, err := exec.Command(node.Binary(t), append(args, "-b", n.Kafka, "--timeout", "30s")...).CombinedOutput()
	return string(out), err
}

func mustMoldau(t *testing.T, n *node.Node, args ...string) string {
	t.Helper()
	out, err := moldau(t, n, args...)
	if err != nil {
		t.Fatalf("moldau %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// awaitQuorum asks until the quorum is as wanted. The limit is no measurement.
func awaitQuorum(t *testing.T, n *node.Node, what string, holds func(quorumView) bool) quorumView {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; {
		out, err := moldau(t, n, "cluster", "quorum", "--format", "json")
		var v quorumView
		if err == nil {
			err = json.Unmarshal([]byte(out), &v)
		}
		if err == nil && v.Quorum != nil && holds(v) {
			return v
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not come about: %v\n%s", what, err, out)
		}
	}
}

func joining(id int, controller string) []string {
	return []string{"--node-id", fmt.Sprint(id), "--join", controller}
}

// controllerSettings are a node's id and directory id, and the settings with which
// Kafka's tool adds it as a controller: it reads the node's own folder.
func controllerSettings(t *testing.T, n *node.Node) (id, directory, file string) {
	t.Helper()
	properties, err := os.ReadFile(filepath.Join(n.Data, "meta.properties"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(properties)) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), "="); key {
		case "node.id":
			id = value
		case "directory.id":
			directory = value
		}
	}
	file = filepath.Join(t.TempDir(), "controller.properties")
	text := fmt.Sprintf("node.id=%s\nprocess.roles=broker,controller\nlog.dirs=%s\ncontroller.listener.names=CONTROLLER\nlisteners=PLAINTEXT://%s,CONTROLLER://%s\n",
		id, n.Data, n.Kafka, n.Controller)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return id, directory, file
}

// TestQuorumOfProcesses: one process becomes three; Kafka's tools see them and
// change the voters; the active controller is killed; a voter whose disk was
// emptied is taken back. Every start takes other ports.
func TestQuorumOfProcesses(t *testing.T) {
	jars := kafkajvm.Tools(t)
	nodes := map[int32]*node.Node{1: node.Start(t, node.Options{})}
	first := nodes[1]
	mustMoldau(t, first, "topic", "create", "t", "-p", "2", "-r", "1")
	for id := int32(2); id <= 3; id++ {
		nodes[id] = node.Start(t, node.Options{Flags: joining(int(id), first.Controller)})
		awaitQuorum(t, first, "the observer", func(v quorumView) bool { return len(v.Quorum.Observers) > 0 })
		mustMoldau(t, first, "cluster", "quorum", "add", fmt.Sprint(id))
	}
	contains := func(out string, parts ...string) {
		t.Helper()
		for _, p := range parts {
			if !strings.Contains(out, p) {
				t.Errorf("%q is missing in:\n%s", p, out)
			}
		}
	}
	contains(mustMoldau(t, first, "cluster", "status"), "voters 1,2,3", "3 of 3 brokers in service", "0 without a leader")
	for _, n := range nodes {
		contains(jars.Run(t, "", quorumCommand, "--bootstrap-server", n.Kafka, "describe", "--status"),
			"MaxFollowerLag:", n.Controller, "CurrentObservers:       []")
		contains(jars.Run(t, "", quorumCommand, "--bootstrap-controller", n.Controller, "describe", "--replication"), "Leader", "Follower")
		contains(jars.Run(t, "", "org.apache.kafka.tools.ClusterTool", "list-endpoints", "--bootstrap-controller", n.Controller), "controller")
	}

	// Kafka's tool takes a vote and gives it back, by way of the node that has none.
	id, directory, settings := controllerSettings(t, nodes[3])
	jars.Run(t, "", quorumCommand, "--bootstrap-server", first.Kafka, "remove-controller", "--controller-id", id, "--controller-directory-id", directory)
	awaitQuorum(t, first, "two voters", func(v quorumView) bool { return len(v.Quorum.Voters) == 2 })
	contains(jars.Run(t, "", quorumCommand, "--bootstrap-controller", nodes[3].Controller, "--command-config", settings, "add-controller"),
		"Added controller 3 with directory id "+directory)
	awaitQuorum(t, first, "three voters again", func(v quorumView) bool { return len(v.Quorum.Voters) == 3 })

	killed := awaitQuorum(t, first, "an active controller", func(v quorumView) bool { return v.Controller > 0 }).Controller
	nodes[killed].Kill()
	other := nodes[killed%3+1]
	awaitQuorum(t, other, "another active controller", func(v quorumView) bool { return v.Controller > 0 && v.Controller != killed })
	mustMoldau(t, other, "topic", "create", "u", "-p", "1", "-r", "1")
	nodes[killed] = node.Start(t, node.Options{Data: nodes[killed].Data, Flags: joining(int(killed), other.Controller)})
	contains(mustMoldau(t, nodes[killed], "topic", "list"), "u")

	wiped := killed%3 + 1
	nodes[wiped].Kill()
	last := nodes[killed]
	nodes[wiped] = node.Start(t, node.Options{Flags: joining(int(wiped), last.Controller)})
	awaitQuorum(t, last, "the emptied voter as an observer", func(v quorumView) bool { return len(v.Quorum.Observers) > 0 })
	if out, err := moldau(t, last, "cluster", "quorum", "add", fmt.Sprint(wiped)); err == nil || !strings.Contains(out, "quorum replace") {
		t.Errorf("add of a voter whose disk was emptied: %v\n%s", err, out)
	}
	contains(mustMoldau(t, last, "cluster", "quorum", "replace", fmt.Sprint(wiped)), "is a voter, with directory")
	awaitQuorum(t, last, "three voters", func(v quorumView) bool { return len(v.Quorum.Voters) == 3 && len(v.Quorum.Observers) == 0 })
	for id := int32(1); id <= 3; id++ {
		if err := nodes[id].Stop(); err != nil {
			t.Errorf("node %d: %v", id, err)
		}
	}
}

const quorumCommand = "org.apache.kafka.tools.MetadataQuorumCommand"
