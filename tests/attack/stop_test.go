package attack

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/tests/kafkajvm"
	"github.com/moldau/moldau/tests/node"
)

const (
	stopClients    = 4
	stopAcks       = 400 // before the stop
	stopPartitions = 12
)

// loaded puts a node under load until it ends and returns the number of
// records acked in each partition; wait ends when enough is acked.
type loaded struct {
	acked [stopPartitions]atomic.Int64
	all   atomic.Int64
	wg    sync.WaitGroup
	went  chan struct{}
}

func (l *loaded) run(t *testing.T, n *node.Node) {
	t.Helper()
	l.went = make(chan struct{})
	for c := range stopClients {
		w := mustDial(t, n.Kafka)
		l.wg.Add(1)
		go func() {
			defer l.wg.Done()
			raw := oneBatch(strings.Repeat("stop ", 200))
			for i := 0; ; i++ {
				p := int32((c + i*stopClients) % stopPartitions)
				code, _, err := w.produce("stopped", p, raw)
				if err != nil {
					return // the node has ended
				}
				if code != 0 {
					continue // it is stopping
				}
				l.acked[p].Add(1)
				if l.all.Add(1) == stopAcks {
					close(l.went)
				}
			}
		}()
	}
}

// TestCleanStopUnderLoad: SIGTERM under load exits 0, loses nothing acked, and
// leaves a directory of which Kafka's own tool reads every file.
func TestCleanStopUnderLoad(t *testing.T) {
	n := node.Start(t, node.Options{Data: filepath.Join(t.TempDir(), "data"), Flags: []string{"--set", "log.segment.bytes=1048576"}})
	w := mustDial(t, n.Kafka)
	w.createTopic(t, "stopped", stopPartitions)
	w.createTopic(t, "idle", 1)
	poll := mustDial(t, n.Kafka) // a long poll that has an hour to go
	if err := poll.send(fetchOf("idle", 0, 3_600_000)); err != nil {
		t.Fatal(err)
	}
	var l loaded
	l.run(t, n)
	<-l.went
	if err := n.Stop(); err != nil {
		t.Fatalf("the node ended with %v", err)
	}
	l.wg.Wait()
	if strings.Contains(n.Log(), "goroutine ") {
		t.Error("a stack trace in the log")
	}
	dumped := t.Run("dump", func(t *testing.T) { dumpAll(t, n.Data) })
	n = node.Start(t, node.Options{Data: n.Data})
	if !strings.Contains(n.Log(), "clean=true") {
		t.Errorf("the stop was not clean (dumped %v)", dumped)
	}
	ends := listEnds(t, mustDial(t, n.Kafka), "stopped", stopPartitions)
	for p, end := range ends {
		if acked := l.acked[p].Load(); end < acked {
			t.Errorf("partition %d ends at %d, %d were acked", p, end, acked)
		}
	}
}

// fetchOf is a fetch of one partition from its beginning.
func fetchOf(topic string, partition, waitMs int32) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.SessionEpoch = 11, waitMs, 1, 50<<20, -1
	tp := kmsg.NewFetchRequestTopic()
	tp.Topic = topic
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.PartitionMaxBytes, p.CurrentLeaderEpoch = partition, 50<<20, -1
	tp.Partitions = append(tp.Partitions, p)
	req.Topics = append(req.Topics, tp)
	return req
}

var dumpComplaint = regexp.MustCompile(`(?i)exception|error|mismatch|isvalid: false|corrupt|Found.*invalid|Could not`)

