package attack

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/tests/node"
)

const (
	// startupPartitions of the test; MOLDAU_STARTUP_PARTITIONS and
	// MOLDAU_STARTUP_KB (of data in each) say otherwise.
	startupPartitions = 500
	startupKB         = 64
	// partitionsPerRequest of a produce that fills them.
	partitionsPerRequest = 100
)

func envInt(t *testing.T, name string, otherwise int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	v, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// TestManyPartitionsAfterAKill: a node with many partitions that was killed
// under load has them all again, to the end of what it acked. The times are in
// the log.
func TestManyPartitionsAfterAKill(t *testing.T) {
	partitions := int32(envInt(t, "MOLDAU_STARTUP_PARTITIONS", startupPartitions))
	kb := envInt(t, "MOLDAU_STARTUP_KB", startupKB)
	n := node.Start(t, node.Options{Data: filepath.Join(t.TempDir(), "data")})
	w := mustDial(t, n.Kafka)
	w.createTopic(t, "many", partitions)
	raw := oneBatch(strings.Repeat("x", min(kb, 256)<<10))
	acked := make([]int64, partitions)
	fill := func(first int32, raw []byte) {
		t.Helper()
		resp := w.mustAsk(t, produceOf("many", first, min(partitionsPerRequest, partitions-first), -1, raw))
		for _, p := range resp.(*kmsg.ProduceResponse).Topics[0].Partitions {
			if p.ErrorCode != 0 {
				t.Fatalf("produce to partition %d: error %d", p.Partition, p.ErrorCode)
			}
			acked[p.Partition] = p.BaseOffset + 1
		}
	}
	for range max(kb/256, 1) {
		for first := int32(0); first < partitions; first += partitionsPerRequest {
			fill(first, raw)
		}
	}
	small := oneBatch(strings.Repeat("y", 1000))
	for first := int32(0); first < partitions; first += partitionsPerRequest {
		fill(first, small)
	}
	// One more round is under way when it ends.
	for first := int32(0); first < partitions; first += partitionsPerRequest {
		if err := w.send(produceOf("many", first, min(partitionsPerRequest, partitions-first), -1, small)); err != nil {
			t.Fatal(err)
		}
	}
	n.Kill()

	began := time.Now()
	n = node.Start(t, node.Options{Data: n.Data})
	ready := time.Since(began)
	w = mustDial(t, n.Kafka)
	ends := listEnds(t, w, "many", partitions)
	answered := time.Since(began)
	for p, end := range ends {
		if end < acked[p] {
			t.Errorf("partition %d ends at %d, %d was acked", p, end, acked[p])
		}
	}
	t.Logf("%d partitions of %d KB: ready after %s, all answer after %s", partitions, kb, ready, answered)
	for line := range strings.Lines(n.Log()) {
		if strings.Contains(line, "log-directory-recovered") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

// listEnds are the ends of all partitions.
func listEnds(t *testing.T, w *wire, topic string, partitions int32) []int64 {
	t.Helper()
	req := kmsg.NewPtrListOffsetsRequest()
	req.Version, req.ReplicaID = 6, -1
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic = topic
	for p := range partitions {
		rp := kmsg.NewListOffsetsRequestTopicPartition()
		rp.Partition, rp.Timestamp, rp.CurrentLeaderEpoch = p, -1, -1
		rt.Partitions = append(rt.Partitions, rp)
	}
	req.Topics = append(req.Topics, rt)
	var failed string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		ends := make([]int64, partitions)
		failed = ""
		for _, p := range w.mustAsk(t, req).(*kmsg.ListOffsetsResponse).Topics[0].Partitions {
			if p.ErrorCode != 0 {
				failed = fmt.Sprintf("partition %d: error %d", p.Partition, p.ErrorCode)
			}
			ends[p.Partition] = p.Offset
		}
		if failed == "" {
			return ends
		}
	}
	t.Fatalf("list offsets: %s", failed)
	return nil
}
