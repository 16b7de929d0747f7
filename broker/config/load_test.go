package config

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// The cases of testdata/load: properties in, the node, warnings and errors out.
func TestLoad(t *testing.T) {
	datadriven.RunTest(t, "testdata/load", func(t *testing.T, d *datadriven.TestData) string {
		properties, err := ParseProperties(strings.NewReader(d.Input))
		if err != nil {
			return "error: " + err.Error() + "\n"
		}
		b, report, err := Load(properties)
		var out strings.Builder
		for _, w := range report.Warnings {
			fmt.Fprintf(&out, "warning: %s\n", w)
		}
		if err != nil {
			for _, p := range strings.Split(err.Error(), "; ") {
				fmt.Fprintf(&out, "error: %s\n", p)
			}
			return out.String()
		}
		fmt.Fprintf(&out, "node %d broker=%v controller=%v\n", b.NodeID, b.IsBroker, b.IsController)
		fmt.Fprintf(&out, "clients %v advertised %v between brokers %s\n", b.ClientListeners(), b.Advertised, b.InterBroker)
		fmt.Fprintf(&out, "controllers %v voters %v join %v\n", b.ControllerListeners(), b.Voters, b.Join)
		fmt.Fprintf(&out, "dirs %v metadata %s\n", b.LogDirs, b.MetadataDir)
		return out.String()
	})
}

func TestLastOfTwoCounts(t *testing.T) {
	b, report, err := Load([]Property{{"node.id", "3", 1}, {"num.partitions", "2", 2}, {"node.id", "4", 0}})
	if err != nil || b.NodeID != 4 || b.NumPartitions != 2 || len(report.Warnings) != 0 {
		t.Errorf("got %+v, %v, %v", b, report, err)
	}
}

func TestSetHostname(t *testing.T) {
	b, _, err := Load([]Property{{"listeners", "PLAINTEXT://:9092,CONTROLLER://:9093", 1}})
	if err != nil {
		t.Fatal(err)
	}
	b.SetHostname("here")
	if got := b.Advertised[0].Address(); got != "here:9092" {
		t.Errorf("advertised %s", got)
	}
	if got := b.Listeners[0].Address(); got != ":9092" {
		t.Errorf("listens on %s", got)
	}
}

func TestRequestMemoryHoldsOneRequest(t *testing.T) {
	b, _, err := Load([]Property{{"moldau.request.memory.bytes", "8388608", 1}})
	if err != nil || b.RequestMemoryBytes != 100<<20 {
		t.Errorf("got %d, %v", b.RequestMemoryBytes, err)
	}
}

// Settings reach the node under the names that it reads.
func TestSettingsReachTheNode(t *testing.T) {
	for _, c := range []struct {
		name, value string
		got         func(b *Broker) any
		want        any
	}{
		{"queued.max.request.bytes", "209715200", func(b *Broker) any { return b.RequestMemoryBytes }, int64(200 << 20)},
		{"log.retention.check.interval.ms", "7", func(b *Broker) any { return b.RetentionCheck }, 7 * time.Millisecond},
		{"replica.high.watermark.checkpoint.interval.ms", "7", func(b *Broker) any { return b.CheckpointInterval }, 7 * time.Millisecond},
		{"num.recovery.threads.per.data.dir", "7", func(b *Broker) any { return b.RecoveryLanes }, 7},
		{"leader.imbalance.check.interval.seconds", "7", func(b *Broker) any { return b.LeaderRebalance }, 7 * time.Second},
		{"auto.leader.rebalance.enable", "false", func(b *Broker) any { return b.LeaderRebalance }, time.Duration(0)},
		{"socket.receive.buffer.bytes", "7", func(b *Broker) any { return b.SocketReceiveBytes }, 7},
		{"socket.send.buffer.bytes", "7", func(b *Broker) any { return b.SocketSendBytes }, 7},
		{"max.request.partition.size.limit", "7", func(b *Broker) any { return b.DescribePartitionsMax }, 7},
		{"offsets.load.buffer.size", "7", func(b *Broker) any { return b.OffsetsLoadBytes }, 7},
		{"offsets.commit.timeout.ms", "7", func(b *Broker) any { return b.OffsetsCommitTimeout }, 7 * time.Millisecond},
		{"initial.broker.registration.timeout.ms", "7", func(b *Broker) any { return b.RegistrationTimeout }, 7 * time.Millisecond},
		{"metadata.log.max.snapshot.interval.ms", "7", func(b *Broker) any { return b.MetadataSnapshotInterval }, 7 * time.Millisecond},
	} {
		b, report, err := Load([]Property{{c.name, c.value, 1}})
		if err != nil || len(report.Warnings) > 0 || c.got(b) != c.want || c.got(Default()) == c.want {
			t.Errorf("%s=%s: got %v, want %v (%v, %v)", c.name, c.value, c.got(b), c.want, report, err)
		}
	}
}
