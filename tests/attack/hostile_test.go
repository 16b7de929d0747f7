package attack

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moldau/moldau/tests/hostile"
	"github.com/moldau/moldau/tests/node"
)

const (
	// loneUnderAttack records at least are sent by the good producer while an attack is on.
	loneUnderAttack = 400
	// evictedMin attackers at least the node must have ended before an attack ends.
	evictedMin = 100
	// hostileRounds are attacks, one after the other: what one leaves behind adds
	// to the next.
	hostileRounds = 2
	// rssMax is what a node may take at its peak, in bytes.
	rssMax = 300_000_000
)

// procStatus reads one size of /proc/PID/status in bytes.
func procStatus(t *testing.T, pid int, key string) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skipf("no /proc: %v", err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatalf("no %s in /proc/%d/status", key, pid)
	return 0
}

// goodProducer sends lone records.
type goodProducer struct {
	w    *wire
	next int64
}

// run sends count records, each when the one before is acked.
func (g *goodProducer) run(t *testing.T, topic string, count int) {
	t.Helper()
	raw := oneBatch("good")
	for range count {
		code, base, err := g.w.produce(topic, 0, raw)
		if err != nil || code != 0 || base != g.next {
			t.Fatalf("the good producer: error %d, offset %d of %d, %v", code, base, g.next, err)
		}
		g.next++
	}
}

// TestHostileConnections: while a crowd is at it, every record of a good
// producer is acked on the connection that it has, and it is the crowd's frames that
// are evicted; the node's memory is bounded, and nothing of them stays. How
// much slower a good producer is under attack, `make bench` measures.
func TestHostileConnections(t *testing.T) {
	n := node.Start(t, node.Options{})
	crowd := node.Crowd(t)
	admin := mustDial(t, n.Kafka)
	admin.createTopic(t, "good", 1)
	admin.createTopic(t, hostile.WideTopic, 200)
	good := &goodProducer{w: mustDial(t, n.Kafka)}
	good.run(t, "good", 1)
	before := int(metric(t, n, "go_goroutines"))
	for range hostileRounds {
		was := metric(t, n, evictedMetric)
		attack, err := hostile.Start(crowd, n.Kafka)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = attack.End() }) // it has ended where the test passed
		sent := 0
		for evicted := 0.0; sent < loneUnderAttack || evicted < evictedMin; sent += 100 {
			good.run(t, "good", 100)
			evicted = metric(t, n, evictedMetric) - was
		}
		if err := attack.End(); err != nil {
			t.Error(err)
		}
		waitGoroutines(t, n, before)
		t.Logf("%d good records acked, %.0f of the crowd evicted; peak RSS %d MB", sent, metric(t, n, evictedMetric)-was, procStatus(t, n.PID, "VmHWM")/1e6)
	}
	if peak := procStatus(t, n.PID, "VmHWM"); peak > rssMax {
		t.Errorf("peak RSS %d bytes, at most %d are allowed", peak, int64(rssMax))
	}
}

const evictedMetric = "moldau_requests_evicted_total"

// metric asks the node for a metric without labels.
func metric(t *testing.T, n *node.Node, name string) float64 {
	t.Helper()
	for line := range strings.Lines(httpGet(t, "http://"+n.HTTP+"/metrics")) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("no %s among the metrics", name)
	return 0
}

// waitGoroutines waits until the node runs no more goroutines than before,
// but for a few of connections that the test itself keeps.
func waitGoroutines(t *testing.T, n *node.Node, before int) {
	t.Helper()
	const spare = 10
	deadline := time.Now().Add(patience)
	now := 0
	for time.Now().Before(deadline) {
		if now = int(metric(t, n, "go_goroutines")); now <= before+spare {
			return
		}
	}
	t.Errorf("%d goroutines, %d before the attack:\n%.6000s", now, before, httpGet(t, "http://"+n.HTTP+"/debug/pprof/goroutine?debug=1"))
}
