package raftmeta

import (
	"fmt"
	"strings"

	"github.com/moldau/moldau/disk/vfs"
)

// Erase removes every file of raft's from the Folder of logDir, which must
// not be open. It is for a first start that was cut short: nothing was ever
// promised under it. Term and vote go last, since a log without them counts as
// damaged; what a crash leaves can be erased again.
func Erase(fsys vfs.FS, logDir string) error {
	dir := logDir + "/" + Folder
	infos, err := fsys.List(dir)
	if err != nil {
		return fmt.Errorf("list metadata log folder: %w", err)
	}
	last := ""
	for _, info := range infos {
		_, meta := parseMetaName(info.Name)
		if info.Name == stableName {
			last = dir + "/" + info.Name
		}
		if !meta && !strings.HasPrefix(info.Name, segmentPrefix) {
			continue
		}
		if err := fsys.Remove(dir + "/" + info.Name); err != nil {
			return fmt.Errorf("erase unfinished metadata log: %w", err)
		}
	}
	if last == "" {
		return nil
	}
	// Promise: no crash leaves entries without term and vote, which no start would take.
	if err := fsys.SyncDir(dir); err != nil {
		return fmt.Errorf("sync metadata log folder: %w", err)
	}
	if err := fsys.Remove(last); err != nil {
		return fmt.Errorf("erase unfinished metadata log: %w", err)
	}
	return nil
}
