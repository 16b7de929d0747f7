package logdir

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/vfs"
)

// Spec is a partition to create.
type Spec struct {
	Topic string
	ID    kafka.TopicPartition
	Options
}

// Create makes empty partitions whose logs begin at offset 0 and returns when
// their folders are durable; their first State is that of EmptyState. It waits
// on the disk, so it is not for a shard's loop; many specs in one call share
// the directory's sync. What is Lost is so no longer: whoever creates it knows
// that its records are gone; a folder with its name is used again, and what is in
// its segments is kept aside. On an error none of them exists for the caller; with
// ErrExists none has got a folder either.
func (d *Dir) Create(specs []Spec) ([]*Partition, error) {
	if err := d.Err(); err != nil {
		return nil, err
	}
	if err := d.inPlace(); err != nil {
		d.fail(err)
		return nil, err
	}
	parts := make([]*Partition, len(specs))
	now := d.cfg.Clock.Wall()
	for i := range specs {
		st := EmptyState(now)
		parts[i] = d.newPartition(specs[i].Topic, specs[i].ID, specs[i].Options, &st)
	}
	if err := d.register(parts); err != nil {
		return nil, err
	}
	err := d.parallel(len(parts), d.cfg.SyncLanes, func(i int) error { return d.noFolder(parts[i]) })
	if err == nil {
		err = d.makeFolders(parts)
	}
	if err == nil {
		// P1: without the folder's name nothing that is written there would be found.
		err = d.syncDir(d.cfg.Path, promiseFolderName)
	}
	if err == nil {
		err = d.beginAnew(specs)
	}
	if err != nil {
		d.unregister(parts)
		if !errors.Is(err, ErrExists) && !errors.Is(err, ErrClosed) && ignoreGone(err) != nil {
			d.fail(err)
		}
		return nil, err
	}
	return parts, nil
}

// inPlace tells whether the directory is still the one that was opened. One that
// was removed, or whose file system was unmounted, must not be made again below
// the files that are open: what they take would be found by nobody.
func (d *Dir) inPlace() error {
	_, err := d.cfg.FS.Stat(d.cfg.Path + "/" + lockFile)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s was removed while it was in use: %s is gone", d.cfg.Path, lockFile)
	}
	return err
}

// register enters partitions unless one of them is known.
func (d *Dir) register(parts []*Partition) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closing {
		return ErrClosed
	}
	for i, p := range parts {
		_, found := d.byID[p.id]
		if d.parts[p.id] != nil || found {
			for _, q := range parts[:i] {
				delete(d.parts, q.id)
			}
			return fmt.Errorf("create %s-%d: %w", p.topic, p.id.Partition, ErrExists)
		}
		d.parts[p.id] = p
	}
	return nil
}

func (d *Dir) unregister(parts []*Partition) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range parts {
		delete(d.parts, p.id)
	}
}

// noFolder fails if a partition's folder exists, but for one that is Lost.
func (d *Dir) noFolder(p *Partition) error {
	switch _, err := d.cfg.FS.Stat(p.path()); {
	case err == nil && d.Lost(p.topic, p.id):
	case err == nil:
		return fmt.Errorf("create %s: %w", p.path(), ErrExists)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return nil
}

// makeFolders makes the partitions' folders. Those that there is no space for do
// not stay in the way of the next attempt.
func (d *Dir) makeFolders(parts []*Partition) error {
	err := d.parallel(len(parts), d.cfg.SyncLanes, func(i int) error { return d.makeFolder(parts[i]) })
	if errors.Is(err, vfs.ErrNoSpace) {
		for _, p := range parts {
			if !d.Lost(p.topic, p.id) { // whose folder may hold what is kept aside
				err = errors.Join(err, d.cfg.FS.RemoveAll(p.path()))
			}
		}
	}
	return err
}

// makeFolder makes a partition's folder and its partition.metadata.
func (d *Dir) makeFolder(p *Partition) error {
	if err := d.cfg.FS.MkdirAll(p.path()); err != nil {
		return err
	}
	if d.Lost(p.topic, p.id) {
		if err := d.setAside(p); err != nil {
			return fmt.Errorf("keep what is in %s: %w", p.path(), err)
		}
	}
	f, err := d.cfg.FS.Create(p.path() + "/" + seglog.PartitionMetadataFile)
	if err != nil {
		return err
	}
	return d.fillFolder(p.path(), f, p.id)
}

// fillFolder writes partition.metadata, closes it, and makes it durable.
func (d *Dir) fillFolder(dir string, f vfs.File, id kafka.TopicPartition) error {
	_, err := f.WriteAt(seglog.EncodePartitionMetadata(id.Topic), 0)
	if err == nil {
		err = d.sync(f, promiseFolderContents) // P1: whose log this is
	}
	if err = firstError(err, f.Close()); err != nil {
		return err
	}
	return d.syncDir(dir, promiseFolderEntries) // P1: its name, too
}
