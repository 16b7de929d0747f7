package logdir

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/vfs"
)

// newSegment makes the in-memory side of an empty segment.
func (d *Dir) newSegment(p *Partition, base int64) *segment { return &segment{p: p, base: base} }

// undoSegment removes the file of a segment that could not be written to.
func (l *lane) undoSegment(s *segment) error {
	if s.pin != nil {
		s.pin = nil
		l.d.handles.forget(s)
		l.d.handles.release(s)
	}
	err := l.d.cfg.FS.Remove(s.name(seglog.LogSuffix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// roll makes s, whose file exists, the active segment; the one before it is
// closed in the background.
func (l *lane) roll(p *Partition, s *segment, r *seglog.Roll) {
	t := &p.lane
	segs := p.segments()
	old := segs[len(segs)-1]
	if r.LastTime.Offset >= 0 {
		old.indexes.add(nil, []seglog.TimeEntry{r.LastTime})
		t.countEntries(nil, []seglog.TimeEntry{r.LastTime})
	}
	t.infos = append(slices.Clip(t.infos), emptyInfo(s.base, r.Timestamp))
	p.publish(append(slices.Clip(segs), s))
	l.change(p)
	// The job takes the segment's pin over: a cut may make the segment active
	// again, or remove it, before the job is done.
	pin := old.pin
	old.pin = nil
	l.d.background.put(job{kind: jobCloseSegment, segment: old, pin: pin, snapshot: r.Snapshot, base: s.base})
}

// emptyInfo describes a new segment.
func emptyInfo(base, nowWall int64) seglog.Segment {
	return seglog.Segment{Base: base, MaxTimestamp: -1, MaxTimestampOffset: -1, FirstTimestamp: -1, Created: nowWall, IndexedTimestamp: -1}
}

// closeSegment is what a roll leaves to do: the closed segment's indexes and
// the producer snapshot of the new one. None of it is a promise: recovery makes
// it again from the batches.
func (d *Dir) closeSegment(j *job) error {
	s := j.segment
	if s.p.gone.Load() || s.unlinked.Load() {
		return nil
	}
	if err := s.flushIndexes(d.cfg.FS, true); err != nil {
		return ignoreGone(err)
	}
	if len(j.snapshot) > 0 {
		name := s.p.path() + "/" + seglog.FileName(j.base, seglog.SnapshotSuffix)
		if err := d.writeRebuildable(name, j.snapshot); err != nil {
			return ignoreGone(err)
		}
	}
	var err error
	if j.pin != nil {
		err = j.pin.Sync() // rebuildable: whoever promised these bytes syncs them himself
	}
	for _, suffix := range []string{seglog.IndexSuffix, seglog.TimeIndexSuffix} {
		err = firstError(err, ignoreGone(d.syncRebuildable(s.name(suffix))))
	}
	return err
}

// unpin lets go of a segment's file.
func (d *Dir) unpin(s *segment) {
	if s.pin != nil {
		s.pin = nil
		d.handles.release(s)
	}
}

// ignoreGone drops the errors of a file that was deleted meanwhile, and of a
// full disk: what is written here can be made again.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, vfs.ErrNoSpace) {
		return nil
	}
	return err
}

// writeRebuildable writes a file that can be made again, without a sync.
func (d *Dir) writeRebuildable(name string, data []byte) error {
	f, err := d.cfg.FS.Create(name)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	return firstError(err, f.Close())
}

// syncRebuildable syncs a file for tidiness.
func (d *Dir) syncRebuildable(name string) error {
	f, err := d.cfg.FS.Open(name)
	if err != nil {
		return err
	}
	err = f.Sync() // rebuildable: an index or a snapshot
	return firstError(err, f.Close())
}

// deleteSegments takes segments out of the log. Their files go once the log
// start above them is durable, and what they tell of producers as well.
func (l *lane) deleteSegments(p *Partition, bases []int64) {
	t := &p.lane
	segs := p.segments()
	var kept, doomed []*segment
	var infos []seglog.Segment
	for i, s := range segs {
		if i < len(segs)-1 && slices.Contains(bases, s.base) {
			s.end = segs[i+1].base
			doomed = append(doomed, s)
			continue
		}
		kept, infos = append(kept, s), append(infos, t.infos[i])
	}
	if len(doomed) == 0 {
		return
	}
	t.infos = infos
	p.publish(kept)
	l.change(p)
	t.doomed = append(slices.DeleteFunc(t.doomed, func(s *segment) bool { return s.unlinked.Load() }), doomed...)
	it := l.item(p)
	it.doomed = append(it.doomed, doomed...)
	if start := kept[0].base; start > t.start {
		t.start = start
		t.epochs = t.epochs.TruncateStart(start)
		it.logStart, t.logged = start, true
	}
}

// logStart makes offset the log start.
func (l *lane) logStart(p *Partition, offset int64) {
	t := &p.lane
	t.start = max(t.start, offset)
	t.epochs = t.epochs.TruncateStart(t.start)
	it := l.item(p)
	it.logStart, it.answerStart, t.logged = t.start, true, true
	l.change(p)
}
