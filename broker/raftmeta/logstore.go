package raftmeta

import (
	"errors"
	"fmt"
	"runtime"
	"sort"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/moldau/moldau/disk/vfs"
)

// LogStore is raft's log in append-only segments. Reads may run beside one
// writer, which waits for its sync without holding them up.
type LogStore struct {
	fsys  vfs.FS
	dir   string
	guard *Guard
	roll  int64 // segment size at which a new one is begun, bytes

	write writeLock // held by StoreLogs, DeleteRange and Close
	buf   []byte    // of the writer

	mu       sync.RWMutex
	segments []*segment // by first index, without holes
	first    uint64     // lowest index that is not deleted; 0 when empty
	failed   error      // set once: nothing is written any more
}

var (
	_ raft.LogStore          = (*LogStore)(nil)
	_ raft.MonotonicLogStore = (*LogStore)(nil)
)

// openLog opens the log in dir, cutting a torn tail.
func openLog(fsys vfs.FS, dir string, guard *Guard) (*LogStore, error) {
	infos, err := fsys.List(dir)
	if err != nil {
		return nil, fmt.Errorf("list raft log: %w", err)
	}
	var firsts []uint64
	for _, info := range infos {
		if first, ok := parseSegmentName(info.Name); ok && !info.Dir {
			firsts = append(firsts, first)
		}
	}
	sort.Slice(firsts, func(i, j int) bool { return firsts[i] < firsts[j] })
	s := &LogStore{fsys: fsys, dir: dir, guard: guard, roll: segmentBytesMax, write: newWriteLock()}
	for i, first := range firsts {
		if err := s.load(first, i == len(firsts)-1); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	s.setFirst()
	return s, nil
}

// load opens the next segment. A last one without entries is removed: the
// log may go on elsewhere.
func (s *LogStore) load(first uint64, last bool) error {
	path := s.dir + "/" + segmentName(first)
	seg, err := openSegment(s.fsys, path, first, last)
	if errors.Is(err, errTornSegment) {
		return s.unlink(path)
	}
	if err != nil {
		return err
	}
	if len(seg.entries) == 0 && last {
		return errors.Join(seg.file.Close(), s.unlink(path))
	}
	if n := len(s.segments); n > 0 && s.segments[n-1].next() != first {
		err = fmt.Errorf("raft log in %s: entries from %d to %d are missing: %w",
			s.dir, s.segments[n-1].next(), first-1, ErrDamaged)
	}
	s.segments = append(s.segments, seg)
	return err
}

// setFirst takes the lowest index from the segments. mu is held or not needed.
func (s *LogStore) setFirst() {
	s.first = 0
	if len(s.segments) > 0 && s.lastLocked() >= s.segments[0].first {
		s.first = s.segments[0].first
	}
}

func (s *LogStore) lastLocked() uint64 {
	if len(s.segments) == 0 {
		return 0
	}
	return s.segments[len(s.segments)-1].next() - 1
}

// unlink removes a file and makes that durable.
func (s *LogStore) unlink(path string) error {
	if err := s.fsys.Remove(path); err != nil {
		return fmt.Errorf("remove segment of raft log: %w", err)
	}
	// Promise: segments vanish one by one from an end, so that no crash leaves a hole.
	if err := s.fsys.SyncDir(s.dir); err != nil {
		return fmt.Errorf("sync folder of raft log: %w", err)
	}
	return nil
}

// IsMonotonic says that the log tolerates no gap.
func (s *LogStore) IsMonotonic() bool { return true }

// FirstIndex is the lowest index in the log, 0 when it is empty.
func (s *LogStore) FirstIndex() (uint64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.first, nil
}

// LastIndex is the highest index in the log, 0 when it is empty.
func (s *LogStore) LastIndex() (uint64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.first == 0 {
		return 0, nil
	}
	return s.lastLocked(), nil
}

// LastCommand is the highest index of an entry that the state machine is
// given, 0 when there is none.
func (s *LogStore) LastCommand() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i := len(s.segments) - 1; i >= 0; i-- {
		seg := s.segments[i]
		for j := len(seg.entries) - 1; j >= 0; j-- {
			index := seg.first + uint64(j)
			if index < s.first {
				return 0
			}
			if seg.entries[j].kind == raft.LogCommand {
				return index
			}
		}
	}
	return 0
}

// GetLog reads one entry; raft.ErrLogNotFound when the log does not have it.
//
// Raft panics when it cannot read its log. A store that fails reports that to
// the node, which stops, and ends the goroutine that called instead.
func (s *LogStore) GetLog(index uint64, l *raft.Log) error {
	err := s.getLog(index, l)
	if err != nil && !errors.Is(err, raft.ErrLogNotFound) {
		s.guard.failed(err)
		runtime.Goexit()
	}
	return err
}

