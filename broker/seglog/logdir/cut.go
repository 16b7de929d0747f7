package logdir

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/vfs"
)

// cutOrder is an OpTruncate or OpRestartAt under way.
type cutOrder struct {
	p    *Partition
	op   seglog.Op      // its Offset is where the log will end
	last seglog.Segment // of an OpTruncate: the segment that is cut, as it will be

	damage error // of the log: it says nothing of where to cut
}

func (o *cutOrder) restart() bool { return o.op.Kind == seglog.OpRestartAt }

// marked is S between the cut's commit and its completion.
func (o *cutOrder) marked() int64 {
	if o.restart() {
		return 0
	}
	return min(o.p.commit.durable, o.op.Offset)
}

// appendTo appends the cut's items to a commit: older entries are void, S is
// lowered, and a log that begins anew has its log start.
func (o *cutOrder) appendTo(b []byte, index int) []byte {
	if !o.restart() {
		b = appendOffsetItem(b, itemCut, index, o.op.Offset)
		return appendMark(b, o.p.id, o.marked())
	}
	b = appendOffsetItem(b, itemCut, index, 0)
	b = appendOffsetItem(b, itemLogStart, index, o.op.Offset)
	return appendMark(b, o.p.id, 0)
}

// cut carries out the turn's cuts by rule F3: first S is lowered and the
// journal's older entries are void, durably; then D is lowered, the files are
// cut and that is synced; then the cut is answered.
func (l *lane) cut() {
	cuts := l.cuts
	l.cuts = nil
	for i := range cuts {
		cuts[i].p.cuts.Add(1)
		cuts[i].p.lane.logged = true
	}
	err := l.d.parallel(len(cuts), l.d.cfg.SyncLanes, func(i int) error { return cuts[i].locate() })
	if err == nil {
		cuts = l.loseDamaged(cuts)
	}
	if err == nil {
		err = l.d.committer.call(func(c *committer) error { return c.commitCuts(cuts) })
	}
	if err == nil {
		err = l.d.parallel(len(cuts), l.d.cfg.SyncLanes, func(i int) error { return l.d.cutFiles(&cuts[i]) })
	}
	if err != nil {
		l.d.fail(err)
		for i := range cuts {
			l.lose(cuts[i].p, &cuts[i].op)
		}
		return
	}
	// A log that begins anew claims its start only when its files are durable.
	err = l.d.committer.call(func(c *committer) error {
		for i := range cuts {
			c.cutDone(&cuts[i])
		}
		return nil
	})
	if err != nil {
		l.d.fail(err)
		return
	}
	for i := range cuts {
		o := &cuts[i]
		d := seglog.Done{Kind: seglog.Truncated, UpTo: o.op.Offset}
		if !o.restart() {
			last := *o.p.lane.active()
			d.Last = &last
		}
		l.done1(o.p, d)
		l.change(o.p)
	}
}

// loseDamaged answers the cuts of damaged logs, which leave this process alone, and
// returns the others.
func (l *lane) loseDamaged(cuts []cutOrder) []cutOrder {
	for i := range cuts {
		if o := &cuts[i]; o.damage != nil {
			l.loseTo(o.p, &o.op, o.damage)
		}
	}
	return slices.DeleteFunc(cuts, func(o cutOrder) bool { return o.damage != nil })
}

// locate finds where the cut falls: before the batch that holds the offset. Damage
// that it meets twice is recorded, so that the next start reads the whole log and
// tells what is left; the directory's other logs have nothing to do with it.
func (o *cutOrder) locate() error {
	if o.restart() {
		return nil
	}
	if end := o.p.lane.end; o.op.Offset > end {
		return fmt.Errorf("truncation of %s-%d to offset %d: the log ends at %d", o.p.topic, o.p.id.Partition, o.op.Offset, end)
	}
	end, last, err := o.p.cutPoint(o.op.Offset)
	if errors.Is(err, ErrCorrupt) {
		end, last, err = o.p.cutPoint(o.op.Offset)
	}
	if errors.Is(err, ErrCorrupt) {
		o.damage = fmt.Errorf("truncation to offset %d: %w", o.op.Offset, err)
		if failed := o.p.SetStanding(seglog.Damaged); failed != nil {
			o.damage = fmt.Errorf("%w; the verdict is not recorded: %w", o.damage, failed)
		}
		return nil
	}
	o.op.Offset, o.last = end, last
	return err
}