// dumpAll has Kafka's DumpLogSegments read all files of a directory.
func dumpAll(t *testing.T, data string) {
	jars := kafkajvm.Tools(t)
	var logs, indexes, metadata []string
	err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		inMetadata := strings.Contains(path, "__cluster_metadata")
		switch filepath.Ext(path) {
		case ".log":
			if !inMetadata {
				logs = append(logs, path)
			}
		case ".index", ".timeindex", ".txnindex", ".snapshot":
			if !inMetadata {
				indexes = append(indexes, path)
			}
		case ".checkpoint":
			if inMetadata {
				metadata = append(metadata, path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(logs) == 0 || len(indexes) == 0 || len(metadata) == 0 {
		t.Fatalf("%d segments, %d other files, %d checkpoints", len(logs), len(indexes), len(metadata))
	}
	const tool = "org.apache.kafka.tools.DumpLogSegments"
	out := jars.Run(t, "", tool, "--deep-iteration", "--verify-index-only", "--files", strings.Join(append(logs, indexes...), ","))
	out += jars.Run(t, "", tool, "--deep-iteration", "--files", strings.Join(logs, ","))
	out += jars.Run(t, "", tool, "--cluster-metadata-decoder", "--files", strings.Join(metadata, ","))
	for line := range strings.Lines(out) {
		if dumpComplaint.MatchString(line) && !json.Valid([]byte(line)) {
			t.Errorf("Kafka complains: %s", line)
		}
	}
	if !strings.Contains(out, "TOPIC_RECORD") || !strings.Contains(out, "baseOffset") {
		t.Errorf("the tool read nothing:\n%.2000s", out)
	}
	t.Logf("read %d segments, %d other files, %d checkpoints", len(logs), len(indexes), len(metadata))
}

// TestSecondSignalAndStopWhileStarting: a second SIGTERM ends the process at
// once, without a stack trace; SIGTERM while it starts ends it too; the data
// survives both.
func TestSecondSignalAndStopWhileStarting(t *testing.T) {
	n := node.Start(t, node.Options{Data: filepath.Join(t.TempDir(), "data")})
	w := mustDial(t, n.Kafka)
	w.createTopic(t, "stopped", stopPartitions)
	var l loaded
	l.run(t, n)
	<-l.went
	for range 2 {
		if err := n.Signal(syscall.SIGTERM); err != nil && err != os.ErrProcessDone {
			t.Fatal(err)
		}
	}
	_ = n.Wait() // 0 or 1, as the first or the second was quicker
	l.wg.Wait()
	if strings.Contains(n.Log(), "goroutine ") {
		t.Errorf("a stack trace:\n%s", n.Log())
	}
	for range 5 {
		if err := node.StopWhileStarting(t, node.Options{Data: n.Data}); err != nil {
			t.Fatalf("stopped while starting: %v", err)
		}
	}
	n = node.Start(t, node.Options{Data: n.Data})
	for p, end := range listEnds(t, mustDial(t, n.Kafka), "stopped", stopPartitions) {
		if acked := l.acked[p].Load(); end < acked {
			t.Errorf("partition %d ends at %d, %d were acked", p, end, acked)
		}
	}
}

// TestForeignDirectories: what is not this node's is refused by name and left
// as it was.
func TestForeignDirectories(t *testing.T) {
	n := node.Start(t, node.Options{Data: filepath.Join(t.TempDir(), "data")})
	if err := n.Stop(); err != nil {
		t.Fatal(err)
	}
	refused := func(name string, words []string, o node.Options) {
		t.Helper()
		err := node.Refused(t, o)
		for _, word := range words {
			if err == nil || !strings.Contains(err.Error(), word) {
				t.Errorf("%s: the refusal does not name %q: %v", name, word, err)
			}
		}
		if err != nil && strings.Contains(err.Error(), "goroutine ") {
			t.Errorf("%s: a stack trace", name)
		}
	}
	refused("another node's", []string{"node 1", "node 7", n.Data}, node.Options{Data: n.Data, Flags: []string{"--node-id", "7"}})
	meta := filepath.Join(n.Data, "meta.properties")
	was, err := os.ReadFile(meta)
	if err != nil {
		t.Fatal(err)
	}
	second := filepath.Join(t.TempDir(), "second")
	if err := os.MkdirAll(second, 0o755); err != nil {
		t.Fatal(err)
	}
	other := regexp.MustCompile(`cluster\.id=.*`).ReplaceAllString(string(was), "cluster.id=AAAAAAAAAAAAAAAAAAAAAA")
	other = regexp.MustCompile(`directory\.id=.*`).ReplaceAllString(other, "directory.id=BBBBBBBBBBBBBBBBBBBBBA")
	if err := os.WriteFile(filepath.Join(second, "meta.properties"), []byte(other), 0o644); err != nil {
		t.Fatal(err)
	}
	refused("another cluster's", []string{"AAAAAAAAAAAAAAAAAAAAAA", second}, node.Options{Data: n.Data, Flags: []string{"--set", fmt.Sprintf("log.dirs=%s,%s", n.Data, second)}})
	if err := os.Remove(meta); err != nil {
		t.Fatal(err)
	}
	refused("meta.properties missing", []string{"meta.properties"}, node.Options{Data: n.Data})
	for _, bad := range []string{"", "garbage", "version=9\nnode.id=1\n", strings.Replace(string(was), "version=1", "version=77", 1)} {
		if err := os.WriteFile(meta, []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		refused(fmt.Sprintf("meta.properties %.20q", bad), []string{"meta.properties"}, node.Options{Data: n.Data})
	}
	if err := os.WriteFile(meta, was, 0o644); err != nil {
		t.Fatal(err)
	}
	n = node.Start(t, node.Options{Data: n.Data})
	held := node.Refused(t, node.Options{Data: n.Data})
	if held == nil || !strings.Contains(held.Error(), "in use") {
		t.Errorf("a directory in use: %v", held)
	}
}

// TestKafkasDirectoryIsRefusedByName: a directory that Apache Kafka formatted
// and served from is refused, and nothing in it is touched.
func TestKafkasDirectoryIsRefusedByName(t *testing.T) {
	jars := kafkajvm.Server(t)
	dir := t.TempDir()
	data := filepath.Join(dir, "kafka")
	properties := filepath.Join(dir, "s.properties")
	text := fmt.Sprintf("process.roles=broker,controller\nnode.id=1\nlisteners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:1\n"+
		"controller.listener.names=CONTROLLER\ncontroller.quorum.voters=1@127.0.0.1:1\nlog.dirs=%s\n", data)
	if err := os.WriteFile(properties, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	jars.Run(t, "", "kafka.tools.StorageTool", "format", "-t", "4L6g3nShT-eMCtK--X86sw", "-c", properties)
	before := tree(t, data)
	err := node.Refused(t, node.Options{Data: data})
	if err == nil || !strings.Contains(err.Error(), "Kafka") || !strings.Contains(err.Error(), data) {
		t.Errorf("the refusal is %v", err)
	}
	for name := range tree(t, data) {
		if !before[name] && !strings.HasSuffix(name, ".lock") {
			t.Errorf("%s was made in Kafka's directory", name)
		}
	}
}

func tree(t *testing.T, dir string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		all[path] = true
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
