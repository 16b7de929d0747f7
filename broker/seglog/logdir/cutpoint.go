package logdir

import (
	"fmt"
	"slices"

	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/vfs"
)

// cutPoint describes the segment that a truncation to offset cuts, as it will
// be afterwards. A batch that holds offset is cut off whole, so the log's end
// may become less; it is returned, too. Nothing of the partition is outstanding.
func (p *Partition) cutPoint(offset int64) (end int64, last seglog.Segment, err error) {
	segs := p.segments()
	i := segmentAt(segs, offset)
	if i < 0 {
		return 0, last, fmt.Errorf("truncation of %s-%d to offset %d: the log begins at %d", p.topic, p.id.Partition, offset, segs[0].base)
	}
	s := segs[i]
	if i > 0 && s.base == offset {
		// Cutting at a segment's base leaves it empty, as Kafka does.
		return offset, emptyInfo(s.base, p.d.cfg.Clock.Wall()), nil
	}
	size := s.size.Load()
	if size == 0 {
		return s.base, emptyInfo(s.base, p.d.cfg.Clock.Wall()), nil
	}
	f, err := p.d.handles.acquire(s)
	if err != nil {
		return 0, last, p.wrapRead(err)
	}
	defer p.d.handles.release(s)
	h := headers{f: f, size: size}
	from, err := s.indexed(p.d.cfg.FS, offset)
	if err != nil {
		return 0, last, p.wrapRead(err)
	}
	position, head, err := h.find(from, offset)
	if err != nil && from > 0 {
		position, head, err = h.find(0, offset)
	}
	if err != nil {
		return 0, last, p.wrapRead(err)
	}
	end = offset
	if position < size {
		end = head.BaseOffset
	}
	info := emptyInfo(s.base, p.d.cfg.Clock.Wall())
	last, err = p.d.summarize(s, f, info, position)
	return end, last, p.wrapRead(err)
}

// summarize computes what is known of a segment's first size bytes: it reads
// all their headers.
func (d *Dir) summarize(s *segment, f vfs.File, info seglog.Segment, size int64) (seglog.Segment, error) {
	h := headers{f: f, size: size}
	for at := int64(0); at < size; {
		head, err := h.read(at)
		if err != nil {
			return info, err
		}
		addBatch(&info, &head)
		at += int64(head.Size())
	}
	return info, d.countBelow(s, &info)
}

// countBelow counts the index entries that stay when the segment is cut as
// info says.
func (d *Dir) countBelow(s *segment, info *seglog.Segment) error {
	x := &s.indexes
	x.mu.RLock()
	offsets, times, offsetsIn, timesIn := slices.Clone(x.offsets), slices.Clone(x.times), x.offsetsIn, x.timesIn
	x.mu.RUnlock()
	last := seglog.IndexEntry{Position: 0}
	_, _, err := searchFile(d.cfg.FS, s.name(seglog.IndexSuffix), offsetsIn, seglog.IndexEntryLen, func(n int, at func(int) []byte) (bool, bool) {
		for i := range n {
			e := seglog.IndexEntryAt(at(i), s.base, 0)
			if e.Position >= info.Size {
				break
			}
			info.IndexEntries, last = i+1, e
		}
		return true, true
	})
	if err != nil {
		return err
	}
	for _, e := range offsets {
		if e.Position < info.Size {
			info.IndexEntries++
			last = e
		}
	}
	info.SinceIndex = info.Size - last.Position
	end := info.MaxTimestamp
	_, _, err = searchFile(d.cfg.FS, s.name(seglog.TimeIndexSuffix), timesIn, seglog.TimeEntryLen, func(n int, at func(int) []byte) (bool, bool) {
		for i := range n {
			e := seglog.TimeEntryAt(at(i), s.base, 0)
			if e.Timestamp > end || e.Offset > info.MaxTimestampOffset {
				break
			}
			info.TimeEntries, info.IndexedTimestamp = i+1, e.Timestamp
		}
		return true, true
	})
	for _, e := range times {
		if e.Timestamp <= end && e.Offset <= info.MaxTimestampOffset {
			info.TimeEntries++
			info.IndexedTimestamp = e.Timestamp
		}
	}
	return err
}
