package raftmeta

import (
	"fmt"
	"strings"

	"github.com/moldau/moldau/disk/vfs"
)

// Erase removes every file of raft's from the Folder of logDir, which must
// not be open. It is for a first start that was cut short: nothing was ever
// promised under it.
func Erase(fsys vfs.FS, logDir string) error {
	dir := logDir + "/" + Folder
	infos, err := fsys.List(dir)
	if err != nil {
		return fmt.Errorf("list metadata log folder: %w", err)
	}
	for _, info := range infos {
		_, meta := parseMetaName(info.Name)
		if !meta && info.Name != stableName && !strings.HasPrefix(info.Name, segmentPrefix) {
			continue
		}
		if err := fsys.Remove(dir + "/" + info.Name); err != nil {
			return fmt.Errorf("erase unfinished metadata log: %w", err)
		}
	}
	// Promise: the next first start finds nothing of this one.
	if err := fsys.SyncDir(dir); err != nil {
		return fmt.Errorf("sync metadata log folder: %w", err)
	}
	return nil
}
