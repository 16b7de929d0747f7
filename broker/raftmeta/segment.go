package raftmeta

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/moldau/moldau/disk/vfs"
)

// segmentBytesMax is the size at which a new segment is begun; a segment may
// pass it by one call of StoreLogs.
const segmentBytesMax = 8 << 20

// segmentFileBytesMax bounds what an opening store reads into memory.
const segmentFileBytesMax = 256 << 20

// segment is one open file of raft's log with the places of its entries.
// Invariant: entry i has index first+i; end is where the next one goes.
type segment struct {
	first   uint64
	file    vfs.File
	entries []entryPlace
	end     int64
}

type entryPlace struct {
	offset int64
	kind   raft.LogType
}

// next is the index after the last entry.
func (s *segment) next() uint64 { return s.first + uint64(len(s.entries)) }

// read fills l with the entry at index, which the segment has.
func (s *segment) read(index uint64, l *raft.Log) error {
	i := index - s.first
	end := s.end
	if i+1 < uint64(len(s.entries)) {
		end = s.entries[i+1].offset
	}
	b := make([]byte, end-s.entries[i].offset)
	if _, err := s.file.ReadAt(b, s.entries[i].offset); err != nil {
		return fmt.Errorf("read raft entry %d: %w", index, err)
	}
	if err := decodeEntry(b, l); err != nil {
		return fmt.Errorf("%s: index %d: %w", s.file.Name(), index, err)
	}
	if l.Index != index {
		return fmt.Errorf("%s: entry %d found where %d belongs: %w", s.file.Name(), l.Index, index, ErrDamaged)
	}
	return nil
}

// errTornSegment: the last segment holds nothing that was acknowledged.
var errTornSegment = errors.New("torn segment")

// openSegment reads a segment and finds its entries. A torn tail is cut if
// last allows it; a last segment without a whole header is errTornSegment.
func openSegment(fsys vfs.FS, path string, first uint64, last bool) (s *segment, err error) {
	data, err := vfs.ReadFile(fsys, path, segmentFileBytesMax)
	if err != nil {
		return nil, fmt.Errorf("open raft log: %w", err)
	}
	if err := checkSegmentHeader(data, first); err != nil {
		if last && errors.Is(err, ErrDamaged) && !provesSynced(data, first) {
			return nil, errTornSegment
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s = &segment{first: first, end: segmentHeaderLen}
	for s.end < int64(len(data)) {
		h, ok := parseHead(data[s.end:])
		if !ok || h.index != s.next() {
			break
		}
		s.entries = append(s.entries, entryPlace{offset: s.end, kind: h.kind})
		s.end += h.size
	}
	torn := s.end < int64(len(data))
	if torn && (!last || provesSynced(data[s.end:], s.next())) {
		return nil, fmt.Errorf("%s: entry %d at byte %d: %w", path, s.next(), s.end, ErrDamaged)
	}
	if s.file, err = fsys.Open(path); err != nil {
		return nil, fmt.Errorf("open raft log: %w", err)
	}
	if torn {
		if err := s.cut(s.end); err != nil {
			return nil, errors.Join(err, s.file.Close())
		}
	}
	if last && len(s.entries) > 0 {
		if err := s.prove(data[:s.end]); err != nil {
			return nil, errors.Join(err, s.file.Close())
		}
	}
	return s, nil
}

// prove writes what the last segment holds again and syncs it. Had the sync of
// its newest entries failed in the process before, or had it not come to it, they
// would be readable, and not on the disk; had it failed, the system would hold
// them for clean.
func (s *segment) prove(data []byte) error {
	if _, err := s.file.WriteAt(data, 0); err != nil {
		return fmt.Errorf("write raft log again: %w", err)
	}
	// Promise (raft): an entry that this node has counts towards a majority, and
	// is durable. What was cut behind it is never read again behind newer ones.
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("sync raft log found at the start: %w", err)
	}
	return nil
}

// cut takes everything from byte end on off the file. The sync that follows
// what is written next makes it durable.
func (s *segment) cut(end int64) error {
	if err := s.file.Truncate(end); err != nil {
		return fmt.Errorf("cut raft log: %w", err)
	}
	s.end = end
	return nil
}
