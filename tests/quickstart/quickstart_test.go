package quickstart

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moldau/moldau/internal/peer"
	"github.com/moldau/moldau/tests/kafkajvm"
	"github.com/moldau/moldau/tests/node"
)

// patience is no measurement: a busy machine must not fail the test.
const patience = 6 * time.Minute

// kafkaPrograms are the scripts of Kafka's bin folder that the README names.
var kafkaPrograms = map[string]string{
	"kafka-topics.sh":           "org.apache.kafka.tools.TopicCommand",
	"kafka-console-producer.sh": "org.apache.kafka.tools.ConsoleProducer",
	"kafka-console-consumer.sh": "org.apache.kafka.tools.consumer.ConsoleConsumer",
	"kafka-consumer-groups.sh":  "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
}

// addresses of the README, and where the node of the test is.
type running struct {
	root, path  string
	kafka, http string
	hints       []string
}

// makeRun starts the node by `make run` and stops it when the test ends.
func makeRun(t *testing.T) *running {
	t.Helper()
	root, err := node.Root()
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "data")
	var log bytes.Buffer
	cmd := exec.Command(peer.Program(t, "make"), "run", "ARGS=--data "+data+
		" --listen 127.0.0.1:0 --controller-listen 127.0.0.1:0 --http 127.0.0.1:0 --set group.initial.rebalance.delay.ms=0")
	cmd.Dir, cmd.Stderr = root, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // as a shell gives a job its group
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := &running{root: root, path: os.Getenv("PATH")}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()
	t.Cleanup(func() { interrupt(t, cmd, lines, &log, data) })
	timeout := time.After(patience)
	for len(r.hints) < 3 {
		select {
		case line, open := <-lines:
			if !open {
				t.Fatal("`make run` ended before the node was ready")
			}
			r.take(line)
		case <-timeout:
			t.Fatal("the node is not ready")
		}
	}
	return r
}

func (r *running) take(line string) {
	switch {
	case strings.HasPrefix(line, "ready "):
		for _, field := range strings.Fields(line) {
			if address, ok := strings.CutPrefix(field, "kafka="); ok {
				r.kafka = address
			}
			if address, ok := strings.CutPrefix(field, "http="); ok {
				r.http = address
			}
		}
	case r.kafka != "":
		r.hints = append(r.hints, strings.TrimSpace(line))
	}
}

// interrupt ends the job as Ctrl-C does, and wants a clean stop.
func interrupt(t *testing.T, cmd *exec.Cmd, lines <-chan string, log *bytes.Buffer, data string) {
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Error(err)
	}
	late := time.AfterFunc(patience, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer late.Stop()
	for line := range lines {
		if !strings.HasPrefix(line, "make: ") {
			t.Errorf("printed beside the ready line and three to try: %q", line)
		}
	}
	_ = cmd.Wait() // make's own status after an interrupt is 130, or the node's
	if _, err := os.Stat(filepath.Join(data, ".kafka_cleanshutdown")); err != nil {
		t.Errorf("no clean stop: %v", err)
	}
	if strings.Contains(log.String(), "level=WARN") || strings.Contains(log.String(), "connection-refused") {
		t.Errorf("the quick start is no occasion for a warning:\n%s", log)
	}
	if t.Failed() {
		t.Logf("log of the node:\n%s", log)
	}
}

// run runs one line from the repository's folder.
func (r *running) run(t *testing.T, line string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	here := strings.NewReplacer("127.0.0.1:9092", r.kafka, "127.0.0.1:9644", r.http).Replace(line)
	cmd := exec.CommandContext(ctx, "bash", "-o", "pipefail", "-c", here)
	cmd.Dir = r.root
	cmd.Env = append(os.Environ(), "MOLDAU_BROKERS="+r.kafka, "PATH="+r.path)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", line, err, out.String(), errs.String())
	}
	return out.String()
}

// withKafkaPrograms puts Kafka's console programs on the path.
func (r *running) withKafkaPrograms(t *testing.T) {
	t.Helper()
	jars := kafkajvm.Tools(t)
	dir := t.TempDir()
	for name, class := range kafkaPrograms {
		var words []string
		for _, arg := range jars.Command(class).Args {
			words = append(words, "'"+arg+"'")
		}
		script := fmt.Sprintf("#!/bin/sh\nexec %s \"$@\"\n", strings.Join(words, " "))
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r.path = dir + string(filepath.ListSeparator) + r.path
}

func TestQuickStart(t *testing.T) {
	r := makeRun(t)
	all, err := blocks(r.root)
	if err != nil || len(all) < 3 {
		t.Fatalf("%d blocks: %v", len(all), err)
	}
	for i, block := range all {
		t.Run(strings.Fields(block[0].line)[0], func(t *testing.T) {
			for _, c := range block {
				if strings.Contains(c.line, "kcat ") {
					peer.Program(t, "kcat")
				}
			}
			if strings.Contains(block[0].line, "kafka-") {
				r.withKafkaPrograms(t)
			}
			for _, c := range block {
				out := strings.TrimSpace(r.run(t, c.line))
				lines := strings.Split(out, "\n")
				if c.says && lines[len(lines)-1] != c.prints {
					t.Errorf("block %d: %s\nprinted %q, the README says %q", i+1, c.line, out, c.prints)
				}
			}
		})
	}
}

// The three lines that a start shows work as they stand.
func TestLinesToTry(t *testing.T) {
	r := makeRun(t)
	var out string
	for _, line := range r.hints {
		out = r.run(t, line)
	}
	if out != "hello\n" {
		t.Errorf("%q printed %q", r.hints, out)
	}
}

// Every folder with code is in the README's table of rooms, and every folder
// in the table is there.
func TestRooms(t *testing.T) {
	root, err := node.Root()
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(readme), "\n## Rooms\n")
	table, _, _ = strings.Cut(table, "\n## ")
	listed := func(dir string) bool { return strings.Contains(table, "]("+dir+")") }
	for _, pattern := range []string{"*", "broker/*"} {
		dirs, err := fs.Glob(os.DirFS(root), pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range dirs {
			tracked := exec.Command("git", "ls-files", "--error-unmatch", dir)
			tracked.Dir = root
			info, err := os.Stat(filepath.Join(root, dir))
			if err == nil && info.IsDir() && !strings.HasPrefix(dir, ".") && dir != "cmd" && filepath.Base(dir) != "testdata" && tracked.Run() == nil && !listed(dir) {
				t.Errorf("README.md does not list %s", dir)
			}
		}
	}
	for _, part := range strings.Split(table, "](")[1:] {
		dir, _, _ := strings.Cut(part, ")")
		if _, err := os.Stat(filepath.Join(root, dir)); err != nil {
			t.Errorf("README.md lists %s: %v", dir, err)
		}
	}
}
