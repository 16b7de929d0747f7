package quorum

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
)

// TestRaftStartsAnew: when a snapshot has taken the place of the log, raft starts
// anew on the same store, once, and the node goes on with what it had.
func TestRaftStartsAnew(t *testing.T) {
	n := mustStart(t, newFS(), 1, nil)
	n.unfence(n.register())
	n.create("before", 1)
	n.q.inbox.Offer(parted{life: 1})
	n.q.inbox.Offer(parted{life: 1}) // perhaps once more before it is heard
	for created := false; !created; {
		life := n.q.inst.Load().life // of no later instance than the one that answers
		r := n.ask(createTopic("after", 1)).(*kmsg.CreateTopicsResponse)
		switch code := kafka.ErrorCode(r.Topics[0].ErrorCode); code {
		case kafka.ErrNone, kafka.ErrTopicAlreadyExists:
			created = life > 1
		case kafka.ErrNotController:
		default:
			t.Fatal(code)
		}
	}
	n.q.inbox.Offer(parted{life: 1}) // late
	n.create("last", 1)
	if life := n.q.inst.Load().life; life != 2 {
		t.Errorf("raft runs for the %d. time, want the second", life)
	}
	img := n.holder.Load()
	for _, topic := range []string{"before", "after", "last"} {
		if img.TopicByName(topic) == nil {
			t.Errorf("topic %s is gone", topic)
		}
	}
	if err := n.q.Stop(); err != nil {
		t.Fatal(err)
	}
	if len(n.fails) > 0 {
		t.Fatalf("the node was to stop: %v", <-n.fails)
	}
}
