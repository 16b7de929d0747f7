package broker_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/disk/memfs"
)

// asking is a Fetch of partitions of one topic at offsets.
type asking struct {
	topic   string
	id      kafka.UUID
	offsets map[int32]int64
}

func (a asking) topics(only ...int32) []kmsg.FetchRequestTopic {
	t := kmsg.FetchRequestTopic{Topic: a.topic, TopicID: a.id}
	for index := range int32(64) {
		if offset, ok := a.offsets[index]; ok && (only == nil || slices.Contains(only, index)) {
			t.Partitions = append(t.Partitions, kmsg.FetchRequestTopicPartition{
				Partition: index, FetchOffset: offset, PartitionMaxBytes: 1 << 20, CurrentLeaderEpoch: -1, LastFetchedEpoch: -1, HighWatermark: 1<<63 - 1,
			})
		}
	}
	return []kmsg.FetchRequestTopic{t}
}

func fetchOf(version int16, topics []kmsg.FetchRequestTopic) *kmsg.FetchRequest {
	return &kmsg.FetchRequest{
		Version: version, ReplicaID: -1, MinBytes: 1, MaxBytes: 1 << 20, SessionEpoch: -1,
		ReplicaState: kmsg.FetchRequestReplicaState{ID: -1, Epoch: -1}, Topics: topics,
	}
}

func (c *client) fetchAll(req *kmsg.FetchRequest) *kmsg.FetchResponse {
	c.t.Helper()
	return c.ask(req).(*kmsg.FetchResponse)
}

// told is what a client knows of a partition.
type told struct {
	hw, start int64
	code      int16
	records   []byte
}

// A fetch session, whatever is produced, deleted, added and forgotten, tells
// the same as a fetch without one at the same moment: what it leaves out is
// what the client knows already.
func TestFetchSessionAgainstSessionless(t *testing.T) {
	for _, version := range []int16{7, 11, 12, 13, 18} {
		t.Run(fmt.Sprint("v", version), func(t *testing.T) {
			n := startNode(t, memfs.New())
			defer n.stop()
			c, writer := n.client(), n.client()
			const partitions = 6
			id := c.createTopic("t", partitions, anyAge)
			rng := rand.New(rand.NewPCG(1, uint64(version)))
			session := asking{topic: "t", id: id, offsets: map[int32]int64{}}
			for i := range int32(4) {
				session.offsets[i] = 0
			}
			req := fetchOf(version, session.topics())
			req.SessionEpoch = 0
			known := map[int32]told{}
			sessionID := int32(0)
			for step := range 200 {
				resp := c.fetchAll(req)
				if resp.ErrorCode != 0 {
					t.Fatalf("step %d: %s", step, kafka.ErrorCode(resp.ErrorCode))
				}
				if step > 0 && resp.SessionID != sessionID {
					t.Fatalf("step %d: session %d became %d", step, sessionID, resp.SessionID)
				}
				sessionID = resp.SessionID
				checkShadow(t, step, known, answers(resp), answers(c.fetchAll(fetchOf(version, session.topics()))), session)
				req = nextFetch(rng, writer, version, &session, known, sessionID, int32(step+1))
			}
		})
	}
}

func answers(resp *kmsg.FetchResponse) map[int32]told {
	out := map[int32]told{}
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			out[p.Partition] = told{hw: p.HighWatermark, start: p.LogStartOffset, code: p.ErrorCode, records: p.RecordBatches}
		}
	}
	return out
}

// checkShadow compares a session's answer with a full one, and takes it over.
func checkShadow(t *testing.T, step int, known, got, full map[int32]told, session asking) {
	t.Helper()
	for index := range got {
		if _, asked := session.offsets[index]; !asked {
			t.Fatalf("step %d: partition %d is answered after it was forgotten", step, index)
		}
	}
	for index, want := range full {
		p, listed := got[index]
		if !listed {
			p = known[index]
			p.records = nil
		}
		if p.hw != want.hw || p.start != want.start || p.code != want.code || !bytes.Equal(p.records, want.records) {
			t.Fatalf("step %d: partition %d (listed: %v): the session tells hw %d start %d code %d and %d bytes, a full fetch %d, %d, %d and %d",
				step, index, listed, p.hw, p.start, p.code, len(p.records), want.hw, want.start, want.code, len(want.records))
		}
		known[index] = p
	}
}

