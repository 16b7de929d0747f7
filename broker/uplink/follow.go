package uplink

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metarecord"
	"github.com/moldau/moldau/broker/raftmeta"
)

// Versions of the requests that the follower sends.
const (
	fetchVersion         = 17
	fetchSnapshotVersion = 1
)

// fatalError ends the uplink's work for good: retrying cannot help.
type fatalError struct{ error }

func (e fatalError) Unwrap() error { return e.error }

// follow fetches the metadata log from where the published image ends, again
// and again.
func (u *Uplink) follow() {
	var l *link
	var b backoff
	for !u.closed() {
		err := u.fetchOnce(&l)
		var fatal fatalError
		switch {
		case err == nil:
			b = backoff{}
			continue
		case errors.As(err, &fatal):
			u.cfg.OnFailure(err)
			return
		}
		if !u.wait(&b, "Fetch", err) {
			break
		}
	}
	u.hangUp(l)
}

// fetchOnce sends one Fetch and takes its answer in.
func (u *Uplink) fetchOnce(l **link) error {
	img := u.cfg.Holder.Load()
	req := kmsg.NewPtrFetchRequest()
	req.SetVersion(fetchVersion)
	req.ClusterID = &u.cfg.ClusterID
	req.ReplicaState.ID = u.cfg.NodeID
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = int32(fetchWaitMax.Milliseconds()), 1, fetchBytesMax
	rt := kmsg.NewFetchRequestTopic()
	rt.TopicID = kafka.MetadataTopicUUID
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.FetchOffset, rp.LastFetchedEpoch = img.Offset()+1, max(img.Epoch(), 0)
	rp.PartitionMaxBytes, rp.ReplicaDirectoryID = fetchBytesMax, u.cfg.MetadataDirectory
	rp.CurrentLeaderEpoch = -1
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)

	next, resp, err := u.ask(*l, req, fetchWaitMax+requestTimeout)
	*l = next
	if err != nil {
		return err
	}
	fetched, ok := resp.(*kmsg.FetchResponse)
	if !ok {
		return fmt.Errorf("fetch metadata: answer of type %T", resp)
	}
	if err := wireError("fetch metadata", fetched.ErrorCode); errors.Is(err, kafka.ErrInconsistentClusterID) {
		return fatalError{fmt.Errorf("this node's directories belong to cluster %s, the controller at %s to another: %w",
			u.cfg.ClusterID, (*l).addr, err)}
	} else if err != nil {
		return err
	}
	if len(fetched.Topics) != 1 || len(fetched.Topics[0].Partitions) != 1 {
		return errors.New("fetch metadata: answer without the partition")
	}
	return u.take(l, &fetched.Topics[0].Partitions[0])
}

// take brings the answer's records, or the snapshot that it names, into the
// published image.
func (u *Uplink) take(l **link, p *kmsg.FetchResponseTopicPartition) error {
	if err := wireError("fetch metadata", p.ErrorCode); err != nil {
		return err
	}
	if u.cfg.OnActive != nil && p.CurrentLeader.LeaderID >= 0 {
		u.cfg.OnActive(p.CurrentLeader.LeaderID)
	}
	if p.SnapshotID.EndOffset >= 0 && p.SnapshotID.Epoch >= 0 {
		return u.fetchSnapshot(l, raftmeta.SnapshotID{EndOffset: p.SnapshotID.EndOffset, Epoch: p.SnapshotID.Epoch})
	}
	if p.DivergingEpoch.Epoch >= 0 && p.DivergingEpoch.EndOffset >= 0 {
		img := u.cfg.Holder.Load()
		return fatalError{fmt.Errorf("metadata up to offset %d of epoch %d is not the cluster's: the two part at offset %d of epoch %d",
			img.Offset(), img.Epoch(), p.DivergingEpoch.EndOffset, p.DivergingEpoch.Epoch)}
	}
	codecs := metarecord.NewCodecs()
	for rest := p.RecordBatches; len(rest) > 0; {
		batch, after, err := metarecord.DecodeBatch(rest, codecs)
		if err != nil {
			return fatalError{fmt.Errorf("fetch metadata: %w", err)}
		}
		rest = after
		if batch.Control {
			continue
		}
		img, err := raftmeta.ApplyMissing(u.cfg.Holder.Load(), batch)
		if err != nil {
			return fatalError{fmt.Errorf("fetch metadata: %w", err)}
		}
		u.cfg.Holder.Publish(img)
	}
	switch {
	case p.HighWatermark < 0: // it has no office, and knows nobody who has
		if *l != nil && len(p.RecordBatches) == 0 {
			u.target.wrong((*l).place)
		}
	case u.cfg.Holder.Load().Offset()+1 >= p.HighWatermark:
		u.caughtUpOnce.Do(func() { close(u.caughtUp) })
	}
	return nil
}

// CaughtUp is closed once the published image held all that was committed when
// the active controller was asked. What a broker proves of its directories, and
// what it deletes as stray, must rest on no older image.
func (u *Uplink) CaughtUp() <-chan struct{} { return u.caughtUp }

// fetchSnapshot reads a whole checkpoint and publishes its image.
func (u *Uplink) fetchSnapshot(l **link, id raftmeta.SnapshotID) error {
	var file []byte
	for {
		req := kmsg.NewPtrFetchSnapshotRequest()
		req.SetVersion(fetchSnapshotVersion)
		req.ClusterID, req.ReplicaID, req.MaxBytes = &u.cfg.ClusterID, u.cfg.NodeID, snapshotChunkBytes
		rt := kmsg.NewFetchSnapshotRequestTopic()
		rt.Topic = kafka.MetadataTopicName
		rp := kmsg.NewFetchSnapshotRequestTopicPartition()
		rp.SnapshotID.EndOffset, rp.SnapshotID.Epoch = id.EndOffset, id.Epoch
		rp.Position, rp.CurrentLeaderEpoch = int64(len(file)), -1
		rt.Partitions = append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
		next, resp, err := u.ask(*l, req, requestTimeout)
		*l = next
		if err != nil {
			return err
		}
		piece, err := snapshotPiece(resp, id, int64(len(file)))
		if err != nil {
			return err
		}
		file = append(file, piece.Bytes...)
		if int64(len(file)) >= piece.Size {
			break
		}
	}
	img, _, err := raftmeta.LoadCheckpoint(u.cfg.ClusterID, id, file)
	if err != nil {
		return fatalError{err}
	}
	u.cfg.Holder.Publish(img)
	return nil
}

// snapshotPiece takes the piece at position out of an answer.
func snapshotPiece(resp kmsg.Response, id raftmeta.SnapshotID, position int64) (*kmsg.FetchSnapshotResponseTopicPartition, error) {
	r, ok := resp.(*kmsg.FetchSnapshotResponse)
	if !ok {
		return nil, fmt.Errorf("fetch snapshot %s: answer of type %T", id, resp)
	}
	what := fmt.Sprintf("fetch snapshot %s", id)
	if err := wireError(what, r.ErrorCode); err != nil {
		return nil, err
	}
	if len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 {
		return nil, fmt.Errorf("%s: answer without the partition", what)
	}
	p := &r.Topics[0].Partitions[0]
	if err := wireError(what, p.ErrorCode); err != nil {
		return nil, err
	}
	if p.Position != position || len(p.Bytes) == 0 || p.Size > snapshotBytesMax || position+int64(len(p.Bytes)) > p.Size {
		return nil, fmt.Errorf("%s: %d bytes at %d of %d, asked for %d", what, len(p.Bytes), p.Position, p.Size, position)
	}
	return p, nil
}
