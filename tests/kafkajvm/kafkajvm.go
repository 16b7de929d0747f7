// Package kafkajvm runs Apache Kafka's own programs (tools, and the server) as
// peers of tests and benchmarks. The jars come from Maven Central, once, into
// bin/peers of the repository.
package kafkajvm

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/moldau/moldau/internal/peer"
	"github.com/moldau/moldau/tests/node"
)

// Jars is a folder with Kafka's jars.
type Jars struct{ dir, java string }

// Get fetches the jars, or skips the test where there is no Java or no Maven.
func Get(t testing.TB) Jars {
	t.Helper()
	java := peer.Program(t, "java")
	peer.Program(t, "mvn")
	dir, err := fetch()
	if err != nil {
		peer.Skip(t, "kafka", err.Error())
	}
	return Jars{dir: dir, java: java}
}

var fetch = sync.OnceValues(func() (string, error) {
	root, err := node.Root()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, "bin", "peers", "kafka-4.4.0")
	if _, err := os.Stat(filepath.Join(dir, "complete")); err == nil {
		return dir, nil
	}
	cmd := exec.Command("mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory="+dir)
	cmd.Dir = filepath.Join(root, "tests", "peers", "java")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetch Kafka's jars: %w: %s", err, lastLine(out))
	}
	return dir, os.WriteFile(filepath.Join(dir, "complete"), nil, 0o644)
})

func lastLine(b []byte) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return lines[len(lines)-1]
}

// Command is a JVM that runs the main class with args. Its heap is bounded,
// since tests share a machine.
func (j Jars) Command(class string, args ...string) *exec.Cmd {
	all := append([]string{"-Xmx512m", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=WARN", "-cp", j.dir + "/*", class}, args...)
	return exec.Command(j.java, all...)
}

// Run runs the main class to its end and returns its standard output.
func (j Jars) Run(t testing.TB, stdin, class string, args ...string) string {
	t.Helper()
	out, err := j.Try(stdin, class, args...)
	if err != nil {
		t.Fatalf("%s %s: %v", class, strings.Join(args, " "), err)
	}
	return out
}

// Try is Run that returns the failure.
func (j Jars) Try(stdin, class string, args ...string) (string, error) {
	cmd := j.Command(class, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%w\n%s%s", err, out.String(), errs.String())
	}
	return out.String(), nil
}