// commitCuts writes the cuts into a synced commit and lowers D.
func (c *committer) commitCuts(cuts []cutOrder) error {
	for i := range cuts {
		p := cuts[i].p
		p.commit.durable = cuts[i].marked()
		p.commit.marked = p.commit.durable
	}
	return c.j.commit(content{cuts: cuts, marks: c.takeMarks()}, promiseCutCommit)
}

// cutDone raises D to where the log ends now, which is synced.
func (c *committer) cutDone(o *cutOrder) {
	p := o.p
	p.start.Store(p.lane.start)
	if o.restart() {
		p.commit.durable = o.op.Offset
		if !p.commit.queued {
			p.commit.queued = true
			c.marks = append(c.marks, p)
			c.arm()
		}
	}
}

// cutFiles cuts a partition's files durably and its in-memory side with them.
// It runs while the append lane waits, so it may change the lane's state.
func (d *Dir) cutFiles(o *cutOrder) error {
	if o.restart() {
		return d.restartFiles(o)
	}
	p, t := o.p, &o.p.lane
	segs := p.segments()
	n := slices.IndexFunc(segs, func(s *segment) bool { return s.base == o.last.Base })
	if n < 0 {
		return errors.New("truncation at a segment that is not there")
	}
	s, above, info := segs[n], segs[n+1:], o.last
	if info.Created = t.infos[n].Created; info.Size == t.infos[n].Size {
		info = t.infos[n]
	}
	f, err := d.handles.acquireNew(s)
	if err != nil {
		return err
	}
	s.size.Store(info.Size)
	if err = f.Truncate(info.Size); err == nil {
		err = d.sync(f, promiseCutLength) // F3: the length, before freed offsets are used
	}
	if s.pin == nil {
		s.pin = f // it is active now
	} else {
		d.handles.release(s)
	}
	if err != nil {
		return err
	}
	s.journaledIn = 0
	if err := s.cutIndexes(d.cfg.FS, &info); err != nil {
		return err
	}
	t.infos = append(slices.Clone(t.infos[:n]), info)
	p.publish(slices.Clone(segs[:n+1]))
	if err := d.removeAbove(p, above, o.op.Offset); err != nil {
		return err
	}
	t.end, t.start = o.op.Offset, min(t.start, o.op.Offset)
	if t.producers != nil {
		t.producers.Truncate(t.end)
	}
	t.unsynced = slices.DeleteFunc(t.unsynced, func(u *segment) bool { return u.unlinked.Load() })
	return d.cutEpochs(p, t.epochs.TruncateEnd(t.end))
}

// cutEpochs replaces the leader-epoch file and makes the folder's entries durable.
func (d *Dir) cutEpochs(p *Partition, epochs seglog.EpochCache) error {
	p.lane.epochs = epochs
	if err := d.replaceEpochs(p.path(), epochs.Entries()); err != nil {
		return err
	}
	// F3: segments that were removed stay removed, and so does the leader-epoch
	// file of before, whose entries later batches would contradict.
	return d.syncDir(p.path(), promiseCutEntries)
}

// replaceEpochs writes the leader-epoch file; the caller syncs the folder.
func (d *Dir) replaceEpochs(dir string, entries []seglog.EpochStart) error {
	path := dir + "/" + seglog.LeaderEpochFile
	f, err := d.cfg.FS.Create(path + tmpSuffix)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(seglog.EncodeEpochs(entries), 0); err == nil {
		err = f.Sync() // rebuildable: a file that is not whole counts as missing, the batches have the epochs
	}
	if err = firstError(err, f.Close()); err != nil {
		return err
	}
	return d.cfg.FS.Rename(path+tmpSuffix, path)
}

