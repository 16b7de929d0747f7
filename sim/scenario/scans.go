package scenario

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/sim/world"
)

const (
	scanEvery    = 2 * time.Second // between scans of all replicas
	scanBytesMax = 64 << 20        // of one segment
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
				topics := r.topicsOf(f.topic)
				if len(topics) != 1 || r.losses.isDamaged(n.ID, f) {
					continue // of two with one name nobody knows whose it is; wrong bytes say nothing
				}
				for _, raw := range segmentsIn(n, dir, f) {
					r.scanner.Scan(n.ID, topics[0], f.partition, raw, final)
				}
			}
		}
	}
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
