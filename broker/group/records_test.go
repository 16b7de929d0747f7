package group

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/moldau/moldau/broker/coord"
	"github.com/moldau/moldau/broker/kafka"
)

// TestOffsetRecords compares what is written by hand with the generated
// classes, and reads back every version that they write.
func TestOffsetRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		group, topic := rapid.String().Draw(t, "group"), rapid.String().Draw(t, "topic")
		partition := rapid.Int32().Draw(t, "partition")
		version := rapid.Int16Range(0, 4).Draw(t, "version")
		v := kmsg.NewOffsetCommitValue()
		v.Version, v.Offset, v.Metadata = version, rapid.Int64().Draw(t, "offset"), rapid.String().Draw(t, "metadata")
		v.CommitTimestamp = rapid.Int64Min(0).Draw(t, "time")
		want := committed{offset: v.Offset, commitTime: v.CommitTimestamp, leaderEpoch: -1}
		expires := int64(-1)
		switch {
		case version == 1:
			v.ExpireTimestamp = rapid.Int64Min(0).Draw(t, "expires")
			expires = v.ExpireTimestamp
		case version >= 3:
			v.LeaderEpoch = rapid.Int32().Draw(t, "epoch")
			want.leaderEpoch = v.LeaderEpoch
		}
		if version >= 4 && rapid.Bool().Draw(t, "with id") {
			v.TopicID = [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
			want.topicID = v.TopicID
		}
		if version >= 4 && rapid.Bool().Draw(t, "other tag") {
			v.UnknownTags.Set(7, []byte("later"))
		}
		if v.Metadata != "" || expires >= 0 {
			want.rare = &rare{metadata: v.Metadata, expires: expires}
		}
		k := kmsg.OffsetCommitKey{Version: 1, Group: group, Topic: topic, Partition: partition}
		key := appendOffsetKey(nil, group, topic, partition)
		if !bytes.Equal(key, k.AppendTo(nil)) {
			t.Fatalf("key %x, want %x", key, k.AppendTo(nil))
		}
		back, err := decodeOffsetKey(key[2:])
		if err != nil || string(back.group) != group || string(back.topic) != topic || back.partition != partition {
			t.Fatalf("key back: %+v, %v", back, err)
		}
		got, err := decodeOffsetValue(v.AppendTo(nil))
		if err != nil || fmt.Sprint(plain(got)) != fmt.Sprint(plain(want)) {
			t.Fatalf("value back: %+v, %v, want %+v", got, err, want)
		}
		if (version == 1 || version == 4) && v.UnknownTags.Len() == 0 {
			if b := appendOffsetValue(nil, want); !bytes.Equal(b, v.AppendTo(nil)) {
				t.Fatalf("value %x, want %x", b, v.AppendTo(nil))
			}
		}
		whole := v.AppendTo(nil)
		for n := range whole {
			if _, err := decodeOffsetValue(whole[:n]); err == nil {
				t.Fatalf("the first %d of %d bytes are no value", n, len(whole))
			}
		}
	})
}

// plain is an offset without pointers.
func plain(c committed) any {
	return []any{c.offset, c.commitTime, c.leaderEpoch, c.topicID, c.metadata(), c.expires()}
}

// FuzzReplay feeds any record to a coordinator that has something already. It
// must not fail, and what it then holds must survive being written again.
func FuzzReplay(f *testing.F) {
	g := &group{id: "g", protocolType: "consumer", protocol: ptr("range"), generation: 3, leader: "m"}
	g.add(&member{id: "m", instanceID: ptr("i"), protocols: []protocol{{"range", subscription([]string{"t"})}}}, "consumer")
	whole := groupRecord(g)
	f.Add(whole.Key, whole.Value)
	f.Add(appendOffsetKey(nil, "g", "t", 1), appendOffsetValue(nil, committed{offset: 1, topicID: topicID(1)}))
	f.Add(appendOffsetKey(nil, "g", "t", 1), appendOffsetValue(nil, committed{rare: &rare{metadata: "x", expires: 4}}))
	for _, v := range []int16{0, 1, 2, 3, 4} {
		value := kmsg.NewGroupMetadataValue()
		value.Version, value.Protocol, value.Leader = v, ptr("p"), ptr("l")
		value.Members = []kmsg.GroupMetadataValueMember{{MemberID: "l", Subscription: []byte{1}}}
		f.Add(groupKey("g"), value.AppendTo(nil))
	}
	f.Add(groupKey("g"), []byte(nil))
	f.Add([]byte{0, 3, 0, 1, 'g'}, []byte{0, 0})
	f.Fuzz(func(t *testing.T, key, value []byte) {
		m, err := New(testConfig())
		if err != nil {
			t.Fatal(err)
		}
		must(m.Replay(coord.Record{Key: appendOffsetKey(nil, "g", "t", 1), Value: appendOffsetValue(nil, committed{offset: 5, leaderEpoch: -1})}, 0))
		if len(value) == 0 {
			value = nil
		}
		before := stateText(m)
		if err := m.Replay(coord.Record{Key: key, Value: value}, 1); err != nil && stateText(m) != before {
			t.Fatalf("a refused record changed the state: %v", err)
		}
		for i := range key { // the machine keeps none of the record's memory
			key[i] = 0xff
		}
		for i := range value {
			value[i] = 0xff
		}
		after := stateText(m)
		m.Loaded(coord.Times{Wall: 1000, Mono: 1000}, topicTable{})
		again, _ := New(testConfig())
		for i, rec := range allRecords(m) {
			if err := again.Replay(rec, int64(i)); err != nil {
				t.Fatalf("record %d: %v", i, err)
			}
		}
		if got := stateText(again); got != after {
			t.Fatalf("loaded:\n%s\nwritten again and loaded:\n%s", after, got)
		}
	})
}

