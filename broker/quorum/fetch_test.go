package quorum

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
	"github.com/moldau/moldau/broker/raftmeta"
)

func fetchRequest(offset int64, epoch int32, wait time.Duration) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.SetVersion(17)
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = int32(wait.Milliseconds()), 1, 1<<20
	req.ReplicaState.ID = 7
	rt := kmsg.NewFetchRequestTopic()
	rt.TopicID = kafka.MetadataTopicUUID
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.FetchOffset, rp.LastFetchedEpoch, rp.PartitionMaxBytes = offset, epoch, 1<<20
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return req
}

func (n *node) fetch(offset int64, epoch int32, wait time.Duration) *kmsg.FetchResponseTopicPartition {
	r := n.ask(fetchRequest(offset, epoch, wait)).(*kmsg.FetchResponse)
	if r.ErrorCode != 0 || len(r.Topics) != 1 {
		n.t.Fatalf("fetch: %s", kafka.ErrorCode(r.ErrorCode))
	}
	return &r.Topics[0].Partitions[0]
}

// replay applies fetched batches to an image.
func replay(t *testing.T, img *metaimage.Image, batches []byte) *metaimage.Image {
	t.Helper()
	codecs := metarecord.NewCodecs()
	for len(batches) > 0 {
		b, rest, err := metarecord.DecodeBatch(batches, codecs)
		if err != nil {
			t.Fatal(err)
		}
		if img, _, err = img.Apply(b.Records, b.BaseOffset, b.Epoch); err != nil {
			t.Fatal(err)
		}
		batches = rest
	}
	return img
}

// TestFetchFollows: an observer that fetches from the beginning gets every
// committed record, and waits for the next.
func TestFetchFollows(t *testing.T) {
	n := mustStart(t, newFS(), 1, nil)
	defer n.q.Kill()
	n.unfence(n.register())
	n.create("a", 2)
	p := n.fetch(0, 0, 0)
	img := replay(t, metaimage.New(n.id.ClusterID), p.RecordBatches)
	if img.Offset() != n.holder.Load().Offset() || p.HighWatermark != img.Offset()+1 {
		t.Fatalf("fetched up to %d, high watermark %d, published %d", img.Offset(), p.HighWatermark, n.holder.Load().Offset())
	}
	if p.CurrentLeader.LeaderID != 1 || p.CurrentLeader.LeaderEpoch != img.Epoch() {
		t.Fatalf("leader %+v", p.CurrentLeader)
	}
	// A long poll at the end is answered by the next commit.
	answer := make(chan kmsg.Response, 1)
	n.q.Dispatch(fetchRequest(img.Offset()+1, img.Epoch(), time.Hour), func(r kmsg.Response) { answer <- r })
	select {
	case r := <-answer:
		t.Fatalf("answered without a record: %+v", r)
	default:
	}
	id := n.create("b", 1)
	r := (<-answer).(*kmsg.FetchResponse)
	img = replay(t, img, r.Topics[0].Partitions[0].RecordBatches)
	if topic := img.TopicByName("b"); topic == nil || topic.ID != id {
		t.Fatalf("topic b: %+v", topic)
	}
	// One at the end with little time is answered empty.
	if p := n.fetch(img.Offset()+1, img.Epoch(), time.Millisecond); len(p.RecordBatches) != 0 || p.ErrorCode != 0 {
		t.Fatalf("empty fetch: %+v", p)
	}
}

func TestFetchDiverging(t *testing.T) {
	n := mustStart(t, newFS(), 1, nil)
	defer n.q.Kill()
	n.register()
	img := n.holder.Load()
	p := n.fetch(img.Offset()+1, img.Epoch()+3, time.Hour)
	if p.DivergingEpoch.EndOffset != img.Offset()+1 || p.DivergingEpoch.Epoch != img.Epoch() {
		t.Fatalf("%+v", p.DivergingEpoch)
	}
}

