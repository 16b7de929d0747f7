package raftmeta

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/moldau/moldau/disk/vfs"
)

// snapshotSink writes a snapshot into a temporary file; Close makes it the
// newest one.
type snapshotSink struct {
	store  *SnapshotStore
	meta   snapMeta
	tmp    string // path of the temporary file
	prefix []byte
	id     SnapshotID
	file   vfs.File
	off    int64
	done   bool
}

var _ raft.SnapshotSink = (*snapshotSink)(nil)

// Create begins a snapshot. Its name comes with the first bytes written.
func (s *SnapshotStore) Create(_ raft.SnapshotVersion, index, term uint64, configuration raft.Configuration,
	configurationIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	// One of raft's own may be under way while another comes from the leader.
	s.mu.Lock()
	s.begun++
	tmp := fmt.Sprintf("%s/%s%d%s", s.dir, snapshotTmpPrefix, s.begun, tmpSuffix)
	s.mu.Unlock()
	var f vfs.File
	err := outlive(func() (err error) {
		f, err = s.fsys.Create(tmp)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("create snapshot: %w", err)
	}
	return &snapshotSink{store: s, tmp: tmp, file: f, meta: snapMeta{
		Index: index, Term: term, ConfigurationIndex: configurationIndex, Servers: serversOf(configuration),
	}}, nil
}

// ID is the snapshot's name, known after its first bytes.
func (k *snapshotSink) ID() string { return k.id.String() }

func (k *snapshotSink) Write(p []byte) (int, error) {
	total := len(p)
	if need := snapPrefixLen - len(k.prefix); need > 0 {
		n := min(need, len(p))
		k.prefix = append(k.prefix, p[:n]...)
		p = p[n:]
		if n < need {
			return total, nil
		}
		var err error
		if k.id, err = ParseSnapshotPrefix(k.prefix); err != nil {
			return 0, err
		}
	}
	if len(p) > 0 {
		var n int
		err := outlive(func() (err error) {
			n, err = k.file.WriteAt(p, k.off)
			return err
		})
		k.off += int64(n)
		if err != nil {
			return 0, fmt.Errorf("write snapshot: %w", err)
		}
	}
	return total, nil
}

// Cancel drops the snapshot.
func (k *snapshotSink) Cancel() error {
	if k.done {
		return nil
	}
	k.done = true
	return outlive(func() error {
		return errors.Join(k.file.Close(), k.store.fsys.Remove(k.tmp))
	})
}

// errOlderSnapshot: another snapshot, which has more entries, was faster. Raft's
// log may begin behind that one.
var errOlderSnapshot = errors.New("a newer snapshot is here")

// Close makes the snapshot durable and the newest, and removes the older. It fails
// where it would take the place of a newer one.
func (k *snapshotSink) Close() error {
	if k.done {
		return nil
	}
	if len(k.prefix) < snapPrefixLen {
		return errors.Join(fmt.Errorf("close snapshot: it was never named: %w", ErrDamaged), k.Cancel())
	}
	err := outlive(func() error {
		defer k.store.guard.enter()()
		return k.publish()
	})
	if err != nil {
		return errors.Join(err, k.Cancel())
	}
	return nil
}

// publish writes in the order that recovery relies on: contents, meta file,
// checkpoint's name; only then are older snapshots removed.
func (k *snapshotSink) publish() error {
	s := k.store
	s.publishing.Lock()
	defer s.publishing.Unlock()
	if newest := s.LatestIndex(); k.meta.Index < newest {
		return fmt.Errorf("snapshot %s ends at entry %d, the newest at %d: %w", k.id, k.meta.Index, newest, errOlderSnapshot)
	}
	// Promise (raft): the log is cut behind the snapshot, so its contents are durable.
	if err := k.file.Sync(); err != nil {
		s.guard.failed(err)
		return fmt.Errorf("sync snapshot %s: %w", k.id, err)
	}
	meta, err := k.meta.encode()
	if err != nil {
		return err
	}
	if err := s.writeMeta(k.id, meta); err != nil {
		return fmt.Errorf("write meta of snapshot %s: %w", k.id, err)
	}
	if err := s.fsys.Rename(k.tmp, s.dir+"/"+k.id.FileName()); err != nil {
		return fmt.Errorf("name snapshot %s: %w", k.id, err)
	}
	k.done = true
	// Promise (raft): so is its name.
	if err := errors.Join(s.fsys.SyncDir(s.dir), k.file.Close()); err != nil {
		s.guard.failed(err)
		return fmt.Errorf("sync folder of snapshot %s: %w", k.id, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latest = &storedSnapshot{id: k.id, meta: k.meta, size: k.off}
	infos, err := s.fsys.List(s.dir)
	if err != nil {
		return fmt.Errorf("list snapshots: %w", err)
	}
	return s.removeAllBut(infos, true)
}

// writeMeta writes a meta file beside its name and renames it. The sync of the
// checkpoint's name makes this one durable too: a checkpoint that survives
// alone is that of a snapshot which was not finished, and is removed.
func (s *SnapshotStore) writeMeta(id SnapshotID, meta []byte) error {
	path := s.dir + "/" + id.metaName()
	f, err := s.fsys.Create(path + tmpSuffix)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(meta, 0); err == nil {
		// Promise (raft): the snapshot that the log is cut behind can be read.
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return s.fsys.Rename(path+tmpSuffix, path)
}
