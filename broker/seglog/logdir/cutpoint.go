package logdir

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/vfs"
)

// cutPoint describes the segment that a truncation to offset cuts, as it will
// be afterwards. A batch that holds offset is cut off whole, so the log's end
// may become less; it is returned, too. Nothing of the partition is outstanding.
// ErrCorrupt: what is to stay, or where it ends, cannot be told by the batches.
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
	info := emptyInfo(s.base, p.d.cfg.Clock.Wall())
	last, end, err = p.d.summarize(s, f, info, position)
	if err == nil && end != offset {
		err = holds(&h, position, head, end, offset)
	}
	return end, last, p.wrapRead(err)
}

// holds checks that the batch at position, behind one that ends at end, holds
// offset. If nothing was wrong with headers, there is one.
func holds(h *headers, position int64, head batch.Header, end, offset int64) error {
	if end > offset || position >= h.size || head.BaseOffset != end || head.LastOffset() < offset {
		return fmt.Errorf("%w: %s: the batches below position %d end at offset %d, and none behind them holds %d", ErrCorrupt, h.f.Name(), position, end, offset)
	}
	buf := make([]byte, head.Size()) // which ends within the segment
	if _, err := h.f.ReadAt(buf, position); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	again, err := batch.ParseHeader(buf)
	if err == nil {
		err = batch.CheckCRC(buf)
	}
	if err == nil && again != head {
		err = errors.New("two reads differ")
	}
	if err != nil {
		return fmt.Errorf("%w: %s, position %d: %w", ErrCorrupt, h.f.Name(), position, err)
	}
	return nil
}

// summarize computes what is known of a segment's first size bytes, and the offset
// behind them: it reads all their headers.
func (d *Dir) summarize(s *segment, f vfs.File, info seglog.Segment, size int64) (last seglog.Segment, next int64, err error) {
	h := headers{f: f, size: size}
	next = s.base
	for at := int64(0); at < size; {
		head, err := h.read(at)
		if err == nil && head.BaseOffset != next {
			err = fmt.Errorf("%w: %s, position %d: a batch at offset %d where one at %d is", ErrCorrupt, f.Name(), at, head.BaseOffset, next)
		}
		if err != nil {
			return info, next, err
		}
		addBatch(&info, &head)
		next = head.NextOffset()
		at += int64(head.Size())
	}
	return info, next, d.countBelow(s, &info)
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
