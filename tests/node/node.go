// Package node runs the real binary as a process for tests: built once,
// started on free ports, watched through its ready line and its log.
package node

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// readyTimeout is how long a node may take to say that it serves. It is not a
// measurement: a busy machine must not fail a test.
const readyTimeout = 60 * time.Second

// stopTimeout is how long a node may take to end, and stacksTimeout how long it may
// take to say what it does.
const stopTimeout, stacksTimeout = 2 * time.Minute, 10 * time.Second

// Binary builds bin/moldau once for the whole test run and returns its path.
// MOLDAU_BINARY names one that is built already.
func Binary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("MOLDAU_BINARY"); path != "" {
		return path
	}
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var build = sync.OnceValues(func() (string, error) { return buildCommand("cmd", "moldau") })

// Crowd builds the command that attacks a node once for the whole test run and
// returns its path.
func Crowd(t testing.TB) string {
	t.Helper()
	path, err := buildCrowd()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var buildCrowd = sync.OnceValues(func() (string, error) { return buildCommand("tests", "hostile/crowd") })

// buildCommand builds a command of a module into bin.
func buildCommand(module, command string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "bin", filepath.Base(command)+"-test")
	cmd := exec.Command("go", "build", "-o", path, "./"+command)
	cmd.Dir = filepath.Join(root, module)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", command, err, out)
	}
	return path, nil
}

// Root is the repository's root folder.
func Root() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/moldau/moldau").Output()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Node is a running process.
type Node struct {
	// Kafka, Controller and HTTP are the addresses of the ready line.
	Kafka, Controller, HTTP string
	// Data is the log directory.
	Data string
	// Started is how long exec to the ready line took.
	Started time.Duration
	// PID is the process's id.
	PID int

	cmd  *exec.Cmd
	log  *logBuffer
	done chan struct{}
	err  error
}

// Options of Start.
type Options struct {
	Data  string   // log directory; a temporary one by default
	Flags []string // more flags of `moldau start`
	Env   []string
	Wrap  []string // a command to run the node under (strace, for example)

	log *logBuffer    // of processes before, too; a new one by default
	pid *atomic.Int64 // told the process's id as soon as there is one
}

// Start runs a node on free ports and waits for its ready line. It is killed
// at the end of the test if it still runs.
func Start(t testing.TB, o Options) *Node {
	t.Helper()
	if o.Data == "" {
		o.Data = filepath.Join(t.TempDir(), "data")
	}
	n, err := start(Binary(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.Kill()
		if t.Failed() {
			t.Logf("end of the node's log:\n%s", n.log.tail())
		}
	})
	return n
}

// Refused starts a node that is expected to refuse; nil means that it started.
func Refused(t testing.TB, o Options) error {
	t.Helper()
	n, err := start(Binary(t), o)
	if err == nil {
		n.Kill()
	}
	return err
}

// StopWhileStarting starts a node, sends it SIGTERM at its first line of log,
// and returns how it ended.
func StopWhileStarting(t testing.TB, o Options) error {
	t.Helper()
	n, _, err := spawn(Binary(t), o)
	if err != nil {
		return err
	}
	defer n.Kill()
	select {
	case <-n.log.began:
	case <-n.done:
	}
	if err := n.Stop(); err != nil {
		return fmt.Errorf("%w\n%s", err, n.Log())
	}
	return nil
}

func start(binary string, o Options) (*Node, error) {
	began := time.Now()
	n, ready, err := spawn(binary, o)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	select {
	case line := <-ready:
		n.Started = time.Since(began)
		n.parse(line)
		return n, nil
	case <-n.done:
		return nil, fmt.Errorf("the node ended before it was ready: %v\n%s", n.err, n.log.String())
	case <-ctx.Done():
		n.Kill()
		return nil, fmt.Errorf("the node is not ready after %s\n%s", readyTimeout, n.log.String())
	}
}

// spawn runs a node; its ready line comes on the channel.
func spawn(binary string, o Options) (*Node, <-chan string, error) {
	args := append(append([]string{}, o.Wrap...), binary, "start",
		"--data", o.Data, "--listen", "127.0.0.1:0", "--controller-listen", "127.0.0.1:0", "--http", "127.0.0.1:0")
	args = append(args, o.Flags...)
	n := &Node{Data: o.Data, log: o.log, done: make(chan struct{})}
	if n.log == nil {
		n.log = &logBuffer{began: make(chan struct{})}
	}
	n.cmd = exec.Command(args[0], args[1:]...)
	n.cmd.Env = append(os.Environ(), o.Env...)
	n.cmd.Stderr = n.log
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := n.cmd.Start(); err != nil {
		return nil, nil, err
	}
	n.PID = n.cmd.Process.Pid
	if o.pid != nil {
		o.pid.Store(int64(n.PID))
	}
	ready := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "ready ") {
				ready <- lines.Text()
			}
		}
		n.err = n.cmd.Wait()
		close(n.done)
	}()
	return n, ready, nil
}

func (n *Node) parse(line string) {
	for _, field := range strings.Fields(line) {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "kafka":
			n.Kafka, _, _ = strings.Cut(value, ",")
		case "controller":
			n.Controller = value
		case "http":
			n.HTTP = value
		}
	}
}

// Log is what the node wrote to its standard error.
func (n *Node) Log() string { return n.log.String() }

// Kill ends the process with SIGKILL and waits for its end.
func (n *Node) Kill() {
	_ = n.cmd.Process.Kill() // it may have ended
	<-n.done
}

// Stop ends the process with SIGTERM and returns how it ended. One that does not
// end has its goroutines written to its log.
func (n *Node) Stop() error {
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-n.done:
		return n.err
	case <-time.After(stopTimeout):
	}
	_ = n.Signal(syscall.SIGQUIT) // it may have ended
	select {
	case <-n.done:
	case <-time.After(stacksTimeout):
		n.Kill()
	}
	return fmt.Errorf("the node did not end within %s of SIGTERM", stopTimeout)
}

// Goroutines are the stacks of a node that serves HTTP.
func (n *Node) Goroutines() (string, error) {
	c := http.Client{Timeout: stacksTimeout}
	resp, err := c.Get("http://" + n.HTTP + "/debug/pprof/goroutine?debug=2")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	stacks, err := io.ReadAll(resp.Body)
	return string(stacks), err
}

// Wait waits for the end of the process and returns how it ended.
func (n *Node) Wait() error {
	<-n.done
	return n.err
}

// Signal sends the process a signal.
func (n *Node) Signal(s os.Signal) error { return n.cmd.Process.Signal(s) }
