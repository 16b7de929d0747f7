package raftmeta

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
)

// checkpointBytesMax bounds a checkpoint that is read into memory.
const checkpointBytesMax = 1 << 30

// checkpointWriteBytes is how much of a checkpoint is gathered for one write.
const checkpointWriteBytes = 1 << 20

// LoadCheckpoint builds the image that a checkpoint file stands for, and tells
// the time (wall ms) of its last record.
func LoadCheckpoint(clusterID string, id SnapshotID, file []byte) (img *metaimage.Image, timestamp int64, err error) {
	loader := metaimage.NewLoader(clusterID)
	info, err := metarecord.DecodeCheckpoint(file, loader.Add)
	if err != nil {
		return nil, 0, fmt.Errorf("snapshot %s: %w", id, err)
	}
	return loader.Image(id.EndOffset-1, id.Epoch), info.Timestamp, nil
}

// imageSnapshot is an image on its way into the snapshot store.
type imageSnapshot struct {
	img       *metaimage.Image
	timestamp int64
}

// id is what the snapshot will be named.
func (s *imageSnapshot) id() SnapshotID {
	return SnapshotID{EndOffset: s.img.Offset() + 1, Epoch: s.img.Epoch()}
}

// Persist writes the snapshot; it may run beside Apply.
func (s *imageSnapshot) Persist(sink raft.SnapshotSink) error {
	if err := s.write(sink); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}

func (s *imageSnapshot) write(sink raft.SnapshotSink) error {
	buf := AppendSnapshotPrefix(nil, s.id())
	enc := metarecord.NewCheckpointEncoder(s.img.Epoch(), s.timestamp, s.img.MetadataVersion())
	var err error
	for r := range s.img.Records() {
		if buf, err = enc.Add(buf, r); err != nil {
			return fmt.Errorf("write snapshot %s: %w", s.id(), err)
		}
		if len(buf) >= checkpointWriteBytes {
			if _, err := sink.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	_, err = sink.Write(enc.Finish(buf))
	return err
}

// Release does nothing: an image is only memory.
func (s *imageSnapshot) Release() {}
