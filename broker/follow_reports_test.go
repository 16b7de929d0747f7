package broker_test

import (
	"testing"
	"time"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/disk/faultfs"
)

// ends are LEO and durable end of a replica.
func (tr *trio) ends(i int) (leo, durable int64) {
	h := tr.members[i].manager.Find(kafka.TopicPartition{Topic: tr.topic})
	if h == nil {
		return -1, -1
	}
	s, _ := h.Status()
	return s.LEO, s.Durable
}

// TestDurableEndsAreReported: the followers' disks sync after their next fetches
// are parked; what completes the ack is their reports.
func TestDurableEndsAreReported(t *testing.T) {
	tr := newTrio(t, 1)
	c := tr.client(0)
	tr.append(c, 0, "a")
	release := make(chan struct{})
	for i := 1; i < 3; i++ {
		defer tr.members[i].faults.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.OpSync}, Hold: release})()
	}
	acked := make(chan kafka.ErrorCode, 1)
	go func() {
		acked <- kafka.ErrorCode(c.produce(trioTopic, 0, -1, records(t, batch.CodecNone, "b")).ErrorCode)
	}()
	for i := 1; i < 3; i++ {
		for leo := int64(0); leo < 2; leo, _ = tr.ends(i) {
			tr.clock.Sleep(time.Millisecond, nil)
		}
		if _, durable := tr.ends(i); durable != 1 {
			t.Errorf("broker %d: durable up to %d while its disk hangs", i, durable)
		}
	}
	select {
	case code := <-acked:
		t.Errorf("acked with %s before any follower's disk had it", code)
	default:
	}
	close(release)
	if code := <-acked; code != kafka.ErrNone {
		t.Error(code)
	}
}

// TestLeaderLearnsLateOfAnIncarnation: a follower is back and has everything
// before the leader's image shows its registration; until then its positions
// count for nothing, and it has no reason to send them again.
func TestLeaderLearnsLateOfAnIncarnation(t *testing.T) {
	tr := newTrio(t, 1)
	c := tr.client(0)
	tr.append(c, 0, "a")
	tr.stop(2)
	tr.elect(0, 0, 0, 1)
	tr.append(c, 0, "b")
	tr.appliedEverywhere()
	tr.members[0].gate.Lock()
	tr.start(2)
	for leo, durable := int64(0), int64(0); leo < 2 || durable < 2; leo, durable = tr.ends(2) {
		tr.clock.Sleep(time.Millisecond, nil)
	}
	tr.members[0].gate.Unlock()
	tr.await("ISR of all", func(img *metaimage.Image) bool {
		return len(img.Partition(kafka.TopicPartition{Topic: tr.topic}).ISR) == 3
	})
}
