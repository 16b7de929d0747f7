package world

import (
	"strings"

	"github.com/moldau/moldau/disk/simfs"
)

// noteDisk passes on the marks of faults that hit a disk: "disk.<kind>" with
// "<node>:<path>".
func (w *World) noteDisk(mark, detail string) {
	kind, ok := strings.CutPrefix(mark, "disk.")
	if !ok || w.cfg.DiskStruck == nil {
		return
	}
	for _, k := range [...]simfs.Kind{simfs.ReadError, simfs.FlipOnRead, simfs.Rot, simfs.LostWrite, simfs.Misdirect} {
		if k.String() != kind {
			continue
		}
		host, path, _ := strings.Cut(detail, ":")
		for _, n := range w.nodes {
			if n.Host == host {
				w.cfg.DiskStruck(n, k, path)
			}
		}
		return
	}
}

// Replace puts an empty disk in the place of a log directory of a node that is
// down.
func (w *World) Replace(n *Node, dir string) error {
	if w.cfg.DirectoryGone != nil {
		w.cfg.DirectoryGone(n, dir, true)
	}
	return n.Disk.Replace(dir)
}
