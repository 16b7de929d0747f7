package quorum

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/disk/osfs"
)

// TestMemory: an active controller of 100,000 partitions with three replicas
// each, its image, its decisions, raft's state and the records kept for observers
// included, takes at most 100 MB of live heap.
func TestMemory(t *testing.T) {
	t.Chdir(t.TempDir())
	live := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / 1e6
	}
	before := live()
	n := mustStart(t, osfs.New(), 1, func(c *Config) {
		c.Machine.SessionTimeout, c.SnapshotBytes = time.Hour, 20<<20
	})
	defer n.q.Kill()
	n.register()
	for id := int32(1); id <= 3; id++ {
		n.serveAs(id)
	}
	for i := range 1000 {
		req := createTopic(fmt.Sprintf("topic-%d", i), 100)
		req.Topics[0].ReplicationFactor = 3
		if r := n.ask(req).(*kmsg.CreateTopicsResponse); r.Topics[0].ErrorCode != 0 {
			t.Fatalf("create: %s", kafka.ErrorCode(r.Topics[0].ErrorCode))
		}
	}
	after := live()
	t.Logf("%d partitions: %.1f MB", n.holder.Load().NumPartitions(), after-before)
	if n.holder.Load().NumPartitions() != 100_000 || after-before > 100 {
		t.Errorf("%d partitions in %.1f MB", n.holder.Load().NumPartitions(), after-before)
	}
}

// serveAs registers a broker and has it unfenced.
func (n *node) serveAs(id int32) {
	n.t.Helper()
	req := kmsg.NewPtrBrokerRegistrationRequest()
	req.SetVersion(4)
	req.BrokerID, req.ClusterID, req.IncarnationID = id, n.id.ClusterID, [16]byte{15: 9, 1: byte(id), 0: byte(n.holder.Load().Offset())}
	req.LogDirs = [][16]byte{{1: byte(id), 15: 1}}
	if id == 1 {
		req.LogDirs = [][16]byte{n.id.Metadata}
	}
	for _, f := range n.q.cfg.Machine.Supported {
		req.Features = append(req.Features, kmsg.BrokerRegistrationRequestFeature{Name: f.Name, MinSupportedVersion: f.Min, MaxSupportedVersion: f.Max})
	}
	req.Listeners = []kmsg.BrokerRegistrationRequestListener{{Name: "PLAINTEXT", Host: "127.0.0.1", Port: uint16(9092 + id)}}
	req.PreviousBrokerEpoch = -1
	r := n.ask(req).(*kmsg.BrokerRegistrationResponse)
	if r.ErrorCode != 0 {
		n.t.Fatalf("register %d: %s", id, kafka.ErrorCode(r.ErrorCode))
	}
	for fenced := true; fenced; {
		beat := kmsg.NewPtrBrokerHeartbeatRequest()
		beat.SetVersion(1)
		beat.BrokerID, beat.BrokerEpoch, beat.CurrentMetadataOffset = id, r.BrokerEpoch, n.holder.Load().Offset()
		a := n.ask(beat).(*kmsg.BrokerHeartbeatResponse)
		if a.ErrorCode != 0 {
			n.t.Fatalf("heartbeat %d: %s", id, kafka.ErrorCode(a.ErrorCode))
		}
		fenced = a.IsFenced
	}
}
