package scenario

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/sim/workload"
	"github.com/moldau/moldau/sim/world"
)

const (
	scanEvery    = 2 * time.Second // between scans of all replicas
	scanBytesMax = 64 << 20        // of one segment
	// metadataBytesMax bounds a partition.metadata.
	metadataBytesMax = 1 << 10
)

// scanWhile scans all replicas again and again, until stop closes.
func (r *run) scanWhile(stop <-chan struct{}) {
	for r.world.Sleep(scanEvery, stop) {
		r.scan(false)
	}
}

// scan records what all replicas of clients' partitions hold at this moment, be
// their nodes up or not.
func (r *run) scan(final bool) {
	for _, n := range r.world.Nodes() {
		for _, dir := range n.LogDirs() {
			for _, f := range foldersIn(n, dir) {
				topic := ownerOf(n.Disk.Peek(), path.Join(dir, f.name()), r.topicsOf(f.topic))
				if topic == nil || r.losses.isDamaged(n.ID, f) {
					continue // wrong bytes say nothing
				}
				for _, raw := range segmentsIn(n, dir, f) {
					r.scanner.Scan(n.ID, topic, f.partition, raw, final)
				}
			}
		}
	}
}

// ownerOf is that of the topics whose partition a folder holds, nil for none: its
// name may be that of a topic that was deleted, and is removed later.
func ownerOf(disk vfs.FS, at string, topics []*workload.Topic) *workload.Topic {
	raw, err := vfs.ReadFile(disk, path.Join(at, seglog.PartitionMetadataFile), metadataBytesMax)
	if err != nil {
		return nil // not made yet, or gone meanwhile
	}
	id, err := seglog.ParsePartitionMetadata(raw)
	if err != nil {
		return nil // not written yet
	}
	i := slices.IndexFunc(topics, func(t *workload.Topic) bool { return t.ID == id })
	if i < 0 {
		return nil
	}
	return topics[i]
}

// segmentsIn reads the segments of a partition's folder, in their order.
func segmentsIn(n *world.Node, dir string, f folder) (segments [][]byte) {
	at := path.Join(dir, f.name())
	infos, err := n.Disk.Peek().List(at)
	if err != nil {
		return nil // gone meanwhile
	}
	var names []string
	for _, info := range infos {
		if strings.HasSuffix(info.Name, ".log") {
			names = append(names, info.Name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if raw, err := vfs.ReadFile(n.Disk.Peek(), path.Join(at, name), scanBytesMax); err == nil {
			segments = append(segments, raw)
		}
	}
	return segments
}
