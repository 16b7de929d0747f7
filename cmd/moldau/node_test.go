package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// startedNode is a node run by the start command in this process.
type startedNode struct {
	t     *testing.T
	ended chan int
	errs  *bytes.Buffer
	kafka string
	http  string
	rest  chan struct{} // closed when its output ended
}

var readyLine = regexp.MustCompile(`^ready node=1 kafka=(\S+) controller=(\S+) http=(\S+) data=(\S+)\n$`)

func startNode(t *testing.T, dir string, more ...string) *startedNode {
	t.Helper()
	n := &startedNode{t: t, ended: make(chan int, 1), errs: &bytes.Buffer{}, rest: make(chan struct{})}
	r, w := io.Pipe()
	args := append([]string{"start", "--data", dir, "--listen", "127.0.0.1:0", "--controller-listen", "127.0.0.1:0", "--http", "127.0.0.1:0",
		"--set", "moldau.log.level=error"}, more...)
	go func() {
		n.ended <- run(args, strings.NewReader(""), w, n.errs, func(string) string { return "" })
		w.Close()
	}()
	out := bufio.NewReader(r)
	line, err := out.ReadString('\n')
	if err != nil {
		t.Fatalf("the node ended with status %d: %s", <-n.ended, n.errs)
	}
	match := readyLine.FindStringSubmatch(line)
	if match == nil {
		t.Fatalf("no ready line: %q", line)
	}
	n.kafka, n.http = match[1], match[3]
	go func() {
		defer close(n.rest)
		if more, _ := io.ReadAll(out); len(more) > 0 {
			t.Errorf("the node printed more than one line: %q", more)
		}
	}()
	return n
}

// stop sends the signal that asks a process to end.
func (n *startedNode) stop() {
	n.t.Helper()
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
		n.t.Fatal(err)
	}
	if status := <-n.ended; status != exitOK {
		n.t.Errorf("status %d after SIGTERM: %s", status, n.errs)
	}
	<-n.rest
}

func (n *startedNode) cli(stdin string, args ...string) string {
	return invoke(map[string]string{"MOLDAU_BROKERS": n.kafka}, stdin, args...)
}

func (n *startedNode) expect(want, stdin string, args ...string) {
	n.t.Helper()
	if got := n.cli(stdin, args...); got != want {
		n.t.Errorf("%s: got\n%swant\n%s", strings.Join(args, " "), got, want)
	}
}

// A node is started, used, stopped and started again on the same directory.
func TestNode(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	n := startNode(t, dir)
	n.expect("created topic greetings: 2 partitions, 1 replica\n", "", "topic", "create", "greetings", "-p", "2", "-c", "retention.ms=-1")
	n.expect("stderr: produced 2 records to greetings\n", "k1:v1\nk2:v2\n", "produce", "greetings", "-k", ":", "-p", "1", "-z", "lz4", "-H", "a=b")
	n.expect("stderr: produced 1 record to auto\n", "x\n", "produce", "auto")
	const records = "1/0 k1=v1 a=b\n1/1 k2=v2 a=b\n"
	n.expect(records, "", "consume", "greetings", "-e", "-f", `%p/%o %k=%v %h\n`)
	n.expect("stderr: moldau: create topic greetings: TOPIC_ALREADY_EXISTS: Topic 'greetings' already exists.\nexit 1\n", "", "topic", "create", "greetings")
	n.expect("altered topic greetings\n", "", "topic", "alter", "greetings", "-c", "retention.ms=100000", "-p", "3")
	n.expect("NAME          VALUE   SOURCE\nretention.ms  100000  dynamic_topic_config\n", "", "config", "describe", "topic", "greetings")
	n.expect("TOPIC      PARTITIONS  REPLICAS\nauto       1           1\ngreetings  3           1\n", "", "topic", "list")
	cluster := n.cli("", "cluster", "--format", "json")
	n.checkHTTP()
	n.stop()

	n = startNode(t, dir)
	n.expect(records, "", "consume", "greetings", "-e", "-f", `%p/%o %k=%v %h\n`)
	n.expect("deleted topic auto\n", "", "topic", "delete", "auto")
	n.expect("TOPIC      PARTITIONS  REPLICAS\ngreetings  3           1\n", "", "topic", "list")
	if again := n.cli("", "cluster", "--format", "json"); clusterID(again) == "" || clusterID(again) != clusterID(cluster) {
		t.Errorf("the cluster was %q and is %q", clusterID(cluster), clusterID(again))
	}
	n.stop()

	dumped := invoke(nil, "", "dump", filepath.Join(dir, "greetings-1", "00000000000000000000.log"))
	if !strings.Contains(dumped, "key: k2 payload: v2") {
		t.Errorf("dump: %s", dumped)
	}
}

func clusterID(s string) string {
	match := regexp.MustCompile(`"clusterId": "([^"]+)"`).FindStringSubmatch(s)
	if match == nil {
		return ""
	}
	return match[1]
}

func (n *startedNode) checkHTTP() {
	n.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for path, want := range map[string]string{
		"/readyz": "ok\n", "/healthz": "ok\n", "/debug/pprof/cmdline": "",
		"/metrics": `kafka_server_brokertopicmetrics_messagesin_total{topic="greetings"} 2`,
	} {
		resp, err := client.Get("http://" + n.http + path)
		if err != nil {
			n.t.Error(err)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			n.t.Errorf("%s: status %d, %v, %d bytes without %q", path, resp.StatusCode, err, len(body), want)
		}
	}
}

// A directory that another node holds refuses the start, in one line.
func TestDirectoryIsHeld(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	n := startNode(t, dir)
	got := invoke(nil, "", "start", "--data", dir, "--listen", "127.0.0.1:0", "--controller-listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--set", "moldau.log.level=error")
	if !strings.HasSuffix(got, "exit 1\n") || strings.Count(got, "\n") != 2 || !strings.Contains(got, dir) {
		t.Errorf("got %s", got)
	}
	n.stop()
}

// An address that is taken refuses the start, in one line.
func TestAddressIsTaken(t *testing.T) {
	n := startNode(t, filepath.Join(t.TempDir(), "data"))
	for _, flag := range []string{"--listen", "--http"} {
		addresses := map[string]string{"--listen": "127.0.0.1:0", "--controller-listen": "127.0.0.1:0", "--http": "127.0.0.1:0"}
		addresses[flag] = n.kafka
		args := []string{"start", "--data", filepath.Join(t.TempDir(), "data"), "--set", "moldau.log.level=error"}
		for _, name := range sortedKeys(addresses) {
			args = append(args, name, addresses[name])
		}
		got := invoke(nil, "", args...)
		if !strings.HasSuffix(got, "exit 1\n") || strings.Count(got, "\n") != 2 || !strings.Contains(got, n.kafka) {
			t.Errorf("%s: got %s", flag, got)
		}
	}
	n.stop()
}
