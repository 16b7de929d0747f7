package broker_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
)

// fullFetch is the first fetch on a connection of a follower that has offset records.
func (tr *trio) fullFetch(broker int32, brokerEpoch, offset int64) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxBytes, req.ReplicaID = 17, 1<<20, broker
	req.ReplicaState.ID, req.ReplicaState.Epoch = broker, brokerEpoch
	p := kmsg.NewFetchRequestTopicPartition()
	p.CurrentLeaderEpoch, p.FetchOffset, p.PartitionMaxBytes = tr.partition(0).LeaderEpoch, offset, 1<<20
	if offset > 0 {
		p.LastFetchedEpoch = p.CurrentLeaderEpoch
	}
	topic := kmsg.NewFetchRequestTopic()
	topic.TopicID, topic.Partitions = tr.topic, []kmsg.FetchRequestTopicPartition{p}
	req.Topics = []kmsg.FetchRequestTopic{topic}
	return req
}

// TestLateFetchOfABrokenConnection: what a follower sent by a connection that broke
// arrives when it fetches by another one already. It must not keep the leader from
// telling the follower of what comes.
func TestLateFetchOfABrokenConnection(t *testing.T) {
	tr := newTrio(t, 1)
	c := tr.client(0)
	tr.append(c, 0, "a")
	end := tr.append(c, 0, "b") + 1
	for round := range 10 {
		for hw := int64(0); hw < end; { // then the follower has been told all, and its fetch waits
			s, _ := tr.members[1].manager.Find(kafka.TopicPartition{Topic: tr.topic}).Status()
			hw = s.HighWatermark
			tr.clock.Sleep(time.Millisecond, nil)
		}
		late := tr.client(0)
		frame := kmsg.NewRequestFormatter().AppendRequest(nil, tr.fullFetch(1, tr.members[1].epoch, int64(round%2)), 1)
		if _, err := late.conn.Write(frame); err != nil {
			t.Fatal(err)
		}
		_, _ = late.conn.Read(make([]byte, 1)) // an answer, or the end of the connection
		end = tr.append(c, 0, "c") + 1
	}
}

// TestFetchOfAnotherIncarnation: a fetch of an incarnation of before is refused, and
// ends nothing; a connection is one broker's.
func TestFetchOfAnotherIncarnation(t *testing.T) {
	tr := newTrio(t, 1)
	c := tr.client(0)
	tr.append(c, 0, "a")
	for broker := range int32(2) {
		late := tr.client(0)
		req := tr.fullFetch(broker+1, tr.members[broker+1].epoch-1, 0)
		if a := late.ask(req).(*kmsg.FetchResponse); kafka.ErrorCode(a.ErrorCode) != kafka.ErrStaleBrokerEpoch {
			t.Errorf("an incarnation of before: %s", kafka.ErrorCode(a.ErrorCode))
		}
	}
	tr.append(c, 0, "b")

	other := tr.client(0)
	if a := other.ask(tr.fullFetch(7, 1, 0)).(*kmsg.FetchResponse); a.ErrorCode != 0 {
		t.Fatal(kafka.ErrorCode(a.ErrorCode))
	}
	if a := other.ask(tr.fullFetch(8, 1, 0)).(*kmsg.FetchResponse); kafka.ErrorCode(a.ErrorCode) != kafka.ErrInvalidRequest {
		t.Errorf("a second broker by one connection: %s", kafka.ErrorCode(a.ErrorCode))
	}
}
