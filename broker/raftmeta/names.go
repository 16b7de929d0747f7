package raftmeta

import (
	"fmt"
	"strconv"
	"strings"
)

// Folder is the metadata log's folder inside the metadata log directory.
const Folder = "__cluster_metadata-0"

const (
	segmentPrefix     = "moldau.raft."
	stableName        = "moldau.stable"
	snapshotTmpPrefix = "moldau.snapshot." // then a number, then tmpSuffix
	ownPrefix         = "moldau."
	tmpSuffix         = ".tmp" // of a file that takes its name when it is whole
	checkpointSuffix  = ".checkpoint"
	metaPrefix        = "moldau."
	metaSuffix        = ".meta"

	offsetDigits = 20
	epochDigits  = 10
)

// SnapshotID names a snapshot as Kafka does: the offset after its last record
// and the epoch of that record.
type SnapshotID struct {
	EndOffset int64
	Epoch     int32
}

// FileName is the name of the checkpoint file.
func (id SnapshotID) FileName() string {
	return fmt.Sprintf("%0*d-%0*d%s", offsetDigits, id.EndOffset, epochDigits, id.Epoch, checkpointSuffix)
}

func (id SnapshotID) String() string { return strings.TrimSuffix(id.FileName(), checkpointSuffix) }

func (id SnapshotID) metaName() string { return metaPrefix + id.String() + metaSuffix }

// ParseSnapshotID reads the text form <20 digits>-<10 digits>.
func ParseSnapshotID(s string) (SnapshotID, error) {
	end, epoch, ok := strings.Cut(s, "-")
	if !ok || len(end) != offsetDigits || len(epoch) != epochDigits {
		return SnapshotID{}, fmt.Errorf("%q is no snapshot id", s)
	}
	e, err := strconv.ParseUint(end, 10, 63)
	if err != nil {
		return SnapshotID{}, fmt.Errorf("%q is no snapshot id: %w", s, err)
	}
	p, err := strconv.ParseUint(epoch, 10, 31)
	if err != nil {
		return SnapshotID{}, fmt.Errorf("%q is no snapshot id: %w", s, err)
	}
	return SnapshotID{EndOffset: int64(e), Epoch: int32(p)}, nil
}

func segmentName(first uint64) string {
	return fmt.Sprintf("%s%0*d", segmentPrefix, offsetDigits, first)
}

// parseSegmentName reads the first index out of a segment's file name.
func parseSegmentName(name string) (uint64, bool) {
	digits, ok := strings.CutPrefix(name, segmentPrefix)
	if !ok || len(digits) != offsetDigits {
		return 0, false
	}
	first, err := strconv.ParseUint(digits, 10, 64)
	return first, err == nil && first > 0
}

// parseMetaName reads the snapshot id out of a meta file's name.
func parseMetaName(name string) (SnapshotID, bool) {
	if !strings.HasPrefix(name, metaPrefix) || !strings.HasSuffix(name, metaSuffix) {
		return SnapshotID{}, false
	}
	id, err := ParseSnapshotID(name[len(metaPrefix) : len(name)-len(metaSuffix)])
	return id, err == nil
}

// parseCheckpointName reads the snapshot id out of a checkpoint's file name.
func parseCheckpointName(name string) (SnapshotID, bool) {
	text, ok := strings.CutSuffix(name, checkpointSuffix)
	if !ok {
		return SnapshotID{}, false
	}
	id, err := ParseSnapshotID(text)
	return id, err == nil
}