// An observer that holds more than this controller knows of is not told that the
// logs part, in office or not: this controller may be late, or have lost the
// office to the one whose records those are. It waits, and is told what comes.
func TestFetchAhead(t *testing.T) {
	n := mustStart(t, newFS(), 1, nil)
	defer n.q.Kill()
	n.unfence(n.register())
	img := n.holder.Load()
	for _, newer := range []int32{0, 2} { // of this epoch, or of a later leader's
		for _, wait := range []time.Duration{0, time.Millisecond} {
			if p := n.fetch(img.Offset()+6, img.Epoch()+newer, wait); p.DivergingEpoch.Epoch >= 0 || p.ErrorCode != 0 || len(p.RecordBatches) > 0 {
				t.Fatalf("%d epochs ahead: %+v", newer, p)
			}
		}
	}
	// Once this log is longer, it is known that they part.
	answer := make(chan kmsg.Response, 1)
	n.q.Dispatch(fetchRequest(img.Offset()+3, img.Epoch()+2, time.Hour), func(r kmsg.Response) { answer <- r })
	n.create("a", 5)
	p := &(<-answer).(*kmsg.FetchResponse).Topics[0].Partitions[0]
	if p.DivergingEpoch.Epoch != img.Epoch() || p.DivergingEpoch.EndOffset != img.Offset()+3 {
		t.Fatalf("%+v", p.DivergingEpoch)
	}
}

// An observer whose leader epoch is not this controller's is told so at once,
// however long it would wait (KIP-320).
func TestFetchEpochs(t *testing.T) {
	n := mustStart(t, newFS(), 1, nil)
	defer n.q.Kill()
	n.register()
	img := n.holder.Load()
	for _, c := range []struct {
		epoch int32
		want  kafka.ErrorCode
	}{
		{img.Epoch() + 1, kafka.ErrUnknownLeaderEpoch}, {img.Epoch() - 1, kafka.ErrFencedLeaderEpoch},
		{img.Epoch(), kafka.ErrNone}, {-1, kafka.ErrNone},
	} {
		offset, wait := img.Offset()+1, time.Hour
		if c.want == kafka.ErrNone {
			offset = 0
		}
		req := fetchRequest(offset, img.Epoch(), wait)
		req.Topics[0].Partitions[0].CurrentLeaderEpoch = c.epoch
		p := n.ask(req).(*kmsg.FetchResponse).Topics[0].Partitions[0]
		if kafka.ErrorCode(p.ErrorCode) != c.want || (len(p.RecordBatches) > 0) != (c.want == kafka.ErrNone) || p.CurrentLeader.LeaderEpoch != img.Epoch() {
			t.Errorf("epoch %d: %s, %d bytes, leader %+v", c.epoch, kafka.ErrorCode(p.ErrorCode), len(p.RecordBatches), p.CurrentLeader)
		}
	}
}

func TestFetchRefusals(t *testing.T) {
	n := mustStart(t, newFS(), 1, nil)
	defer n.q.Kill()
	req := fetchRequest(0, 0, 0)
	other := "other"
	req.ClusterID = &other
	if r := n.ask(req).(*kmsg.FetchResponse); kafka.ErrorCode(r.ErrorCode) != kafka.ErrInconsistentClusterID {
		t.Fatalf("%s", kafka.ErrorCode(r.ErrorCode))
	}
	req = fetchRequest(0, 0, 0)
	req.Topics[0].TopicID = [16]byte{9}
	if r := n.ask(req).(*kmsg.FetchResponse); kafka.ErrorCode(r.ErrorCode) != kafka.ErrInvalidRequest {
		t.Fatalf("%s", kafka.ErrorCode(r.ErrorCode))
	}
}

