package raftmeta

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/moldau/moldau/disk/vfs"
)

// A snapshot as raft sees it, on the wire too, is a prefix that names it and
// the checkpoint's bytes after it:
//
//	magic 4 "MSNP" | version u32 | end offset i64 | epoch i32
const (
	snapMagic     = "MSNP"
	snapVersion   = 1
	snapPrefixLen = 20
)

// AppendSnapshotPrefix begins the stream that a snapshot sink takes.
func AppendSnapshotPrefix(dst []byte, id SnapshotID) []byte {
	dst = append(dst, snapMagic...)
	dst = binary.BigEndian.AppendUint32(dst, snapVersion)
	dst = binary.BigEndian.AppendUint64(dst, uint64(id.EndOffset))
	return binary.BigEndian.AppendUint32(dst, uint32(id.Epoch))
}

// ParseSnapshotPrefix reads it.
func ParseSnapshotPrefix(b []byte) (id SnapshotID, err error) {
	if len(b) < snapPrefixLen || string(b[:4]) != snapMagic {
		return id, fmt.Errorf("no snapshot prefix: %w", ErrDamaged)
	}
	if v := binary.BigEndian.Uint32(b[4:]); v != snapVersion {
		return id, fmt.Errorf("snapshot format %d, this program knows %d: %w", v, snapVersion, ErrNewerFormat)
	}
	id.EndOffset = int64(binary.BigEndian.Uint64(b[8:]))
	id.Epoch = int32(binary.BigEndian.Uint32(b[16:]))
	if id.EndOffset < 0 || id.Epoch < 0 {
		return id, fmt.Errorf("snapshot prefix names %d-%d: %w", id.EndOffset, id.Epoch, ErrDamaged)
	}
	return id, nil
}

// SnapshotStore keeps the newest snapshot as Kafka's checkpoint file. There
// is one at a time: raft's log begins behind the newest, so an older one
// would be restored with a hole behind it.
type SnapshotStore struct {
	fsys  vfs.FS
	dir   string
	guard *Guard

	publishing writeLock // held while a snapshot becomes the newest

	mu     sync.Mutex
	latest *storedSnapshot
	begun  uint64 // snapshots, to name their files
}

type storedSnapshot struct {
	id   SnapshotID
	meta snapMeta
	size int64 // of the checkpoint file, bytes
}

var _ raft.SnapshotStore = (*SnapshotStore)(nil)

// openSnapshots finds the newest snapshot in dir and removes what unfinished
// ones left: meta files without checkpoint, older snapshots,
// and, if ours is set (other files of raft's exist), checkpoints without meta.
func openSnapshots(fsys vfs.FS, dir string, guard *Guard, ours bool) (*SnapshotStore, error) {
	s := &SnapshotStore{fsys: fsys, dir: dir, guard: guard, publishing: newWriteLock()}
	infos, err := fsys.List(dir)
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	sizes, metas := map[SnapshotID]int64{}, map[SnapshotID]bool{}
	for _, info := range infos {
		if id, ok := parseCheckpointName(info.Name); ok {
			sizes[id] = info.Size
		} else if id, ok := parseMetaName(info.Name); ok {
			metas[id] = true
		}
	}
	for _, info := range infos { // List is sorted: the newest comes last
		id, ok := parseCheckpointName(info.Name)
		if !ok || !metas[id] {
			continue
		}
		m, err := s.readMeta(id)
		if err != nil {
			return nil, err
		}
		if s.latest == nil || m.Index >= s.latest.meta.Index {
			s.latest = &storedSnapshot{id: id, meta: m, size: sizes[id]}
		}
	}
	if err := s.removeAllBut(infos, ours); err != nil {
		return nil, err
	}
	return s, nil
}

// removeAllBut removes every file of a snapshot that is not the latest one; of
// checkpoints without a meta file only orphans, which are no import. None of it
// needs a sync: what comes back after a crash is removed again.
func (s *SnapshotStore) removeAllBut(infos []vfs.Info, orphans bool) error {
	keep := func(id SnapshotID) bool { return s.latest != nil && s.latest.id == id }
	metas := map[SnapshotID]bool{}
	for _, info := range infos {
		if id, ok := parseMetaName(info.Name); ok {
			metas[id] = true
		}
	}
	for _, info := range infos {
		checkpoint, isCheckpoint := parseCheckpointName(info.Name)
		meta, isMeta := parseMetaName(info.Name)
		old := isMeta && !keep(meta) || isCheckpoint && !keep(checkpoint) && (metas[checkpoint] || orphans)
		if !old {
			continue
		}
		if err := s.fsys.Remove(s.dir + "/" + info.Name); err != nil {
			return fmt.Errorf("remove old snapshot: %w", err)
		}
	}
	return nil
}

