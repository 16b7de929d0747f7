package fetcher

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/replica"
	"github.com/moldau/moldau/broker/shard"
	"github.com/moldau/moldau/clock/manual"
)

func testPeer(tb testing.TB) *peer {
	tb.Helper()
	f := &Fetcher{cfg: Config{
		NodeID: 5, Events: event.Discard{}, WaitMax: 500 * time.Millisecond, MinBytes: 1,
		PartitionBytes: 1 << 20, AnswerBytes: 10 << 20, BackoffMax: time.Second, Entropy: manual.NewEntropy(1),
	}}
	return newPeer(f, 3)
}

func handle(topic byte, partition int32) *shard.Handle {
	return &shard.Handle{ID: kafka.TopicPartition{Topic: kafka.UUID{topic, 15: 1}, Partition: partition}, Topic: "t"}
}

func raw(tb testing.TB, base int64, epoch int32, value string) []byte {
	tb.Helper()
	b := batch.NewBuilder(batch.BuilderOptions{})
	if err := b.Append(batch.NewRecord{Timestamp: 1, Value: []byte(value)}); err != nil {
		tb.Fatal(err)
	}
	out, err := b.Build(nil)
	if err != nil {
		tb.Fatal(err)
	}
	binary.BigEndian.PutUint64(out, uint64(base))
	binary.BigEndian.PutUint32(out[12:], uint32(epoch))
	return out
}

// The request is Kafka's Fetch, version 17, with our tagged field.
func TestFetchIsKafkas(t *testing.T) {
	p := testPeer(t)
	l := &link{p: p, session: 77, epoch: 4, correlation: 8}
	asks := []asked{
		{handle(1, 0), replica.Ask{LeaderEpoch: 3, Offset: 10, LastEpoch: 2, Durable: 9, DurableEpoch: 1, LogStart: 4}},
		{handle(1, 1), replica.Ask{LeaderEpoch: 5, LastEpoch: -1, DurableEpoch: -1}},
		{handle(2, 0), replica.Ask{}},
	}
	p.forgets = []kafka.TopicPartition{handle(9, 6).ID}
	frame := p.appendFetch(l, 99, asks)
	header := appendHeader(nil, keyFetch, fetchVersion, 9, true)
	if string(frame[:len(header)]) != string(header) {
		t.Fatalf("header %x, want %x", frame[:len(header)], header)
	}
	var r kmsg.FetchRequest
	r.SetVersion(fetchVersion)
	if err := r.ReadFrom(frame[len(header):]); err != nil {
		t.Fatal(err)
	}
	if again := r.AppendTo(nil); string(again) != string(frame[len(header):]) {
		t.Errorf("encoded again it differs:\n%x\n%x", frame[len(header):], again)
	}
	if r.ReplicaState.ID != 5 || r.ReplicaState.Epoch != 99 || r.SessionID != 77 || r.SessionEpoch != 4 || r.MaxWaitMillis != 500 || len(r.Topics) != 2 {
		t.Fatalf("%+v", r)
	}
	x := &r.Topics[0].Partitions[0]
	if x.FetchOffset != 10 || x.LastFetchedEpoch != 2 || x.CurrentLeaderEpoch != 3 || x.LogStartOffset != 4 || x.PartitionMaxBytes != 1<<20 {
		t.Errorf("%+v", x)
	}
	found := false
	x.UnknownTags.Each(func(tag uint32, value []byte) {
		durable, epoch := kafka.ReadDurable(value)
		found = tag == kafka.TagDurable && durable == 9 && epoch == 1
	})
	if !found {
		t.Error("no durable end")
	}
	if len(r.ForgottenTopics) != 1 || r.ForgottenTopics[0].Partitions[0] != 6 {
		t.Errorf("forgotten %+v", r.ForgottenTopics)
	}
}

func TestParse(t *testing.T) {
	one, two := raw(t, 10, 3, "a"), raw(t, 11, 3, "bb")
	both := append(append([]byte{}, one...), two...)
	for cut := len(one); cut <= len(both); cut++ {
		batches, used, err := parse(both[:cut])
		want := 1
		if cut == len(both) {
			want = 2
		}
		if err != nil || len(batches) != want || used > cut || batches[0].BaseOffset != 10 || batches[0].LeaderEpoch != 3 {
			t.Fatalf("cut at %d: %d batches, %d bytes, %v", cut, len(batches), used, err)
		}
	}
	if _, _, err := parse(one[:len(one)-1]); !errors.Is(err, batch.ErrPartial) {
		t.Errorf("half a batch: %v", err)
	}
	for i := 17; i < len(both); i++ { // what the checksum covers, and itself
		if i >= len(one) && i < len(one)+17 {
			continue
		}
		both[i] ^= 1
		if _, _, err := parse(both); err == nil {
			t.Errorf("a flipped bit at %d goes unseen", i)
		}
		both[i] ^= 1
	}
}

