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

// Tools fetches the jars of Kafka's tools (4.3.1), or skips the test where
// there is no Java or no Maven.
func Tools(t testing.TB) Jars {
	t.Helper()
	return get(t, fetchTools)
}

// Server fetches the jars of Kafka's server (4.4.0), or skips the test.
func Server(t testing.TB) Jars {
	t.Helper()
	return get(t, fetchServer)
}

func get(t testing.TB, fetch func() (string, error)) Jars {
	t.Helper()
	java := peer.Program(t, "java")
	peer.Program(t, "mvn")
	dir, err := fetch()
	if err != nil {
		peer.Skip(t, "kafka", err.Error())
	}
	return Jars{dir: dir, java: java}
}

var (
	fetchTools  = sync.OnceValues(func() (string, error) { return fetch("tools", "kafka-tools-4.3.1") })
	fetchServer = sync.OnceValues(func() (string, error) { return fetch("server", "kafka-4.4.0") })
)

// fetch copies the jars of a pom to a folder of bin/peers. Test packages run
// side by side: each fetches into a folder of its own and renames it.
func fetch(pom, name string) (string, error) {
	root, err := node.Root()
	if err != nil {
		return "", err
	}
	peers := filepath.Join(root, "bin", "peers")
	dir := filepath.Join(peers, name)
	if _, err := os.Stat(filepath.Join(dir, "complete")); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(peers, 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(peers, name+".")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	cmd := exec.Command("mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory="+tmp)
	cmd.Dir = filepath.Join(root, "tests", "peers", "java", pom)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetch Kafka's jars: %w: %s", err, lastLine(out))
	}
	if err := os.WriteFile(filepath.Join(tmp, "complete"), nil, 0o644); err != nil {
		return "", err
	}
	if err := os.Rename(tmp, dir); err != nil {
		if _, done := os.Stat(filepath.Join(dir, "complete")); done != nil {
			return "", err
		}
	}
	return dir, nil
}

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
