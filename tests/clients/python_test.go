package clients

import (
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/moldau/moldau/internal/peer"
	"github.com/moldau/moldau/tests/node"
)

// python is an interpreter that has confluent-kafka, in an environment of its
// own below bin/peers.
var python = sync.OnceValues(func() (string, error) {
	root, err := node.Root()
	if err != nil {
		return "", err
	}
	venv := filepath.Join(root, "bin", "peers", "python")
	bin := filepath.Join(venv, "bin", "python")
	if exec.Command(bin, "-c", "import confluent_kafka").Run() == nil {
		return bin, nil
	}
	if err := exec.Command("python3", "-m", "venv", venv).Run(); err != nil {
		return "", err
	}
	return bin, exec.Command(bin, "-m", "pip", "install", "-q", "confluent-kafka==2.16.0").Run()
})

func TestConfluentKafkaEveryCodecAndGroups(t *testing.T) {
	everywhere(t, confluentKafkaEveryCodecAndGroups)
}

func confluentKafkaEveryCodecAndGroups(t *testing.T, n *node.Node, _ int) {
	peer.Program(t, "python3")
	bin, err := python()
	if err != nil {
		peer.Skip(t, "confluent-kafka", err.Error())
	}
	out, err := exec.Command(bin, filepath.Join("testdata", "roundtrip.py"), n.Kafka).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
