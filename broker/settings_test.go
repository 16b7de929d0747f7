package broker_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/disk/faultfs"
	"github.com/moldau/moldau/disk/memfs"
)

// Retention is looked at as often as log.retention.check.interval.ms says.
func TestRetentionCheckInterval(t *testing.T) {
	n := startNode(t, memfs.New(), config.Property{Name: "log.retention.check.interval.ms", Value: "100"})
	defer n.stop()
	c := n.client()
	c.createTopic("t", 1, "retention.ms=1", "file.delete.delay.ms=0")
	if p := c.produce("t", 0, -1, records(t, batch.CodecNone, "old")); p.ErrorCode != 0 {
		t.Fatal(kafka.ErrorCode(p.ErrorCode))
	}
	for deadline := time.Now().Add(patience); c.listOffset("t", 0, -2).Offset != 1; {
		if time.Now().After(deadline) {
			t.Fatal("what has expired is still there")
		}
	}
}

// A commit that does not become durable within offsets.commit.timeout.ms is
// answered; the disk may hang for longer.
func TestCommitTimeout(t *testing.T) {
	fsys := faultfs.New(memfs.New(), sysclock.New())
	n, err := launch(t, fsys, 1, &eventLog{}, config.Property{Name: "offsets.commit.timeout.ms", Value: "50"},
		config.Property{Name: "offsets.topic.num.partitions", Value: "1"})
	if err != nil {
		t.Fatal(err)
	}
	c := n.client()
	c.createTopic("t", 1)
	awaitCoordinator(c, "g")
	commit := func(at int64) { // tried again, as clients do: this machine may be busy for longer than the limit
		t.Helper()
		for deadline := time.Now().Add(patience); ; {
			code := c.commit("g", "t", 0, at)
			if code == kafka.ErrNone {
				return
			}
			if code != kafka.ErrCoordinatorNotAvailable || time.Now().After(deadline) {
				t.Fatal(code)
			}
		}
	}
	commit(1)
	hold := make(chan struct{})
	remove := fsys.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.OpSync}, Pattern: "data/__consumer_offsets-0/*", Hold: hold})
	journal := fsys.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.OpSync}, Pattern: "data/*", Hold: hold})
	if code := c.commit("g", "t", 0, 2); code != kafka.ErrCoordinatorNotAvailable {
		t.Errorf("a commit to a disk that hangs: %s", code)
	}
	remove()
	journal()
	close(hold)
	commit(3)
	n.stop()
}

// Coordinators load with a buffer of any size.
func TestOffsetsLoadBuffer(t *testing.T) {
	mem := memfs.New()
	small := []config.Property{{Name: "offsets.load.buffer.size", Value: "1"}, {Name: "offsets.topic.num.partitions", Value: "1"}}
	n := startNode(t, mem, small...)
	c := n.client()
	c.createTopic("t", 1)
	awaitCoordinator(c, "g")
	for at := range int64(20) {
		if code := c.commit("g", "t", 0, at); code != kafka.ErrNone {
			t.Fatal(code)
		}
	}
	n.stop()
	n = startIncarnation(t, mem, 8, small...)
	defer n.stop()
	c = n.client()
	awaitCoordinator(c, "g")
	if at, err := c.committed("g", "t", 0); err != nil || at != 19 {
		t.Errorf("committed %d, %v", at, err)
	}
}

// A page of DescribeTopicPartitions has at most max.request.partition.size.limit partitions.
func TestPartitionSizeLimit(t *testing.T) {
	n := startNode(t, memfs.New(), config.Property{Name: "max.request.partition.size.limit", Value: "2"})
	defer n.stop()
	c := n.client()
	c.createTopic("t", 5)
	resp := c.ask(&kmsg.DescribeTopicPartitionsRequest{ResponsePartitionLimit: 2000}).(*kmsg.DescribeTopicPartitionsResponse)
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 2 || resp.NextCursor == nil || resp.NextCursor.Partition != 2 {
		t.Errorf("got %+v", resp)
	}
}