// restartFiles removes every segment and makes an empty one.
func (d *Dir) restartFiles(o *cutOrder) error {
	p, t := o.p, &o.p.lane
	if err := d.removeDoomed(p); err != nil {
		return err
	}
	if err := d.removeAbove(p, p.segments(), -1); err != nil {
		return err
	}
	s := d.newSegment(p, o.op.Offset)
	f, err := d.handles.acquireNew(s)
	if err != nil {
		return err
	}
	s.pin = f
	if err := f.Truncate(0); err != nil {
		return err
	}
	if err := d.sync(f, promiseCutLength); err != nil { // F3, as in cutFiles
		return err
	}
	p.publish([]*segment{s})
	now := d.cfg.Clock.Wall()
	t.infos = []seglog.Segment{emptyInfo(o.op.Offset, now)}
	t.end, t.start, t.producers, t.unsynced = o.op.Offset, o.op.Offset, nil, nil
	if err := d.cutEpochs(p, seglog.EpochCache{}); err != nil {
		return err
	}
	s.entryDurable.Store(true)
	return nil
}

// removeDoomed removes the files of segments that have left the log and have their
// names still: the log that begins anew may use these again.
func (d *Dir) removeDoomed(p *Partition) error {
	p.filesMu.Lock()
	defer p.filesMu.Unlock()
	for _, s := range p.lane.doomed {
		if s.unlinked.Load() {
			continue
		}
		d.handles.forget(s)
		for _, suffix := range segmentSuffixes() {
			if err := ignoreMissing(d.cfg.FS.Remove(s.name(suffix))); err != nil {
				return err
			}
		}
	}
	p.lane.doomed = nil
	return nil
}

// removeAbove removes the files of segments, newest first, and the producer
// snapshots above offset.
func (d *Dir) removeAbove(p *Partition, segs []*segment, offset int64) error {
	for _, s := range slices.Backward(segs) {
		if s.pin != nil {
			s.pin = nil
			d.handles.release(s)
		}
		d.handles.forget(s)
		for _, suffix := range segmentSuffixes() {
			if err := ignoreMissing(d.cfg.FS.Remove(s.name(suffix))); err != nil {
				return err
			}
		}
	}
	list, err := d.cfg.FS.List(p.path())
	if err != nil {
		return err
	}
	for _, info := range list {
		base, suffix, ok := seglog.ParseFileName(info.Name)
		if ok && suffix == seglog.SnapshotSuffix && base > offset {
			if err := ignoreMissing(d.cfg.FS.Remove(p.path() + "/" + info.Name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// segmentSuffixes are the files of a segment; the log goes first, so that no
// log is ever without its name in the list while its index is there.
func segmentSuffixes() []string {
	return []string{seglog.LogSuffix, seglog.IndexSuffix, seglog.TimeIndexSuffix, seglog.TxnIndexSuffix, seglog.SnapshotSuffix}
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// cutIndexes drops the index entries that info does not count any more.
func (s *segment) cutIndexes(fsys vfs.FS, info *seglog.Segment) error {
	x := &s.indexes
	x.files.Lock()
	defer x.files.Unlock()
	if err := s.writeIndexes(fsys, false); err != nil {
		return err
	}
	x.mu.Lock()
	x.offsetsIn, x.timesIn = info.IndexEntries, info.TimeEntries
	x.cuts++
	x.mu.Unlock()
	if err := truncateTo(fsys, s.name(seglog.IndexSuffix), int64(info.IndexEntries)*seglog.IndexEntryLen); err != nil {
		return err
	}
	return truncateTo(fsys, s.name(seglog.TimeIndexSuffix), int64(info.TimeEntries)*seglog.TimeEntryLen)
}

// truncateTo shortens a file, if it is there and longer.
func truncateTo(fsys vfs.FS, name string, size int64) error {
	f, err := fsys.Open(name)
	if err != nil {
		return ignoreMissing(err)
	}
	have, err := f.Size()
	if err == nil && have > size {
		err = f.Truncate(size)
	}
	return firstError(err, f.Close())
}
