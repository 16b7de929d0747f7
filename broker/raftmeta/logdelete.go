package raftmeta

import (
	"fmt"

	"github.com/moldau/moldau/disk/vfs"
)

// DeleteRange deletes the entries from low to high, both included, which lie
// at one end of the log. Entries deleted from the front leave the file with
// their whole segment; after a restart those that share a segment with kept
// ones are there again, which raft's snapshot makes harmless.
func (s *LogStore) DeleteRange(low, high uint64) error {
	return outlive(func() error { return s.deleteRange(low, high) })
}

func (s *LogStore) deleteRange(low, high uint64) error {
	defer s.guard.enter()()
	s.write.Lock()
	defer s.write.Unlock()
	if err := s.failure(); err != nil {
		return err
	}
	first, _ := s.FirstIndex()
	last, _ := s.LastIndex()
	if first == 0 || low > high || high < first || low > last {
		return nil
	}
	low, high = max(low, first), min(high, last)
	var err error
	switch {
	case low == first && high == last:
		err = s.deleteAll()
	case low == first:
		err = s.deleteFront(high + 1)
	case high == last:
		err = s.deleteBack(low)
	default:
		return fmt.Errorf("delete raft entries %d to %d: the log is %d to %d, no hole is allowed", low, high, first, last)
	}
	if err != nil {
		return s.fail(err)
	}
	return nil
}

// deleteAll removes every segment, oldest first.
func (s *LogStore) deleteAll() error {
	for len(s.segments) > 0 {
		if err := s.dropSegment(0); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.first = 0
	s.mu.Unlock()
	return nil
}

// deleteFront makes keep the first index.
func (s *LogStore) deleteFront(keep uint64) error {
	s.mu.Lock()
	s.first = keep
	s.mu.Unlock()
	for len(s.segments) > 1 && s.segments[0].next() <= keep {
		if err := s.dropSegment(0); err != nil {
			return err
		}
	}
	return nil
}

// deleteBack makes from-1 the last index.
func (s *LogStore) deleteBack(from uint64) error {
	for n := len(s.segments); n > 1 && s.segments[n-1].first >= from; n = len(s.segments) {
		if err := s.dropSegment(n - 1); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	seg := s.segments[len(s.segments)-1]
	i := from - seg.first
	if i >= uint64(len(seg.entries)) {
		return nil
	}
	end := seg.entries[i].offset
	if err := s.shorten(seg, end); err != nil {
		return err
	}
	seg.entries, seg.end = seg.entries[:i], end
	return nil
}

// shorten makes the first end bytes of a segment its contents, in one step. To
// truncate the file would not do: a power loss in the middle may leave zeros
// where the cut begins and whole entries behind them, which prove that what
// became zeros had been synced, and look like damage.
func (s *LogStore) shorten(seg *segment, end int64) error {
	kept := make([]byte, end)
	if _, err := seg.file.ReadAt(kept, 0); err != nil {
		return fmt.Errorf("read raft log to shorten it: %w", err)
	}
	// Promise (raft): entries that were deleted are never read again behind newer ones.
	if err := vfs.ReplaceFile(s.fsys, s.dir, segmentName(seg.first), kept); err != nil {
		return fmt.Errorf("shorten raft log: %w", err)
	}
	file, err := s.fsys.Open(s.dir + "/" + segmentName(seg.first))
	if err != nil {
		return fmt.Errorf("open shortened raft log: %w", err)
	}
	err = seg.file.Close()
	seg.file = file
	return err
}

// dropSegment removes segment i, durably.
func (s *LogStore) dropSegment(i int) error {
	s.mu.Lock()
	seg := s.segments[i]
	s.segments = append(s.segments[:i:i], s.segments[i+1:]...)
	s.mu.Unlock()
	if err := seg.file.Close(); err != nil {
		return fmt.Errorf("close segment of raft log: %w", err)
	}
	return s.unlink(s.dir + "/" + segmentName(seg.first))
}