func (s *SnapshotStore) readMeta(id SnapshotID) (snapMeta, error) {
	b, err := vfs.ReadFile(s.fsys, s.dir+"/"+id.metaName(), metaBytesMax)
	if err != nil {
		return snapMeta{}, fmt.Errorf("read meta of snapshot %s: %w", id, err)
	}
	m, err := decodeSnapMeta(b)
	if err != nil {
		return snapMeta{}, fmt.Errorf("snapshot %s: %w", id, err)
	}
	return m, nil
}

// Latest names the newest snapshot; ok is false when there is none.
func (s *SnapshotStore) Latest() (id SnapshotID, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.latest == nil {
		return SnapshotID{}, false
	}
	return s.latest.id, true
}

// LatestIndex is raft's index of the newest snapshot, 0 when there is none.
func (s *SnapshotStore) LatestIndex() uint64 {
	index, _ := s.latestEntry()
	return index
}

// latestEntry is raft's index and term of the last entry in the newest snapshot,
// both 0 when there is none.
func (s *SnapshotStore) latestEntry() (index, term uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.latest == nil {
		return 0, 0
	}
	return s.latest.meta.Index, s.latest.meta.Term
}

// List returns the newest snapshot, or nothing.
func (s *SnapshotStore) List() ([]*raft.SnapshotMeta, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.latest == nil {
		return nil, nil
	}
	m, err := s.latest.raftMeta()
	if err != nil {
		return nil, err
	}
	return []*raft.SnapshotMeta{m}, nil
}

func (st *storedSnapshot) raftMeta() (*raft.SnapshotMeta, error) {
	configuration, err := st.meta.configuration()
	if err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", st.id, err)
	}
	return &raft.SnapshotMeta{
		Version:            raft.SnapshotVersionMax,
		ID:                 st.id.String(),
		Index:              st.meta.Index,
		Term:               st.meta.Term,
		Configuration:      configuration,
		ConfigurationIndex: st.meta.ConfigurationIndex,
		Size:               snapPrefixLen + st.size,
	}, nil
}

// Open opens the newest snapshot as raft's stream.
func (s *SnapshotStore) Open(name string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.latest == nil || s.latest.id.String() != name {
		return nil, nil, fmt.Errorf("open snapshot %s: it is not the newest", name)
	}
	m, err := s.latest.raftMeta()
	if err != nil {
		return nil, nil, err
	}
	f, err := s.fsys.OpenRead(s.dir + "/" + s.latest.id.FileName())
	if err != nil {
		return nil, nil, fmt.Errorf("open snapshot %s: %w", name, err)
	}
	return m, &snapReader{prefix: AppendSnapshotPrefix(nil, s.latest.id), file: f, left: s.latest.size}, nil
}

// OpenFile opens the checkpoint file of a snapshot that an observer reads by
// FetchSnapshot. It stays readable after newer ones replaced it.
func (s *SnapshotStore) OpenFile(id SnapshotID) (vfs.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.latest == nil || s.latest.id != id {
		return nil, fmt.Errorf("open snapshot %s: it is not the newest", id)
	}
	f, err := s.fsys.OpenRead(s.dir + "/" + id.FileName())
	if err != nil {
		return nil, fmt.Errorf("open snapshot %s: %w", id, err)
	}
	return f, nil
}

// snapReader reads the prefix, then the file.
type snapReader struct {
	prefix []byte
	file   vfs.File
	off    int64
	left   int64
}

func (r *snapReader) Read(p []byte) (int, error) {
	if len(r.prefix) > 0 {
		n := copy(p, r.prefix)
		r.prefix = r.prefix[n:]
		return n, nil
	}
	if r.left <= 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > r.left {
		p = p[:r.left]
	}
	n, err := r.file.ReadAt(p, r.off)
	r.off, r.left = r.off+int64(n), r.left-int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

func (r *snapReader) Close() error { return r.file.Close() }