// nextFetch does something at random and makes the session's next request.
func nextFetch(rng *rand.Rand, writer *client, version int16, session *asking, known map[int32]told, id, epoch int32) *kmsg.FetchRequest {
	index := int32(rng.IntN(6))
	_, inSession := session.offsets[index]
	var changed, forgotten []int32
	switch rng.IntN(6) {
	case 0, 1:
		writer.produce("t", index, 1, records(writer.t, batch.CodecNone, fmt.Sprint("v", epoch)))
	case 2: // move on, as a consumer does, or out of range
		if inSession {
			session.offsets[index] = writer.listOffset("t", index, -1).Offset + int64(rng.IntN(3)/2)
			changed = append(changed, index)
		}
	case 3:
		if inSession && len(session.offsets) > 1 {
			delete(session.offsets, index)
			delete(known, index)
			forgotten = append(forgotten, index)
		}
	case 4:
		if !inSession {
			session.offsets[index] = 0
			changed = append(changed, index)
		}
	case 5:
		writer.deleteRecords("t", index, -1)
	}
	var topics []kmsg.FetchRequestTopic
	if changed != nil {
		topics = session.topics(changed...)
	}
	req := fetchOf(version, topics)
	req.SessionID, req.SessionEpoch = id, epoch
	if forgotten != nil {
		req.ForgottenTopics = []kmsg.FetchRequestForgottenTopic{{Topic: "t", TopicID: session.id, Partitions: forgotten}}
	}
	return req
}

func (c *client) deleteRecords(topic string, partition int32, offset int64) kmsg.DeleteRecordsResponseTopicPartition {
	c.t.Helper()
	req := &kmsg.DeleteRecordsRequest{Version: 2, TimeoutMillis: 10_000, Topics: []kmsg.DeleteRecordsRequestTopic{{
		Topic: topic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: partition, Offset: offset}},
	}}}
	return c.ask(req).(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0]
}

// Errors of sessions: unknown, wrong epoch, topic ids against names; slots are
// bounded, and who gets none is answered all the same.
func TestFetchSessionErrors(t *testing.T) {
	n := startNode(t, memfs.New(), config.Property{Name: "max.incremental.fetch.session.cache.slots", Value: "2"})
	defer n.stop()
	c := n.client()
	a := asking{topic: "t", id: c.createTopic("t", 1, anyAge), offsets: map[int32]int64{0: 0}}
	open := func(version int16) int32 {
		req := fetchOf(version, a.topics())
		req.SessionEpoch = 0
		resp := c.fetchAll(req)
		if resp.ErrorCode != 0 || len(resp.Topics) != 1 {
			t.Fatalf("full fetch: %s, %d topics", kafka.ErrorCode(resp.ErrorCode), len(resp.Topics))
		}
		return resp.SessionID
	}
	use := func(version int16, id, epoch int32) kafka.ErrorCode {
		req := fetchOf(version, nil)
		req.SessionID, req.SessionEpoch = id, epoch
		return kafka.ErrorCode(c.fetchAll(req).ErrorCode)
	}
	byName, byID := open(12), open(13)
	if byName == 0 || byID == 0 || byName == byID {
		t.Fatalf("sessions %d and %d", byName, byID)
	}
	if id := open(12); id != 0 {
		t.Errorf("a third session in two slots: %d", id)
	}
	for what, got := range map[string][2]kafka.ErrorCode{
		"wrong epoch":               {use(12, byName, 2), kafka.ErrInvalidFetchSessionEpoch},
		"unknown":                   {use(12, byName^1<<20, 1), kafka.ErrFetchSessionIDNotFound},
		"ids in a session of names": {use(13, byName, 1), kafka.ErrFetchSessionTopicIDError},
		"names in a session of ids": {use(12, byID, 1), kafka.ErrFetchSessionTopicIDError},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %s, want %s", what, got[0], got[1])
		}
	}
	if got := use(12, byName, 1); got != kafka.ErrNone {
		t.Errorf("after the errors: %s", got)
	}
	if got := use(12, byName, -1); got != kafka.ErrNone {
		t.Errorf("close: %s", got)
	}
	if got := use(12, byName, 2); got != kafka.ErrFetchSessionIDNotFound {
		t.Errorf("after the close: %s", got)
	}
	if id := open(12); id == 0 {
		t.Error("no session although a slot is free")
	}
}

// park sends a fetch that waits, on a connection of its own.
func (n *node) park(req *kmsg.FetchRequest) <-chan *kmsg.FetchResponse {
	req.MaxWaitMillis = 60_000
	c, out := n.client(), make(chan *kmsg.FetchResponse, 1)
	go func() { out <- c.ask(req).(*kmsg.FetchResponse) }()
	return out
}

