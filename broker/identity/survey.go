package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/moldau/moldau/broker/raftmeta"
	"github.com/moldau/moldau/disk/vfs"
)

// found is what lies in one log directory.
type found struct {
	path       string
	offline    error // it cannot be read
	properties Properties
	hasProps   bool
	ours       bool   // a file of ours is there
	partition  string // name of a partition folder, empty if there is none
	foreign    string // name of a file of Kafka's metadata log, empty if there is none
	raft       bool   // files of raft's are there
}

// survey looks at one log directory, which need not exist.
func survey(fsys vfs.FS, dir string) (f found) {
	f.path = dir
	infos, err := fsys.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err = fsys.MkdirAll(dir); err == nil {
			return f
		}
	}
	if err != nil {
		f.offline = fmt.Errorf("log directory %s: %w", dir, err)
		return f
	}
	for _, info := range infos {
		switch {
		case info.Dir && info.Name == raftmeta.Folder:
			if f.foreign, err = kafkaLogFile(fsys, dir+"/"+info.Name); err != nil {
				f.offline = err
				return f
			}
		case info.Dir && isPartition(info.Name):
			f.partition = info.Name
		case !info.Dir && strings.HasPrefix(info.Name, "moldau."):
			f.ours = true
		case !info.Dir && info.Name == "bootstrap.checkpoint" && f.foreign == "":
			f.foreign = info.Name
		}
	}
	if f.raft, err = raftmeta.HasFiles(fsys, dir); err != nil {
		f.offline = err
		return f
	}
	if f.properties, f.hasProps, err = readProperties(fsys, dir); err != nil {
		f.offline = err
	}
	return f
}

// anchor makes the name of a directory durable, and those above it, whoever
// made them. A parent that may not be opened was not made by this node.
func anchor(fsys vfs.FS, dir string) error {
	for d := path.Clean(dir); d != path.Dir(d); d = path.Dir(d) {
		// Promise: a log directory in which something is promised is there after a crash.
		err := fsys.SyncDir(path.Dir(d))
		if err == nil || errors.Is(err, fs.ErrPermission) || errors.Is(err, errors.ErrUnsupported) {
			continue
		}
		if d != path.Clean(dir) {
			return nil // a place that cannot be synced cannot have been made just now
		}
		return fmt.Errorf("sync directory above %s: %w", d, err)
	}
	return nil
}

// kafkaLogFile names a file by which Kafka's own metadata log shows itself. A
// checkpoint alone does not: Moldau writes it too.
func kafkaLogFile(fsys vfs.FS, dir string) (string, error) {
	infos, err := fsys.List(dir)
	if err != nil {
		return "", fmt.Errorf("metadata log folder: %w", err)
	}
	for _, info := range infos {
		if strings.HasSuffix(info.Name, ".log") || info.Name == "quorum-state" {
			return raftmeta.Folder + "/" + info.Name, nil
		}
	}
	return "", nil
}

// isPartition reports whether a folder is named like a partition's: a topic
// name, a dash and a number. Folders that wait for their deletion count too.
func isPartition(name string) bool {
	if strings.HasSuffix(name, "-delete") || strings.HasSuffix(name, "-stray") || strings.HasSuffix(name, "-future") {
		return true
	}
	i := strings.LastIndexByte(name, '-')
	if i <= 0 || i == len(name)-1 || name == raftmeta.Folder {
		return false
	}
	return strings.Trim(name[i+1:], "0123456789") == ""
}
