package attack

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/tests/hostile"
	"github.com/moldau/moldau/tests/node"
)

const (
	idleConns = 10_000
	// idleBytesMax is what the node may take for an idle connection.
	idleBytesMax = 16 << 10
	// pipelined produces are sent before the first answer is read.
	pipelined = 64
)

// files reports whether this process and its children may open n files.
func files(t *testing.T, n uint64) bool {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	return limit.Max >= n
}

// Ten thousand idle connections cost little memory each, and others are served.
func TestIdleConnections(t *testing.T) {
	if !files(t, 2*idleConns) {
		t.Skip("the limit of open files is too low")
	}
	n := node.Start(t, node.Options{})
	w := mustDial(t, n.Kafka)
	w.createTopic(t, "good", 1)
	before := procStatus(t, n.PID, "VmRSS")
	open := make([]net.Conn, 0, idleConns)
	defer func() {
		for _, c := range open {
			_ = c.Close() // the test is over
		}
	}()
	for range idleConns {
		c, err := net.DialTimeout("tcp", n.Kafka, patience)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	// The last ones are accepted when they are answered.
	last := &wire{conn: open[idleConns-1]}
	last.mustAsk(t, kmsg.NewPtrApiVersionsRequest())
	good := &goodProducer{w: w}
	good.run(t, "good", 100)
	each := (procStatus(t, n.PID, "VmRSS") - before) / idleConns
	t.Logf("%d bytes for each of %d idle connections", each, idleConns)
	if each > idleBytesMax {
		t.Errorf("an idle connection takes %d bytes, at most %d are allowed", each, idleBytesMax)
	}
}

// Where connections take the open files, the node says so, keeps enough of them
// for its log, serves who is connected, and others when files are free.
func TestOutOfFiles(t *testing.T) {
	const limit = 256
	n := node.Start(t, node.Options{Wrap: []string{"sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$0" "$@"`, limit)}})
	w := mustDial(t, n.Kafka)
	w.createTopic(t, "good", 1)
	good := &goodProducer{w: w}
	var open []net.Conn
	for range limit {
		open = append(open, mustDial(t, n.Kafka).conn)
	}
	for deadline := time.Now().Add(patience); !strings.Contains(n.Log(), "accept-blocked"); {
		if time.Now().After(deadline) {
			t.Fatal("nothing is said of files that ran out")
		}
		good.run(t, "good", 10)
	}
	if !strings.Contains(n.Log(), "ulimit -n") {
		t.Error("the log does not say what to do")
	}
	good.run(t, "good", 10)
	for _, c := range open {
		_ = c.Close() // files are free again
	}
	mustDial(t, n.Kafka).mustAsk(t, kmsg.NewPtrApiVersionsRequest())
}

// Sixty-four produces that are sent at once are answered in their order.
func TestPipelinedProduces(t *testing.T) {
	n := node.Start(t, node.Options{})
	w := mustDial(t, n.Kafka)
	w.createTopic(t, "t", 4)
	var all []byte
	for i := range int32(pipelined) {
		all = append(all, w.frame(produceOf("t", i%4, 1, -1, oneBatch(fmt.Sprint(i))))...)
	}
	first := w.next - pipelined + 1
	if _, err := w.conn.Write(all); err != nil {
		t.Fatal(err)
	}
	for i := range int32(pipelined) {
		id, b, err := w.receive()
		if err != nil || id != first+i {
			t.Fatalf("answer %d has id %d, want %d; %v", i, id, first+i, err)
		}
		resp, err := decodeAnswer(produceOf("t", 0, 1, -1, nil), b)
		if err != nil {
			t.Fatal(err)
		}
		p := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
		if p.ErrorCode != 0 || p.Partition != i%4 || p.BaseOffset != int64(i/4) {
			t.Errorf("answer %d: partition %d, offset %d, error %d", i, p.Partition, p.BaseOffset, p.ErrorCode)
		}
	}
}

// A producer with acks=0 whose batch is refused learns it by the end of its
// connection, as from Kafka; a good batch leaves the connection open.
func TestAcksNoneEndsTheConnection(t *testing.T) {
	n := node.Start(t, node.Options{})
	mustDial(t, n.Kafka).createTopic(t, "t", 1)
	w := mustDial(t, n.Kafka)
	if err := w.send(produceOf("t", 0, 1, 0, oneBatch("good"))); err != nil {
		t.Fatal(err)
	}
	w.mustAsk(t, kmsg.NewPtrApiVersionsRequest())
	bad := oneBatch("bad")
	bad[len(bad)-1] ^= 1 // the checksum is wrong
	if err := w.send(produceOf("t", 0, 1, 0, bad)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.receive(); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after a refused batch: %v, want the end of the connection", err)
	}
}

// fetchAll is a fetch of up to a gigabyte of a topic's partition.
func fetchAll(id [16]byte) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxBytes, req.SessionEpoch = 13, 1<<30, -1
	topic := kmsg.NewFetchRequestTopic()
	topic.TopicID = id
	p := kmsg.NewFetchRequestTopicPartition()
	p.PartitionMaxBytes = 1 << 30
	topic.Partitions = append(topic.Partitions, p)
	req.Topics = append(req.Topics, topic)
	return req
}

// Consumers that ask for much and read nothing, and others that leave in the
// middle of an answer, hold neither memory nor goroutines.
func TestConsumersThatDoNotRead(t *testing.T) {
	const consumers, batches = 100, 32
	n := node.Start(t, node.Options{})
	w := mustDial(t, n.Kafka)
	id := w.createTopic(t, "t", 1)
	for range batches {
		if code, _, err := w.produce("t", 0, oneBatch(strings.Repeat("x", 1<<20-100))); code != 0 || err != nil {
			t.Fatalf("error %d, %v", code, err)
		}
	}
	goroutinesBefore, before := int(metric(t, n, "go_goroutines")), procStatus(t, n.PID, "VmRSS")
	for i := range consumers {
		c := mustDial(t, n.Kafka)
		for range 4 {
			if err := c.send(fetchAll(id)); err != nil {
				t.Fatal(err)
			}
		}
		if i%2 == 0 { // in the middle of an answer
			if _, err := io.ReadFull(c.conn, make([]byte, 100_000)); err != nil {
				t.Fatal(err)
			}
			_ = c.conn.Close()
		} else {
			defer c.conn.Close()
			if _, err := io.ReadFull(c.conn, make([]byte, 1)); err != nil { // its answer is under way
				t.Fatal(err)
			}
		}
	}
	grown := procStatus(t, n.PID, "VmHWM") - before
	t.Logf("the node grew by %d MB", grown>>20)
	if grown > consumers<<19 {
		t.Errorf("the node grew by %d MB for consumers that do not read %d MB each", grown>>20, batches)
	}
	waitGoroutines(t, n, goroutinesBefore+consumers/2)
	if code, _, err := w.produce("t", 0, oneBatch("after")); code != 0 || err != nil {
		t.Errorf("afterwards: error %d, %v", code, err)
	}
}

// Garbage on any listener ends that connection and harms nobody.
func TestGarbageOnEveryListener(t *testing.T) {
	n := node.Start(t, node.Options{})
	rng := rand.New(rand.NewPCG(3, 3))
	for _, addr := range []string{n.Kafka, n.Controller, n.HTTP} {
		for range 200 {
			c, err := net.DialTimeout("tcp", addr, patience)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = c.Write(hostile.GarbageFrame(rng)) // it may be closed at once
			_ = c.Close()
		}
	}
	for _, path := range []string{"/" + strings.Repeat("x", 1<<20), "/%zz", "/metrics?" + strings.Repeat("a=b&", 1<<16), "/debug/pprof/../../etc/passwd"} {
		if resp, err := http.Get("http://" + n.HTTP + path); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode < 400 && !strings.HasPrefix(path, "/metrics") {
				t.Errorf("%.40s: %s", path, resp.Status)
			}
		}
	}
	if got := httpGet(t, "http://"+n.HTTP+"/readyz"); got != "ok\n" {
		t.Errorf("/readyz: %q", got)
	}
	w := mustDial(t, n.Kafka)
	w.createTopic(t, "t", 1)
	if code, _, err := w.produce("t", 0, oneBatch("after")); code != 0 || err != nil {
		t.Errorf("afterwards: error %d, %v", code, err)
	}
}

// smallDisk mounts a file system of bytes, where that is permitted.
func smallDisk(t *testing.T, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+strconv.Itoa(bytes), "moldau-test", dir).CombinedOutput(); err != nil {
		t.Skipf("a small file system cannot be mounted: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("unmount %s: %v: %s", dir, err, out)
		}
	})
	return dir
}

// A real disk that is full refuses by KAFKA_STORAGE_ERROR, stays online, and
// goes on when there is space; nothing that was acknowledged is lost.
func TestFullDisk(t *testing.T) {
	const storageError = 56
	dir := smallDisk(t, 24<<20)
	hog := filepath.Join(dir, "hog")
	if err := os.WriteFile(hog, make([]byte, 8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	o := node.Options{Data: filepath.Join(dir, "data"), Flags: []string{"--set", "log.segment.bytes=1048576"}}
	n := node.Start(t, o)
	w := mustDial(t, n.Kafka)
	id := w.createTopic(t, "t", 1, [2]string{"retention.ms", "-1"}) // the records of tests are old
	var acked []string
	produce := func() int16 {
		t.Helper()
		value := fmt.Sprint(len(acked), strings.Repeat("x", 100_000))
		code, base, err := w.produce("t", 0, oneBatch(value))
		switch {
		case err != nil:
			t.Fatal(err)
		case code == 0 && base != int64(len(acked)):
			t.Fatalf("record %d has offset %d", len(acked), base)
		case code == 0:
			acked = append(acked, value)
		}
		return code
	}
	refused := 0
	for i := 0; i < 400 && refused < 10; i++ {
		switch code := produce(); code {
		case 0:
		case storageError:
			refused++
		default:
			t.Fatalf("error %d on a full disk", code)
		}
	}
	if refused < 10 || len(acked) == 0 {
		t.Fatalf("%d acknowledged, %d refused", len(acked), refused)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if got := httpGet(t, "http://"+n.HTTP+path); !strings.HasPrefix(got, "ok\n") {
			t.Errorf("%s: %q", path, got)
		}
	}
	if err := os.Remove(hog); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); produce() != 0; {
		if time.Now().After(deadline) {
			t.Fatal("there is space again, and still nothing is taken")
		}
	}
	compare(t, w, id, acked)
	if err := n.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	n = node.Start(t, o)
	compare(t, mustDial(t, n.Kafka), id, acked)
}

// compare reads partition 0 and wants the values.
func compare(t *testing.T, w *wire, id [16]byte, want []string) {
	t.Helper()
	codecs := batch.NewCodecs(batch.Limits{})
	next := 0
	for next < len(want) {
		req := fetchAll(id)
		req.Topics[0].Partitions[0].FetchOffset = int64(next)
		p := w.mustAsk(t, req).(*kmsg.FetchResponse).Topics[0].Partitions[0]
		if p.ErrorCode != 0 || len(p.RecordBatches) == 0 {
			t.Fatalf("fetch from %d: error %d, %d bytes", next, p.ErrorCode, len(p.RecordBatches))
		}
		for raw := p.RecordBatches; len(raw) > 0; {
			h, b, rest, err := batch.Next(raw)
			if err != nil {
				break // the last one is cut off
			}
			body, err := codecs.Body(h, b)
			if err != nil {
				t.Fatal(err)
			}
			for it := batch.Records(h, body); ; next++ {
				r, ok, err := it.Next()
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					break
				}
				if next >= len(want) || string(r.Value) != want[next] || r.Offset != int64(next) {
					t.Fatalf("record %d at offset %d is %.20q", next, r.Offset, r.Value)
				}
			}
			raw = rest
		}
	}
}
