package quorum

import (
	"errors"
	"io"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/raftmeta"
)

// fetchSnapshot reads a piece of the newest checkpoint file (KIP-630). It
// touches no state of the loop and may be called from any goroutine.
func (q *Quorum) fetchSnapshot(req *kmsg.FetchSnapshotRequest) kmsg.Response {
	resp := kmsg.NewPtrFetchSnapshotResponse()
	resp.SetVersion(req.GetVersion())
	switch {
	case req.ClusterID != nil && *req.ClusterID != q.cfg.Machine.ClusterID:
		resp.ErrorCode = int16(kafka.ErrInconsistentClusterID)
		return resp
	case len(req.Topics) != 1 || len(req.Topics[0].Partitions) != 1:
		resp.ErrorCode = int16(kafka.ErrInvalidRequest)
		return resp
	}
	rt := kmsg.NewFetchSnapshotResponseTopic()
	rt.Topic = req.Topics[0].Topic
	p := req.Topics[0].Partitions[0]
	rp := kmsg.NewFetchSnapshotResponseTopicPartition()
	rp.Partition = p.Partition
	rp.SnapshotID.EndOffset, rp.SnapshotID.Epoch = p.SnapshotID.EndOffset, p.SnapshotID.Epoch
	code := epochRefused(p.CurrentLeaderEpoch, int32(q.inst.Load().raft.CurrentTerm()))
	switch {
	case rt.Topic != kafka.MetadataTopicName || p.Partition != 0:
		code = kafka.ErrUnknownTopicOrPartition
	case code == kafka.ErrNone:
		code = q.readSnapshot(&rp, p.Position, req.MaxBytes)
	}
	rp.ErrorCode = int16(code)
	rt.Partitions = append(rt.Partitions, rp)
	resp.Topics = append(resp.Topics, rt)
	return resp
}

// readSnapshot fills in the bytes at position.
func (q *Quorum) readSnapshot(rp *kmsg.FetchSnapshotResponseTopicPartition, position int64, bytesMax int32) kafka.ErrorCode {
	f, err := q.cfg.Store.Snapshots.OpenFile(raftmeta.SnapshotID{EndOffset: rp.SnapshotID.EndOffset, Epoch: rp.SnapshotID.Epoch})
	if err != nil {
		return kafka.ErrSnapshotNotFound
	}
	size, err := f.Size()
	code := kafka.ErrNone
	if err != nil {
		code = kafka.ErrUnknownServerError
	} else if position < 0 || position >= size {
		code = kafka.ErrPositionOutOfRange
	} else {
		rp.Size, rp.Position = size, position
		rp.Bytes = make([]byte, min(size-position, int64(max(min(bytesMax, fetchBytesMax), 1))))
		if _, err := f.ReadAt(rp.Bytes, position); err != nil && !errors.Is(err, io.EOF) {
			rp.Bytes, code = nil, kafka.ErrUnknownServerError
		}
	}
	if err := f.Close(); err != nil && code == kafka.ErrNone {
		return kafka.ErrUnknownServerError
	}
	return code
}