// takeAnswer reads an answer as the reader does, short of handing it on.
func takeAnswer(p *peer, body []byte, asks ...asked) (*taker, error) {
	l := &link{p: p, asked: make(map[kafka.TopicPartition]asked)}
	for _, a := range asks {
		l.asked[a.h.ID] = a
	}
	frame := buffer.NewFrame(body, &p.pool)
	p.pool.use(body)
	defer frame.Release()
	t := &taker{l: l, frame: frame, r: kafka.NewReader(body)}
	return t, t.answer(1)
}

func encodeAnswer(parts ...kmsg.FetchResponseTopicPartition) []byte {
	resp := kmsg.NewPtrFetchResponse()
	resp.Version, resp.SessionID = fetchVersion, 77
	topic := kmsg.NewFetchResponseTopic()
	topic.TopicID = handle(1, 0).ID.Topic
	topic.Partitions = parts
	resp.Topics = append(resp.Topics, topic)
	return resp.AppendTo([]byte{0, 0, 0, 1, 0})
}

func answerOf(partition int32, code kafka.ErrorCode, records []byte) kmsg.FetchResponseTopicPartition {
	p := kmsg.NewFetchResponseTopicPartition()
	p.Partition, p.ErrorCode, p.HighWatermark, p.LogStartOffset, p.RecordBatches = partition, int16(code), 20, 2, records
	return p
}

// What an answer holds reaches the shards with the Ask that it answers; memory
// is given back; what is not sound reaches nobody.
func TestAnswer(t *testing.T) {
	p := testPeer(t)
	asks := []asked{{handle(1, 0), replica.Ask{Offset: 10}}, {handle(1, 1), replica.Ask{Offset: 7}}, {handle(1, 2), replica.Ask{}}, {handle(1, 3), replica.Ask{}}, {handle(1, 4), replica.Ask{}}}
	corrupt := raw(t, 0, 0, "x")
	corrupt[len(corrupt)-1] ^= 1
	diverging := answerOf(3, kafka.ErrNone, nil)
	diverging.DivergingEpoch.Epoch, diverging.DivergingEpoch.EndOffset = 4, 40
	body := encodeAnswer(answerOf(0, kafka.ErrNone, raw(t, 10, 1, "a")), answerOf(1, kafka.ErrNotLeaderOrFollower, nil),
		answerOf(2, kafka.ErrNone, corrupt), diverging, answerOf(4, kafka.ErrNone, nil))
	tk, err := takeAnswer(p, body, asks...)
	if err != nil || tk.session != 77 || len(tk.told) != 5 || len(tk.sends) != 1 || len(tk.sends[0].Parts) != 4 {
		t.Fatalf("%v %+v", err, tk)
	}
	for i, want := range []struct{ awaits, failed bool }{{awaits: true}, {failed: true}, {failed: true}, {awaits: true}, {}} {
		if got := tk.told[i]; got.awaits != want.awaits || got.failed != want.failed || got.ask != asks[i].ask {
			t.Errorf("partition %d: %+v", i, got)
		}
	}
	if tk.told[0].lag != 9 {
		t.Errorf("lag %d", tk.told[0].lag)
	}
	a := tk.sends[0].Parts[0].Answer
	if len(a.Batches) != 1 || a.Ask.Offset != 10 || a.HighWatermark != 20 || a.LogStart != 2 || a.Diverging.Epoch != -1 {
		t.Errorf("%+v", a)
	}
	if d := tk.sends[0].Parts[2].Answer.Diverging; d.Epoch != 4 || d.Offset != 40 {
		t.Errorf("diverging %+v", d)
	}
	if p.pool.pinned() == 0 {
		t.Error("the answer's memory is given back while a shard refers to it")
	}
	tk.drop()
	if n := p.pool.pinned(); n != 0 {
		t.Errorf("%d bytes are still in use", n)
	}
	if _, err := takeAnswer(p, body, asks[0]); !errors.Is(err, errMalformed) {
		t.Errorf("an answer with partitions that were not asked for: %v", err)
	}
}

// FuzzAnswer: whatever a peer sends, nothing panics and no memory is lost.
func FuzzAnswer(f *testing.F) {
	f.Add(encodeAnswer(answerOf(0, kafka.ErrNone, raw(f, 10, 1, "a")), answerOf(1, kafka.ErrOffsetOutOfRange, nil)))
	f.Add(encodeAnswer())
	f.Fuzz(func(t *testing.T, body []byte) {
		p := testPeer(t)
		tk, _ := takeAnswer(p, body, asked{handle(1, 0), replica.Ask{Offset: 10}}, asked{handle(1, 1), replica.Ask{}})
		tk.drop()
		if n := p.pool.pinned(); n != 0 {
			t.Errorf("%d bytes are still in use", n)
		}
	})
}
