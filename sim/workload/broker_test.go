package workload_test

import (
	"testing"
	"time"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/linearizability"
	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/sim/workload"
)

func producer(topics []*workload.Topic) workload.Producer {
	return workload.Producer{
		Topics: topics, Acks: -1, RecordsMax: 6, ValueBytes: 150, PartsMax: 3, InFlight: 3, Every: 50 * time.Millisecond, Timeout: 3 * time.Second,
	}
}

func consumer(topics []*workload.Topic) workload.Consumer {
	return workload.Consumer{
		Topics: topics, MinBytes: 1, MaxBytes: 64 << 10, MaxWait: 200 * time.Millisecond, Every: 50 * time.Millisecond, Timeout: 3 * time.Second,
		Lookups: 100, Seeks: 50,
	}
}

// TestProduceAndConsume: a whole node without faults gets a clean verdict, over a
// restart too.
func TestProduceAndConsume(t *testing.T) {
	inBubble(t, 1, func(b *bed) {
		b.start()
		topics := b.topics(keeps("a", 3), keeps("b", 1))
		for i, codec := range []batch.Codec{batch.CodecNone, batch.CodecGzip, batch.CodecSnappy, batch.CodecLZ4, batch.CodecZstd} {
			p := producer(topics)
			p.Codec, p.Idempotent, p.GiveUp = codec, i%2 == 0, 20
			b.run("p"+codec.String(), p)
		}
		one := producer(topics)
		one.Acks = 1
		b.run("one", one)
		again := producer(topics)
		again.Acks, again.Repeats, again.GiveUp = 1, true, 20
		b.run("again", again)
		none := producer(topics)
		none.Acks = 0
		b.run("none", none)
		b.run("fetches", consumer(topics))
		polls := consumer(topics)
		polls.Polls, polls.Committed = true, true
		b.run("polls", polls)
		session := consumer(topics)
		session.Sessions = true
		b.run("session", session)
		b.run("ids", workload.IDTaker{Every: time.Second, Timeout: 3 * time.Second})
		b.sleep(6 * time.Second)
		b.shut()
		b.sleep(time.Second)
		b.start()
		b.sleep(4 * time.Second)
		h, report := b.finish(linearizability.Options{})
		b.shut()
		b.fine(h, report, map[history.Kind]int{
			history.KindProduce: 1000, history.KindFetch: 300, history.KindPoll: 100, history.KindSessionFetch: 100, history.KindListOffsets: 50,
			history.KindEpochEnd: 1, history.KindInitProducerID: 10, history.KindSeek: 10,
		})
	})
}

func member(group string, topics []*workload.Topic) workload.Member {
	return workload.Member{
		Group: group, Topics: topics, Session: 6 * time.Second, Rebalance: 6 * time.Second, Every: 100 * time.Millisecond, Timeout: 3 * time.Second,
		Deaths: 10, Leaves: 10, Away: 4 * time.Second,
	}
}

// TestGroups: members that leave, die and come back, one of them static, while
// partitions are added and the node is started anew.
func TestGroups(t *testing.T) {
	inBubble(t, 2, func(b *bed) {
		b.start()
		topics := b.topics(keeps("a", 3), keeps("b", 2))
		b.run("p", producer(topics))
		for _, name := range []string{"m1", "m2", "m3"} {
			b.run(name, member("g", topics))
		}
		static := member("g", topics)
		static.InstanceID = "s"
		b.run("m4", static)
		b.run("admin", workload.Admin{Topics: topics, Groups: []string{"g", "none"}, Every: 500 * time.Millisecond, Timeout: 3 * time.Second, AddPartitions: 5})
		b.sleep(20 * time.Second)
		b.shut()
		b.sleep(time.Second)
		b.start()
		b.sleep(10 * time.Second)
		h, report := b.finish(linearizability.Options{})
		b.shut()
		b.fine(h, report, map[history.Kind]int{
			history.KindAssign: 12, history.KindCommitOffset: 200, history.KindFetchOffset: 30, history.KindLeaveGroup: 3, history.KindPoll: 200,
		})
	})
}

// TestMuteMember: a member that joins and never syncs does not hold the others up
// for ever.
func TestMuteMember(t *testing.T) {
	inBubble(t, 3, func(b *bed) {
		b.start()
		topics := b.topics(keeps("a", 3))
		b.run("p", producer(topics))
		for _, name := range []string{"m1", "m2"} {
			m := member("g", topics)
			m.Deaths, m.Leaves = 0, 0
			b.run(name, m)
		}
		b.sleep(5 * time.Second)
		mute := member("g", topics)
		mute.Mute = true
		b.run("mute", mute)
		b.sleep(30 * time.Second)
		h, report := b.finish(linearizability.Options{})
		b.shut()
		b.fine(h, report, map[history.Kind]int{history.KindAssign: 4, history.KindPoll: 50})
	})
}

// TestAdmin: topics come and go, records are deleted, settings change, while
// others produce and read.
func TestAdmin(t *testing.T) {
	inBubble(t, 4, func(b *bed) {
		b.start()
		topics := b.topics(keeps("a", 2), keeps("b", 2))
		p := producer(topics)
		p.Idempotent, p.KeepsID = true, true
		b.run("p", p)
		b.run("c", consumer(topics))
		session := consumer(topics)
		session.Sessions = true
		b.run("session", session)
		b.run("admin", workload.Admin{
			Topics: topics, Every: 100 * time.Millisecond, Timeout: 3 * time.Second, DeleteRecords: true, AddPartitions: 4, Configs: true,
			Churn: keeps("churn", 2),
		})
		b.run("same", workload.Admin{Every: 100 * time.Millisecond, Timeout: 3 * time.Second, Churn: keeps("same", 1), SameName: true})
		b.run("s1", workload.Setting{Topic: topics[0], Every: 100 * time.Millisecond, Timeout: 3 * time.Second})
		b.run("s2", workload.Setting{Topic: topics[0], Every: 100 * time.Millisecond, Timeout: 3 * time.Second})
		b.sleep(20 * time.Second)
		h, report := b.finish(linearizability.Options{})
		b.shut()
		b.fine(h, report, map[history.Kind]int{
			history.KindDeleteRecords: 10, history.KindAlterConfig: 30, history.KindDescribeConfig: 30, history.KindCreateTopic: 5,
			history.KindDeleteTopic: 3, history.KindMetadata: 10,
		})
	})
}

// TestLatecomer: a batch that comes again after its records were deleted and the
// node was started anew.
func TestLatecomer(t *testing.T) {
	inBubble(t, 5, func(b *bed) {
		b.start()
		topics := b.topics(keeps("a", 1), keeps("b", 1))
		b.run("l", workload.Latecomer{Topic: topics[0], Every: 100 * time.Millisecond, Timeout: 3 * time.Second})
		b.run("again", workload.Latecomer{Topic: topics[1], Every: 100 * time.Millisecond, Timeout: 3 * time.Second, Between: func() {
			b.shut()
			b.start()
		}})
		b.sleep(10 * time.Second)
		h, report := b.finish(linearizability.Options{})
		b.shut()
		b.fine(h, report, map[history.Kind]int{history.KindDeleteRecords: 10, history.KindProduce: 60})
	})
}
