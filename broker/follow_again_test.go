package broker_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
)

// TestComesBackBelowTheLogStart: what a replica lacks was deleted while it was
// away; it begins anew at the leader's log start.
func TestComesBackBelowTheLogStart(t *testing.T) {
	tr := newTrio(t, 1)
	c := tr.client(0)
	tr.append(c, 0, "a")
	tr.stop(2)
	tr.elect(0, 0, 0, 1)
	for i := range 5 {
		tr.append(c, 0, fmt.Sprint("b", i))
	}
	if a := c.deleteRecords(trioTopic, 0, 4); a.ErrorCode != 0 || a.LowWatermark != 4 {
		t.Fatalf("%+v", a)
	}
	tr.start(2)
	tr.await("ISR of all", func(img *metaimage.Image) bool {
		return len(img.Partition(kafka.TopicPartition{Topic: tr.topic}).ISR) == 3
	})
	tr.append(c, 0, "c")
	for _, offset := range []int64{0, 3} {
		if a := tr.client(2).fetch(trioTopic, 0, offset); kafka.ErrorCode(a.ErrorCode) != kafka.ErrOffsetOutOfRange {
			t.Errorf("offset %d: %s", offset, kafka.ErrorCode(a.ErrorCode))
		}
	}
	at2 := tr.client(2)
	var got []string
	for len(got) < 3 {
		a := at2.fetch(trioTopic, 0, int64(4+len(got)))
		if code := kafka.ErrorCode(a.ErrorCode); code != kafka.ErrNone && code != kafka.ErrOffsetNotAvailable {
			t.Fatal(code)
		}
		got = append(got, values(t, a.RecordBatches)...)
	}
	if !slices.Equal(got, []string{"4=b3", "5=b4", "6=c"}) {
		t.Errorf("%q", got)
	}
}

// TestTopicIsMadeAgain: a topic of the same name has nothing of the one before,
// on any replica, though one of them was away when it was deleted.
func TestTopicIsMadeAgain(t *testing.T) {
	c := replicated(t)
	c.any().client().createTopicRF("t", 3)
	c.append("t", "old")
	away := c.seen("t").Leader%3 + 1
	c.stop(away)
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Version, req.TimeoutMillis, req.TopicNames = 5, 10_000, []string{"t"}
	if code := c.any().client().ask(req).(*kmsg.DeleteTopicsResponse).Topics[0].ErrorCode; code != 0 {
		t.Fatal(kafka.ErrorCode(code))
	}
	c.comeBack(away).awaitReady()
	c.any().client().createTopicRF("t", 3)
	c.append("t", "new")
	c.await("ISR of three", func() bool { return len(c.seen("t").ISR) == 3 })
	for id, n := range c.nodes {
		c.await("the new record", func() bool { return len(n.readAll("t")) > 0 })
		if got := n.readAll("t"); got[0] != "0=new" {
			t.Errorf("node %d: %q", id, got)
		}
	}
	c.stopAll()
}

// TestTooFewReplicas: with ISR below min.insync.replicas acks=all is refused,
// acks=1 is not; when a replica is back it is taken again.
func TestTooFewReplicas(t *testing.T) {
	tr := newTrio(t, 1)
	c := tr.client(0)
	tr.append(c, 0, "a")
	tr.stop(1)
	tr.stop(2)
	tr.elect(0, 0, 0)
	tr.appliedEverywhere()
	if a := c.produce(trioTopic, 0, -1, records(t, batch.CodecNone, "refused")); kafka.ErrorCode(a.ErrorCode) != kafka.ErrNotEnoughReplicas {
		t.Errorf("acks=all of too few: %s", kafka.ErrorCode(a.ErrorCode))
	}
	if a := c.produce(trioTopic, 0, 1, records(t, batch.CodecNone, "b")); a.ErrorCode != 0 || a.BaseOffset != 1 {
		t.Errorf("acks=1: %s", kafka.ErrorCode(a.ErrorCode))
	}
	tr.start(1)
	tr.append(c, 0, "c")
	if got := tr.read(1, 0, 3); !slices.Equal(got, []string{"0=a", "1=b", "2=c"}) {
		t.Errorf("%q", got)
	}
}

// TestOlderConnectionOfAFollower: what a follower once asked by a connection that it
// has given up comes late. The one that it uses is told of records all the same.
func TestOlderConnectionOfAFollower(t *testing.T) {
	tr := newTrio(t, 1)
	c := tr.client(0)
	tr.append(c, 0, "a")
	m := tr.members[1]
	for hw := int64(0); hw < 1; tr.clock.Sleep(time.Millisecond, nil) { // then it has nothing more to ask
		s, _ := m.manager.Find(kafka.TopicPartition{Topic: tr.topic}).Status()
		hw = s.HighWatermark
	}
	late := fetchOf(17, nil)
	late.ReplicaState = kmsg.FetchRequestReplicaState{ID: m.id, Epoch: m.epoch}
	late.SessionEpoch = 0
	p := kmsg.NewFetchRequestTopicPartition()
	p.CurrentLeaderEpoch, p.LastFetchedEpoch, p.PartitionMaxBytes = tr.partition(0).LeaderEpoch, -1, 1<<20
	late.Topics = []kmsg.FetchRequestTopic{{TopicID: tr.topic, Partitions: []kmsg.FetchRequestTopicPartition{p}}}
	resp := tr.client(0).fetchAll(late)
	if resp.ErrorCode != 0 || len(resp.Topics) != 1 || len(resp.Topics[0].Partitions[0].RecordBatches) == 0 {
		t.Fatalf("the older connection got %+v", resp)
	}
	tr.append(c, 0, "b")
	for leo := int64(0); leo < 2; leo, _ = tr.ends(1) { // without end where nobody tells it
		tr.clock.Sleep(time.Millisecond, nil)
	}
}
