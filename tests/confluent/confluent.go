// Package confluent finds a Python with confluent-kafka, librdkafka's binding, as
// a peer of tests. It is installed once, into bin/peers of the repository.
package confluent

import (
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/moldau/moldau/internal/peer"
	"github.com/moldau/moldau/tests/node"
)

// Python is the interpreter's path; the test is skipped where there is none.
func Python(t testing.TB) string {
	t.Helper()
	peer.Program(t, "python3")
	bin, err := python()
	if err != nil {
		peer.Skip(t, "confluent-kafka", err.Error())
	}
	return bin
}

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
