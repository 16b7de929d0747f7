package attack

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moldau/moldau/tests/node"
)

const (
	// lonePerPhase records are sent by the good producer before each attack, and
	// then under it.
	lonePerPhase = 1000
	// hostileRounds of quiet and attack alternate. The best of them is judged:
	// whoever else uses the machine can only make a round worse.
	hostileRounds = 3
	// slowerMax is how many times its undisturbed p99 the good producer's p99 may take.
	slowerMax = 3
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

// goodProducer sends lone records and keeps their latencies.
type goodProducer struct {
	w    *wire
	next int64
}

func (g *goodProducer) run(t *testing.T, topic string, count int) (took []time.Duration) {
	t.Helper()
	raw := oneBatch("good")
	for range count {
		began := time.Now()
		code, base, err := g.w.produce(topic, 0, raw)
		if err != nil || code != 0 || base != g.next {
			t.Fatalf("the good producer: error %d, offset %d of %d, %v", code, base, g.next, err)
		}
		g.next++
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took
}

func p99(d []time.Duration) time.Duration { return d[len(d)*99/100] }

// TestHostileConnections: strangers cost the node bounded memory and do not
// stop a good producer, and nothing of them stays.
func TestHostileConnections(t *testing.T) {
	n := node.Start(t, node.Options{Apart: true})
	admin := mustDial(t, n.Kafka)
	admin.createTopic(t, "good", 1)
	admin.createTopic(t, "wide", 200)
	good := &goodProducer{w: mustDial(t, n.Kafka)}
	before := goroutines(t, n)
	best := math.Inf(1)
	for range hostileRounds {
		quiet := p99(good.run(t, "good", lonePerPhase))
		a := startAttackers(t, n.Kafka)
		busy := p99(good.run(t, "good", lonePerPhase))
		a.end()
		waitGoroutines(t, n, before)
		best = min(best, float64(busy)/float64(quiet))
		t.Logf("p99 of the good producer %s under attack, %s undisturbed; peak RSS %d MB", busy, quiet, procStatus(t, n.PID, "VmHWM")/1e6)
	}
	if best > slowerMax {
		t.Errorf("under attack the good producer's p99 is %.1f times the undisturbed, at most %d are allowed", best, slowerMax)
	}
	if peak := procStatus(t, n.PID, "VmHWM"); peak > rssMax {
		t.Errorf("peak RSS %d bytes, at most %d are allowed", peak, int64(rssMax))
	}
}

// goroutines asks the node how many it runs.
func goroutines(t *testing.T, n *node.Node) int {
	t.Helper()
	for line := range strings.Lines(httpGet(t, "http://"+n.HTTP+"/metrics")) {
		if rest, ok := strings.CutPrefix(line, "go_goroutines "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				t.Fatal(err)
			}
			return int(v)
		}
	}
	t.Fatal("no go_goroutines among the metrics")
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
		if now = goroutines(t, n); now <= before+spare {
			return
		}
	}
	t.Errorf("%d goroutines, %d before the attack:\n%.6000s", now, before, httpGet(t, "http://"+n.HTTP+"/debug/pprof/goroutine?debug=1"))
}
