package world

import (
	"strings"

	"github.com/moldau/moldau/disk/simfs"
)

// noteDamage passes on the marks of faults that take a copy of what was
// durable: "disk.<kind>" with "<node>:<path>".
func (w *World) noteDamage(mark, detail string) {
	kind, ok := strings.CutPrefix(mark, "disk.")
	if !ok || w.cfg.Damaged == nil {
		return
	}
	for _, k := range [...]simfs.Kind{simfs.Rot, simfs.LostWrite, simfs.Misdirect, simfs.Gone} {
		if k.String() == kind {
			node, path, _ := strings.Cut(detail, ":")
			w.cfg.Damaged(node, path)
			return
		}
	}
}