// A session that a dead connection's fetch still waits in is closed by the
// client's next connection without waiting for that fetch.
func TestFetchSessionClosedBehindAWait(t *testing.T) {
	n := startNode(t, memfs.New())
	defer n.stop()
	c := n.client()
	a := asking{topic: "t", id: c.createTopic("t", 1, anyAge), offsets: map[int32]int64{0: 0}}
	req := fetchOf(13, a.topics())
	req.SessionEpoch = 0
	id := c.fetchAll(req).SessionID
	waiting := fetchOf(13, nil)
	waiting.SessionID, waiting.SessionEpoch = id, 1
	parked := n.park(waiting)
	probe := fetchOf(13, nil)
	probe.SessionID, probe.SessionEpoch = id, 7
	if kafka.ErrorCode(c.fetchAll(probe).ErrorCode) != kafka.ErrInvalidFetchSessionEpoch {
		t.Fatal("a wrong epoch is accepted")
	}
	again := fetchOf(13, a.topics())
	again.SessionID, again.SessionEpoch = id, 0
	if next := c.fetchAll(again).SessionID; next == id || next == 0 {
		t.Fatalf("session %d after %d", next, id)
	}
	select {
	case resp := <-parked:
		if resp.ErrorCode == 0 && len(resp.Topics) == 0 {
			t.Fatal("the close waited for the parked fetch")
		}
	default:
	}
	c.produce("t", 0, 1, records(t, batch.CodecNone, "x"))
	if resp := <-parked; resp.ErrorCode == 0 && len(answers(resp)[0].records) == 0 {
		t.Error("the parked fetch ended without the record that woke it")
	}
}

// A waiting fetch is woken by what it waits for: one record, the sum over
// partitions of several shards, or the loss of its partition.
func TestFetchWaits(t *testing.T) {
	n := startNode(t, memfs.New())
	defer n.stop()
	c := n.client()
	a := asking{topic: "t", id: c.createTopic("t", 4, anyAge), offsets: map[int32]int64{0: 0, 1: 0, 2: 0, 3: 0}}
	raw := records(t, batch.CodecNone, "x")
	for round := range 20 {
		req := fetchOf(13, a.topics())
		parts := []int32{int32(round % 4)}
		if round%2 == 1 { // as many bytes as two batches on different partitions have
			req.MinBytes = int32(2 * len(raw))
			parts = append(parts, int32((round+1)%4))
		}
		parked := n.park(req)
		for _, index := range parts {
			c.produce("t", index, 1, bytes.Clone(raw))
		}
		resp := answers(<-parked)
		for _, index := range parts {
			if !bytes.Contains(resp[index].records, raw[61:]) {
				t.Fatalf("round %d: woken without the record of partition %d", round, index)
			}
			a.offsets[index] = resp[index].hw
		}
	}
	parked := n.park(fetchOf(13, a.topics()))
	del := &kmsg.DeleteTopicsRequest{Version: 6, TimeoutMillis: 10_000, Topics: []kmsg.DeleteTopicsRequestTopic{{Topic: str("t")}}}
	if code := c.ask(del).(*kmsg.DeleteTopicsResponse).Topics[0].ErrorCode; code != 0 {
		t.Fatal(kafka.ErrorCode(code))
	}
	if resp := answers(<-parked); resp[0].code == 0 {
		t.Error("a fetch goes on waiting for a topic that was deleted")
	}
}

// Limits: max_bytes over all partitions, a partition's own, one batch that is
// larger than both, and no wait where the limit is below min_bytes.
func TestFetchLimits(t *testing.T) {
	n := startNode(t, memfs.New())
	defer n.stop()
	c := n.client()
	a := asking{topic: "t", id: c.createTopic("t", 3, anyAge), offsets: map[int32]int64{0: 0, 1: 0, 2: 0}}
	size := 0
	for index := range int32(3) {
		for range 4 {
			raw := records(t, batch.CodecNone, "0123456789")
			size = len(raw)
			c.produce("t", index, 1, raw)
		}
	}
	for _, limit := range []struct {
		request, partition int32
		batches            [3]int
	}{
		{1 << 20, 1 << 20, [3]int{4, 4, 4}},
		{int32(6 * size), 1 << 20, [3]int{4, 2, 0}},
		{int32(6*size) - 1, 1 << 20, [3]int{4, 1, 0}},
		{1 << 20, int32(2 * size), [3]int{2, 2, 2}},
		{1 << 20, 1, [3]int{1, 0, 0}},
		{1, 1 << 20, [3]int{1, 0, 0}},
		{0, 1 << 20, [3]int{1, 0, 0}},
		{-5, -5, [3]int{1, 0, 0}},
	} {
		req := fetchOf(13, a.topics())
		req.MaxBytes, req.MinBytes, req.MaxWaitMillis = limit.request, 1<<30, 0
		for i := range req.Topics[0].Partitions {
			req.Topics[0].Partitions[i].PartitionMaxBytes = limit.partition
		}
		resp := answers(c.fetchAll(req))
		var got [3]int
		for i := range got {
			got[i] = len(resp[int32(i)].records) / size
		}
		if got != limit.batches {
			t.Errorf("max_bytes %d, of a partition %d: %v batches, want %v", limit.request, limit.partition, got, limit.batches)
		}
	}
}