// TestFetchSnapshot: after a restart on a checkpoint, an observer from the
// beginning is sent to it, reads it in pieces, and goes on behind it.
func TestFetchSnapshot(t *testing.T) {
	mem := newFS()
	n := mustStart(t, mem, 1, nil)
	n.unfence(n.register())
	n.create("a", 3)
	if err := n.q.Stop(); err != nil {
		t.Fatal(err)
	}
	n = mustStart(t, mem, 2, nil)
	defer n.q.Kill()
	n.register()
	p := n.fetch(0, 0, time.Hour)
	if p.SnapshotID.EndOffset <= 0 || len(p.RecordBatches) > 0 {
		t.Fatalf("%+v", p)
	}
	id := raftmeta.SnapshotID{EndOffset: p.SnapshotID.EndOffset, Epoch: p.SnapshotID.Epoch}
	var file []byte
	for size := int64(1); int64(len(file)) < size; {
		piece := n.snapshotPiece(id, int64(len(file)), 100)
		if piece.ErrorCode != 0 {
			t.Fatalf("%s", kafka.ErrorCode(piece.ErrorCode))
		}
		file, size = append(file, piece.Bytes...), piece.Size
	}
	img, _, err := raftmeta.LoadCheckpoint(n.id.ClusterID, id, file)
	if err != nil {
		t.Fatal(err)
	}
	img = replay(t, img, n.fetch(img.Offset()+1, img.Epoch(), 0).RecordBatches)
	if img.Offset() != n.holder.Load().Offset() || img.TopicByName("a").ID != n.holder.Load().TopicByName("a").ID {
		t.Fatalf("ends at %d, want %d", img.Offset(), n.holder.Load().Offset())
	}
	if piece := n.snapshotPiece(id, int64(len(file)), 100); kafka.ErrorCode(piece.ErrorCode) != kafka.ErrPositionOutOfRange {
		t.Fatalf("%s", kafka.ErrorCode(piece.ErrorCode))
	}
	id.EndOffset++
	if piece := n.snapshotPiece(id, 0, 100); kafka.ErrorCode(piece.ErrorCode) != kafka.ErrSnapshotNotFound {
		t.Fatalf("%s", kafka.ErrorCode(piece.ErrorCode))
	}
}

func (n *node) snapshotPiece(id raftmeta.SnapshotID, position int64, bytesMax int32) kmsg.FetchSnapshotResponseTopicPartition {
	req := kmsg.NewPtrFetchSnapshotRequest()
	req.SetVersion(1)
	req.MaxBytes = bytesMax
	rt := kmsg.NewFetchSnapshotRequestTopic()
	rt.Topic = kafka.MetadataTopicName
	rp := kmsg.NewFetchSnapshotRequestTopicPartition()
	rp.CurrentLeaderEpoch = -1
	rp.SnapshotID.EndOffset, rp.SnapshotID.Epoch, rp.Position = id.EndOffset, id.Epoch, position
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return n.ask(req).(*kmsg.FetchSnapshotResponse).Topics[0].Partitions[0]
}

func TestDescribe(t *testing.T) {
	n := mustStart(t, newFS(), 1, nil)
	defer n.q.Kill()
	n.register()
	n.fetch(0, 0, 0) // as replica 7
	q := n.ask(kmsgDescribe()).(*kmsg.DescribeQuorumResponse).Topics[0].Partitions[0]
	img := n.holder.Load()
	if q.LeaderID != 1 || q.LeaderEpoch != img.Epoch() || q.HighWatermark != img.Offset()+1 {
		t.Fatalf("%+v", q)
	}
	if len(q.CurrentVoters) != 1 || q.CurrentVoters[0].ReplicaID != 1 || kafka.UUID(q.CurrentVoters[0].ReplicaDirectoryID) != n.id.Metadata {
		t.Fatalf("voters %+v", q.CurrentVoters)
	}
	if len(q.Observers) != 1 || q.Observers[0].ReplicaID != 7 || q.Observers[0].LastCaughtUpTimestamp != -1 {
		t.Fatalf("observers %+v", q.Observers)
	}
	req := kmsg.NewPtrDescribeClusterRequest()
	req.SetVersion(2)
	req.EndpointType = endpointControllers
	c := n.ask(req).(*kmsg.DescribeClusterResponse)
	if c.ErrorCode != 0 || c.ControllerID != 1 || c.ClusterID != n.id.ClusterID || len(c.Brokers) != 1 || c.Brokers[0].Port != 9093 {
		t.Fatalf("%+v", c)
	}
	req.EndpointType = 1
	if c := n.ask(req).(*kmsg.DescribeClusterResponse); kafka.ErrorCode(c.ErrorCode) != kafka.ErrMismatchedEndpointType {
		t.Fatalf("%+v", c)
	}
}
