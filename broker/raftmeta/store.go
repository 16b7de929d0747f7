package raftmeta

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/hashicorp/raft"

	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/disk/vfs"
)

// StoreConfig says where the store lies.
type StoreConfig struct {
	FS    vfs.FS
	Clock clock.Clock
	// LogDir is the metadata log directory; the store lies in its Folder,
	// which is made if missing.
	LogDir string
	// OnFailure hears of the first write or sync that failed: the node must
	// stop. It may be called from any goroutine and must not wait.
	OnFailure func(error)
}

// Store is the three stores of one node, opened together. One process opens
// a directory at a time; the lock of the log directory sees to that.
type Store struct {
	Log       *LogStore
	Stable    *StableStore
	Snapshots *SnapshotStore
	guard     *Guard
}

// OpenStore opens the stores, cutting what a crash left unfinished. It fails
// with ErrDamaged where something synced is missing or changed, and with
// ErrNewerFormat for files of a newer version.
func OpenStore(cfg StoreConfig) (st *Store, err error) {
	if cfg.FS == nil || cfg.Clock == nil || cfg.LogDir == "" {
		return nil, errors.New("open metadata store: file system, clock or directory is missing")
	}
	dir := cfg.LogDir + "/" + Folder
	if _, err := cfg.FS.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := cfg.FS.MkdirAll(dir); err != nil {
			return nil, fmt.Errorf("make metadata log folder: %w", err)
		}
		// Promise (raft): what is stored in the folder survives; so must the folder.
		if err := cfg.FS.SyncDir(cfg.LogDir); err != nil {
			return nil, fmt.Errorf("sync metadata log directory: %w", err)
		}
	}
	if err := sweep(cfg.FS, dir); err != nil {
		return nil, err
	}
	if err := proveNames(cfg.FS, dir); err != nil {
		return nil, err
	}
	st = &Store{guard: newGuard(cfg.Clock, cfg.OnFailure)}
	defer func() {
		if err != nil {
			err = errors.Join(err, st.Close())
		}
	}()
	if st.Log, err = openLog(cfg.FS, dir, st.guard); err != nil {
		return st, err
	}
	last, _ := st.Log.LastIndex()
	metas, err := hasMeta(cfg.FS, dir)
	if err != nil {
		return st, err
	}
	if st.Stable, err = openStable(cfg.FS, dir, st.guard, last == 0 && !metas); err != nil {
		return st, err
	}
	term, err := st.Stable.GetUint64([]byte("CurrentTerm"))
	if err != nil {
		return st, err
	}
	if st.Snapshots, err = openSnapshots(cfg.FS, dir, st.guard, last > 0 || term > 0 || metas); err != nil {
		return st, err
	}
	return st, st.join()
}

// proveNames makes durable which files are in dir: a process that was killed may
// have left one to a sync that never came.
func proveNames(fsys vfs.FS, dir string) error {
	// Promise (raft): entries, terms and votes that follow are in files whose names survive.
	if err := fsys.SyncDir(dir); err != nil {
		return fmt.Errorf("sync metadata log folder found at the start: %w", err)
	}
	return nil
}

// sweep removes temporary files of ours, which a crash has left unfinished.
func sweep(fsys vfs.FS, dir string) error {
	infos, err := fsys.List(dir)
	if err != nil {
		return fmt.Errorf("list metadata log folder: %w", err)
	}
	for _, info := range infos {
		if !strings.HasPrefix(info.Name, ownPrefix) || !strings.HasSuffix(info.Name, tmpSuffix) {
			continue
		}
		if err := fsys.Remove(dir + "/" + info.Name); err != nil {
			return fmt.Errorf("remove unfinished file of the metadata log: %w", err)
		}
	}
	return nil
}

// hasMeta reports whether a meta file of a snapshot is in dir.
func hasMeta(fsys vfs.FS, dir string) (bool, error) {
	infos, err := fsys.List(dir)
	if err != nil {
		return false, fmt.Errorf("list metadata log folder: %w", err)
	}
	for _, info := range infos {
		if _, ok := parseMetaName(info.Name); ok {
			return true, nil
		}
	}
	return false, nil
}

// join makes log and snapshot fit: a log that ends below the snapshot is what
// an unfinished removal left; one that begins above it lacks entries.
func (st *Store) join() error {
	first, _ := st.Log.FirstIndex()
	last, _ := st.Log.LastIndex()
	snap := st.Snapshots.LatestIndex()
	switch {
	case first > snap+1:
		return fmt.Errorf("raft log begins at entry %d, the newest snapshot ends at %d: %w", first, snap, ErrDamaged)
	case first > 0 && last < snap:
		return st.Log.DeleteRange(first, last)
	}
	return nil
}

// Empty reports that nothing was ever stored: no term, entry or snapshot.
func (st *Store) Empty() (bool, error) {
	has, err := raft.HasExistingState(st.Log, st.Stable, st.Snapshots)
	return !has, err
}

// Bootstrap makes the first configuration durable: servers, all voters. The
// store must be Empty.
func (st *Store) Bootstrap(servers []raft.Server) error {
	empty, err := st.Empty()
	if err != nil {
		return err
	}
	if !empty {
		return errors.New("bootstrap: the metadata log is not empty")
	}
	if err := st.Stable.SetUint64([]byte("CurrentTerm"), 1); err != nil {
		return err
	}
	return st.Log.StoreLog(&raft.Log{
		Index: 1, Term: 1, Type: raft.LogConfiguration,
		Data: raft.EncodeConfiguration(raft.Configuration{Servers: servers}),
	})
}

// Bootstrap opens an empty store and makes the peers the voters of a new
// cluster, durably.
func Bootstrap(cfg StoreConfig, voters ...Peer) (*Store, error) {
	st, err := OpenStore(cfg)
	if err != nil {
		return nil, err
	}
	var servers []raft.Server
	for _, v := range voters {
		id := ServerID(v.Node, v.Directory)
		servers = append(servers, raft.Server{ID: id, Address: raft.ServerAddress(id)})
	}
	if err := st.Bootstrap(servers); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return st, nil
}

// OnlyBootstrap reports that the store holds nothing beyond the bootstrap
// configuration: no metadata record was ever proposed.
func (st *Store) OnlyBootstrap() bool {
	_, snap := st.Snapshots.Latest()
	return !snap && st.Log.LastCommand() == 0
}

// Guard watches for calls that hang.
func (st *Store) Guard() *Guard { return st.guard }

// Close closes all files.
func (st *Store) Close() (err error) {
	if st.Log != nil {
		err = st.Log.Close()
	}
	if st.Stable != nil {
		err = errors.Join(err, st.Stable.Close())
	}
	return err
}

// HasFiles reports whether a file of raft's is in the Folder of logDir.
func HasFiles(fsys vfs.FS, logDir string) (bool, error) {
	infos, err := fsys.List(logDir + "/" + Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("list metadata log folder: %w", err)
	}
	for _, info := range infos {
		if strings.HasPrefix(info.Name, segmentPrefix) || info.Name == stableName {
			return true, nil
		}
		if _, ok := parseMetaName(info.Name); ok {
			return true, nil
		}
	}
	return false, nil
}