// A fetch below the log start or beyond the end is out of range; a leader
// epoch of the past is fenced, one of the future unknown.
func TestFetchRangeAndEpochs(t *testing.T) {
	fsys := memfs.New()
	n := startNode(t, fsys)
	c := n.client()
	c.createTopic("t", 1, anyAge)
	for range 3 {
		c.produce("t", 0, 1, records(t, batch.CodecNone, "x"))
	}
	if p := c.deleteRecords("t", 0, 2); p.ErrorCode != 0 || p.LowWatermark != 2 {
		t.Fatalf("delete records: %s, low watermark %d", kafka.ErrorCode(p.ErrorCode), p.LowWatermark)
	}
	for offset, want := range map[int64]kafka.ErrorCode{1: kafka.ErrOffsetOutOfRange, 2: kafka.ErrNone, 3: kafka.ErrNone, 4: kafka.ErrOffsetOutOfRange} {
		if got := kafka.ErrorCode(c.fetchNow(offset, -1).ErrorCode); got != want {
			t.Errorf("offset %d: %s, want %s", offset, got, want)
		}
	}
	n.stop()
	n = startNode(t, fsys)
	defer n.stop()
	c = n.client()
	epoch := c.listOffset("t", 0, -1).LeaderEpoch
	if epoch < 1 {
		t.Fatalf("leader epoch %d after a restart", epoch)
	}
	for current, want := range map[int32]kafka.ErrorCode{-1: kafka.ErrNone, epoch: kafka.ErrNone, epoch - 1: kafka.ErrFencedLeaderEpoch, epoch + 1: kafka.ErrUnknownLeaderEpoch} {
		if got := kafka.ErrorCode(c.fetchNow(3, current).ErrorCode); got != want {
			t.Errorf("current leader epoch %d of %d: %s, want %s", current, epoch, got, want)
		}
	}
	if got := kafka.ErrorCode(c.fetchNow(1, -1).ErrorCode); got != kafka.ErrOffsetOutOfRange {
		t.Errorf("a deleted offset after a restart: %s", got)
	}
}

func (c *client) fetchNow(offset int64, epoch int32) kmsg.FetchResponseTopicPartition {
	a := asking{topic: "t", offsets: map[int32]int64{0: offset}}
	req := fetchOf(12, a.topics())
	req.Topics[0].Partitions[0].CurrentLeaderEpoch = epoch
	return c.fetchAll(req).Topics[0].Partitions[0]
}

// The offset of a timestamp is that of the first record at or above it, as a
// scan of all records finds it.
func TestListOffsetsAgainstScan(t *testing.T) {
	n := startNode(t, memfs.New())
	defer n.stop()
	c := n.client()
	c.createTopic("t", 1, anyAge, "segment.bytes=1048576", "index.interval.bytes=100")
	rng := rand.New(rand.NewPCG(3, 3))
	var times []int64
	for range 40 {
		var list []batch.NewRecord
		for range 1 + rng.IntN(4) {
			at := int64(1000 + rng.IntN(200))
			times = append(times, at)
			list = append(list, oneRecord(at))
		}
		codec := []batch.Codec{batch.CodecNone, batch.CodecLZ4}[rng.IntN(2)]
		if p := c.produce("t", 0, 1, encoded(t, batch.BuilderOptions{Compression: batch.Compression{Codec: codec}}, list...)); p.ErrorCode != 0 {
			t.Fatal(kafka.ErrorCode(p.ErrorCode))
		}
	}
	for at := int64(990); at < 1210; at++ {
		want, stamp := int64(-1), int64(-1)
		if i := slices.IndexFunc(times, func(x int64) bool { return x >= at }); i >= 0 {
			want, stamp = int64(i), times[i]
		}
		if p := c.listOffset("t", 0, at); p.Offset != want || p.Timestamp != stamp {
			t.Errorf("timestamp %d: offset %d of %d, a scan finds %d of %d", at, p.Offset, p.Timestamp, want, stamp)
		}
	}
	most := slices.Max(times)
	if p := c.listOffset("t", 0, -3); p.Timestamp != most || p.Offset != int64(slices.Index(times, most)) {
		t.Errorf("largest timestamp: offset %d of %d, want %d of %d", p.Offset, p.Timestamp, slices.Index(times, most), most)
	}
}