// allRecords writes everything down that a machine holds.
func allRecords(m *Machine) (out []coord.Record) {
	for _, id := range m.groupIDs() {
		g := m.groups[id]
		for _, t := range g.offsets {
			for i := range t.partitions {
				c := t.at(i)
				out = append(out, coord.Record{Key: appendOffsetKey(nil, id, t.name, t.partitions[i].partition), Value: appendOffsetValue(nil, c)})
			}
		}
		if g.protocolType != "" || g.protocol != nil || g.generation != 0 || len(g.members) > 0 || len(g.offsets) == 0 {
			out = append(out, groupRecord(g))
		}
	}
	return out
}

// FuzzSubscription reads any bytes as a consumer's subscription.
func FuzzSubscription(f *testing.F) {
	f.Add(subscription([]string{"a", "b"}))
	f.Add([]byte{0, 3, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		topics := map[string]struct{}{}
		if subscriptionTopics(b, topics) && len(topics) > len(b)/2 {
			t.Fatalf("%d topics in %d bytes", len(topics), len(b))
		}
	})
}

// loadRecords are a million commits: groups, each of 10 topics of 10
// partitions, committed over and over.
func loadRecords(n, groups int) []coord.Record {
	out := make([]coord.Record, n)
	for i := range out {
		k := i % (groups * 100)
		out[i] = coord.Record{
			Key: appendOffsetKey(nil, fmt.Sprintf("console-consumer-%05d", k/100), fmt.Sprintf("orders.region-%02d", k/10%10), int32(k%10)),
			Value: appendOffsetValue(nil, committed{offset: int64(i), commitTime: 1_700_000_000_000, leaderEpoch: 3,
				topicID: kafka.UUID{1, byte(k / 10 % 10)}}),
		}
	}
	return out
}

// BenchmarkLoad loads a million commits: over a hundred groups, and each of
// its own partition.
func BenchmarkLoad(b *testing.B) {
	for _, groups := range []int{100, 10_000} {
		recs := loadRecords(1_000_000, groups)
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m, _ := New(DefaultConfig())
				for i := range recs {
					if err := m.Replay(recs[i], int64(i)); err != nil {
						b.Fatal(err)
					}
				}
				if m.Counts().Offsets != groups*100 {
					b.Fatal(m.Counts())
				}
			}
		})
	}
}

// BenchmarkCommit commits ten partitions of a topic in one request.
func BenchmarkCommit(b *testing.B) {
	m, _ := New(DefaultConfig())
	topics := topicTable{"t": {topicID(1), 100}}
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Version, r.Group, r.Generation = 9, "group", -1
	t := kmsg.OffsetCommitRequestTopic{Topic: "t"}
	for p := range int32(10) {
		t.Partitions = append(t.Partitions, kmsg.OffsetCommitRequestTopicPartition{Partition: p, Offset: 100})
	}
	r.Topics = append(r.Topics, t)
	b.ReportAllocs()
	for b.Loop() {
		if out := m.Handle(coord.Times{}, topics, coord.Request{Body: r}); len(out.Records) != 10 {
			b.Fatal(out)
		}
	}
}

// TestMemoryOfOffsets: a stored offset is small, whatever it is that grows.
func TestMemoryOfOffsets(t *testing.T) {
	const most = 64 // bytes an offset, with what a slice holds in reserve
	m, _ := New(DefaultConfig())
	total := 0
	for i, rec := range loadRecords(100_000, 1000) {
		must(m.Replay(rec, int64(i)))
	}
	for _, g := range m.groups {
		for _, topic := range g.offsets {
			total += cap(topic.partitions) * binary.Size(struct {
				A, B, C int64
				D, E    int32
			}{})
		}
	}
	if per := total / m.offsets; per > most {
		t.Errorf("%d bytes an offset, at most %d wanted", per, most)
	}
}