func (s *LogStore) getLog(index uint64, l *raft.Log) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.first == 0 || index < s.first || index > s.lastLocked() {
		return raft.ErrLogNotFound
	}
	return s.segments[s.find(index)].read(index, l)
}

// find is the position of the segment that holds index, which is in the log.
func (s *LogStore) find(index uint64) int {
	return sort.Search(len(s.segments), func(i int) bool { return s.segments[i].first > index }) - 1
}

// StoreLog stores one entry durably.
func (s *LogStore) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// StoreLogs stores entries that follow the last one, and returns when they
// are durable. Of a write that failed nothing is in the log.
func (s *LogStore) StoreLogs(logs []*raft.Log) error {
	if len(logs) == 0 {
		return nil
	}
	defer s.guard.enter()()
	s.write.Lock()
	defer s.write.Unlock()
	if err := s.failure(); err != nil {
		return err
	}
	last, _ := s.LastIndex()
	if last != 0 && logs[0].Index != last+1 {
		return fmt.Errorf("store raft entry %d: the log ends at %d", logs[0].Index, last)
	}
	seg, err := s.tail(logs[0].Index)
	if err != nil {
		return err
	}
	start := seg.end
	buf, places := s.buf[:0], make([]entryPlace, 0, len(logs))
	if start == 0 {
		buf = appendSegmentHeader(buf, seg.first)
	}
	for i, l := range logs {
		if l.Index != logs[0].Index+uint64(i) {
			return fmt.Errorf("store raft entry %d: %d is expected", l.Index, logs[0].Index+uint64(i))
		}
		if len(l.Data)+len(l.Extensions)+entryFixedLen > entryBodyBytesMax {
			return fmt.Errorf("store raft entry %d: larger than %d bytes", l.Index, entryBodyBytesMax)
		}
		places = append(places, entryPlace{offset: start + int64(len(buf)), kind: l.Type})
		buf = appendEntry(buf, l, last)
	}
	if cap(buf) <= writerBufferBytesMax {
		s.buf = buf
	}
	if err := s.writeDurably(seg, buf, start); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if start == 0 {
		s.segments = append(s.segments, seg)
	}
	seg.entries = append(seg.entries, places...)
	seg.end = start + int64(len(buf))
	if s.first == 0 {
		s.first = logs[0].Index
	}
	return nil
}

// writerBufferBytesMax bounds the buffer that is kept between writes.
const writerBufferBytesMax = 1 << 20

// tail is the segment to append to: the last one, or a new one, not yet in
// segments and with end 0, when there is none or the last is full.
func (s *LogStore) tail(index uint64) (*segment, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if n := len(s.segments); n > 0 && s.segments[n-1].end < s.roll && s.segments[n-1].next() == index {
		return s.segments[n-1], nil
	}
	file, err := s.fsys.Create(s.dir + "/" + segmentName(index))
	if err != nil {
		return nil, fmt.Errorf("create segment of raft log: %w", err)
	}
	return &segment{first: index, file: file}, nil
}

// writeDurably writes b at the segment's end and syncs; a new segment's name
// too. A write that fails is taken back, so that the next may succeed when
// there is space again; a sync that fails ends the store.
func (s *LogStore) writeDurably(seg *segment, b []byte, at int64) error {
	if _, err := seg.file.WriteAt(b, at); err != nil {
		err = fmt.Errorf("write raft log: %w", err)
		if at == 0 {
			err = errors.Join(err, seg.file.Close(), s.fsys.Remove(s.dir+"/"+segmentName(seg.first)))
		} else if cutErr := seg.cut(at); cutErr != nil {
			return s.fail(errors.Join(err, cutErr))
		}
		return err
	}
	// Promise (raft): an entry that this node counts towards a majority is durable.
	if err := seg.file.Sync(); err != nil {
		return s.fail(fmt.Errorf("sync raft log: %w", err))
	}
	if at == 0 {
		// Promise (raft): so is the file that holds it.
		if err := s.fsys.SyncDir(s.dir); err != nil {
			return s.fail(fmt.Errorf("sync folder of raft log: %w", err))
		}
	}
	return nil
}

// fail makes err the end of the store.
func (s *LogStore) fail(err error) error {
	s.mu.Lock()
	if s.failed == nil {
		s.failed = fmt.Errorf("%w: %w", ErrFailed, err)
	}
	s.mu.Unlock()
	s.guard.failed(err)
	return err
}

func (s *LogStore) failure() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.failed
}

// Close closes the files. Nothing is written after it.
func (s *LogStore) Close() (err error) {
	s.write.Lock()
	defer s.write.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seg := range s.segments {
		err = errors.Join(err, seg.file.Close())
	}
	s.segments, s.first = nil, 0
	if s.failed == nil {
		s.failed = ErrClosed
	}
	return err
}
