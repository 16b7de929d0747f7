package clients

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/moldau/moldau/tests/confluent"
	"github.com/moldau/moldau/tests/node"
)

func TestConfluentKafkaEveryCodecAndGroups(t *testing.T) {
	everywhere(t, confluentKafkaEveryCodecAndGroups)
}

func confluentKafkaEveryCodecAndGroups(t *testing.T, n *node.Node, _ int) {
	bin := confluent.Python(t)
	out, err := exec.Command(bin, filepath.Join("testdata", "roundtrip.py"), n.Kafka).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
