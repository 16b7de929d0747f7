package logdir

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/vfs"
)

// identify finds out whose log the folder holds. What a crash has left of a
// folder that was being created is removed, and unfinished is true: Create had
// not returned, so nothing was ever written there. Any other partition.metadata
// that makes no sense is damage, and is named in senseless.
func (p *partRecovery) identify() (unfinished bool, senseless, err error) {
	b, err := vfs.ReadFile(p.d.cfg.FS, p.path+"/"+seglog.PartitionMetadataFile, smallFileMax)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, nil, err
	}
	if senseless = err; senseless == nil {
		p.id.Topic, senseless = seglog.ParsePartitionMetadata(b)
	}
	switch {
	case senseless == nil:
		p.id.Partition = p.folder.partition
		return false, nil, p.proveFolder()
	case !p.cutShort(b):
		return false, fmt.Errorf("folder %s: %w", p.path, senseless), nil
	}
	return true, nil, p.d.cfg.FS.RemoveAll(p.path)
}

// cutShort reports whether the folder, with b as its partition.metadata, is what
// a crash leaves of a creation: nothing else is in it yet, and a part of b lacks.
func (p *partRecovery) cutShort(b []byte) bool {
	_, begun := p.names[seglog.PartitionMetadataFile]
	others := len(p.names) > 1 || len(p.names) == 1 && !begun
	return !others && len(bytes.TrimRight(b, "\x00")) < len(seglog.EncodePartitionMetadata(kafka.UUID{}))
}

// proveFolder makes durable whose log this is, unless the marks prove that it is:
// they name a partition only after its creation has ended. A process that was
// killed in the middle of it, or whose sync failed, leaves what can be read, and
// what the next power loss takes. The folder's own name follows when recovery ends.
func (p *partRecovery) proveFolder() error {
	if p.clean || p.marks[p.id] != nil {
		return nil
	}
	f, err := p.d.cfg.FS.Open(p.path + "/" + seglog.PartitionMetadataFile)
	if err != nil {
		return err
	}
	return p.d.fillFolder(p.path, f, p.id)
}

// isUnfinished tells the results of folders that were removed.
func isUnfinished(r Recovered) bool { return r.ID.Topic == (kafka.UUID{}) && r.Err == nil }
