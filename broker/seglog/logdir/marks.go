package logdir

import (
	"errors"
	"slices"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/disk/vfs"
)

// marksTable is what moldau.marks holds, encoded, entry by entry. It belongs
// to the background lane.
type marksTable struct {
	head    marksHead
	entries map[kafka.TopicPartition]*tableEntry
	changed bool
}

type tableEntry struct {
	bytes []byte
	end   int64 // of its resume point, -1 without one
	cuts  int64 // truncations that the partition had seen
}

func (t *marksTable) put(e *marksEntry, cuts int64) {
	end := int64(-1)
	if e.resume != nil {
		end = e.resume.end
	}
	t.entries[e.id] = &tableEntry{bytes: encodeEntry(nil, e), end: end, cuts: cuts}
	t.changed = true
}

// covers reports whether the resume point of s's log lies behind s, and is one
// of the log as it was when s left it.
func (t *marksTable) covers(s *segment) bool {
	e := t.entries[s.p.id]
	return e != nil && e.end >= s.end && e.cuts == s.p.cuts.Load()
}

func (t *marksTable) remove(id kafka.TopicPartition) {
	if t.entries[id] != nil {
		delete(t.entries, id)
		t.changed = true
	}
}

// encode makes the file; entries are sorted so that equal tables give equal files.
func (t *marksTable) encode() []byte {
	ids := make([]kafka.TopicPartition, 0, len(t.entries))
	for id := range t.entries { //det:ok sorted below
		ids = append(ids, id)
	}
	slices.SortFunc(ids, compareIDs)
	return encodeMarks(t.head, len(ids), func(yield func([]byte) bool) {
		for _, id := range ids {
			yield(t.entries[id].bytes)
		}
	})
}

func compareIDs(a, b kafka.TopicPartition) int {
	if c := slices.Compare(a.Topic[:], b.Topic[:]); c != 0 {
		return c
	}
	return int(a.Partition) - int(b.Partition)
}

// snap is what the append lane says of a partition between two turns.
type snap struct {
	p        *Partition
	entry    marksEntry
	cuts     int64
	unsynced []*segment // of an `os` topic
	active   *segment
}

// snapshots lists what changed since the last call. Partitions of `os` topics
// with unsynced bytes wait for a call with syncOS set. With recycle set those
// are taken that have a log start or a cut in the journal: no other block will
// say it again.
func (l *lane) snapshots(recycle, syncOS bool) []snap {
	asOf := l.d.committer.j.completed.Load()
	l.d.sinceMarks.Store(0)
	snaps := make([]snap, 0, len(l.changed))
	left := l.changed[:0]
	for _, p := range l.changed {
		t := &p.lane
		if p.gone.Load() {
			t.changed = false
			continue
		}
		if len(t.unsynced) > 0 && !syncOS && !(recycle && t.logged) {
			left = append(left, p)
			continue
		}
		t.changed, t.logged = false, false
		segs := p.segments()
		x := &resume{end: t.end, segments: slices.Clone(t.infos), epochs: t.epochs.Entries()}
		if t.producers != nil {
			x.producers = t.producers.Entries()
		}
		snaps = append(snaps, snap{
			p: p, cuts: p.cuts.Load(), unsynced: t.unsynced, active: segs[len(segs)-1],
			entry: marksEntry{id: p.id, synced: t.end, start: t.start, asOf: asOf, resume: x},
		})
		t.unsynced = nil
	}
	clear(l.changed[len(left):])
	l.changed = left
	return snaps
}

// call runs fn on the append lane between turns.
func (l *lane) call(fn func(*lane)) error {
	done := make(chan struct{})
	if !l.in.Offer(laneMsg{call: func(l *lane) { fn(l); close(done) }}) {
		return ErrClosed
	}
	select {
	case <-done:
		return nil
	case <-l.done:
		return ErrClosed
	}
}

// checkpoint writes moldau.marks anew if something changed. With recycle set,
// the segments of the closed journal blocks are synced before, and the blocks
// are free afterwards.
//
// The order is what makes it safe: the blocks are chosen first, then the
// append lane says where the logs stand, so that the marks in the file are not
// older than any in those blocks; then everything that the file will claim is
// made durable; then the file is; then the blocks are used again. What recovery
// has left to do (kept) is treated like blocks older than all others.
func (b *background) checkpoint(recycle, syncOS bool) error {
	d := b.d
	var blocks []*block
	if recycle {
		if err := d.committer.call(func(c *committer) error { blocks = slices.Clone(c.j.closed); return nil }); err != nil {
			return b.quiet(err)
		}
	}
	var snaps []snap
	if err := d.lane.call(func(l *lane) { snaps = l.snapshots(recycle, syncOS) }); err != nil {
		return b.quiet(err)
	}
	old := b.kept
	if !recycle {
		old = nil
	}
	if len(snaps) == 0 && len(blocks) == 0 && old == nil && !b.marks.changed {
		return nil
	}
	// Segments that were rolled before the snapshot are closed by jobs that
	// have been queued before it.
	b.workSegments()
	if old != nil {
		if err := d.syncKept(old); err != nil {
			return err
		}
		old.list = nil // once is enough, if the marks cannot be written for want of space
		b.marks.head.sequence = old.sequence
	}
	if err := d.syncRecycled(blocks); err != nil {
		return err
	}
	if err := b.syncUnsynced(snaps); err != nil {
		return err
	}
	// A turn of the committer makes all of it durable that was written before.
	if err := d.committer.call(func(*committer) error { return nil }); err != nil {
		return b.quiet(err)
	}
	b.merge(snaps)
	if n := len(blocks); n > 0 {
		b.marks.head = marksHead{generation: d.generation.Load(), sequence: blocks[n-1].last}
	}
	switch err := b.writeMarks(); {
	case errors.Is(err, vfs.ErrNoSpace):
		// The file of before stays, and the blocks with it, until there is space:
		// the journal runs full, and files are synced one by one.
		b.marks.changed = true
		return b.doom(true) // what will give space
	case err != nil:
		return err
	}
	if err := b.doom(false); err != nil {
		return err
	}
	if old != nil {
		if err := b.removeKept(); err != nil {
			return err
		}
	}
	return b.reuse(blocks)
}

// reuse makes emptied blocks blank and gives them back to the journal; those
// beyond its bound are removed.
func (b *background) reuse(blocks []*block) error {
	if len(blocks) == 0 {
		return nil
	}
	d := b.d
	var surplus int
	err := d.committer.call(func(c *committer) error {
		c.j.closed = c.j.closed[len(blocks):]
		surplus = max(0, c.j.blocks-int(c.j.blocksMax()))
		c.j.blocks -= len(blocks)
		return nil
	})
	if err != nil {
		return b.quiet(err)
	}
	for i, blk := range blocks {
		clear(blk.segments)
		blk.segments = blk.segments[:0]
		if i < surplus {
			if err := errors.Join(blk.file.Close(), d.cfg.FS.Remove(blk.name)); err != nil {
				return err
			}
			continue
		}
		if err := d.blank(blk); err != nil {
			return err
		}
		err := d.committer.call(func(c *committer) error {
			c.j.blocks++
			c.j.free = append(c.j.free, blk)
			return nil
		})
		if err != nil {
			return errors.Join(b.quiet(err), blk.file.Close())
		}
	}
	return nil
}

// quiet drops the errors of lanes that end.
func (b *background) quiet(err error) error {
	if err == ErrClosed || err == ErrOffline {
		return nil
	}
	return err
}

// syncRecycled syncs the segments whose bytes closed journal blocks carry.
func (d *Dir) syncRecycled(blocks []*block) error {
	var segs []*segment
	seen := map[*segment]bool{}
	for _, blk := range blocks {
		for _, s := range blk.segments {
			if !seen[s] && !s.unlinked.Load() && !s.p.gone.Load() {
				seen[s] = true
				segs = append(segs, s)
			}
		}
	}
	return d.parallel(len(segs), d.cfg.SyncLanes, func(i int) error {
		d.counters.backgroundSyncs.Add(1)
		return d.unlessUnlinked(segs[i], d.syncSegment(segs[i], promiseRecycleSegment, promiseRecycleEntry))
	})
}

// unlessUnlinked drops the error of a segment that was removed meanwhile.
func (d *Dir) unlessUnlinked(s *segment, err error) error {
	if err != nil && (s.unlinked.Load() || s.p.gone.Load()) {
		return nil
	}
	return err
}

// syncUnsynced syncs the files of `os` topics and answers Durable.
func (b *background) syncUnsynced(snaps []snap) error {
	d := b.d
	var segs []*segment
	for i := range snaps {
		segs = append(segs, snaps[i].unsynced...)
	}
	if len(segs) == 0 {
		return nil
	}
	err := d.parallel(len(segs), d.cfg.SyncLanes, func(i int) error {
		d.counters.backgroundSyncs.Add(1)
		return d.unlessUnlinked(segs[i], d.syncSegment(segs[i], promiseRecycleSegment, promiseRecycleEntry))
	})
	if err != nil {
		return err
	}
	return b.quiet(d.committer.call(func(c *committer) error {
		for i := range snaps {
			s := &snaps[i]
			if len(s.unsynced) > 0 && s.cuts == s.p.cuts.Load() && !s.p.gone.Load() {
				c.durable(s.p, s.entry.synced)
			}
		}
		c.send()
		c.arm()
		return nil
	}))
}

// merge takes the snapshots into the table, and writes what else is lazy.
func (b *background) merge(snaps []snap) {
	for i := range snaps {
		s := &snaps[i]
		if s.p.gone.Load() {
			continue
		}
		b.marks.put(&s.entry, s.cuts)
		if err := b.d.lazyFiles(s); err != nil {
			b.d.fail(err)
			return
		}
	}
}

// indexFlushMin is how many index entries wait before a checkpoint writes them.
const indexFlushMin = 64

// lazyFiles writes index entries that have waited for long.
func (d *Dir) lazyFiles(s *snap) error {
	if s.cuts != s.p.cuts.Load() || s.p.gone.Load() || s.active.waitingEntries() < indexFlushMin {
		return nil
	}
	return ignoreGone(s.active.flushIndexes(d.cfg.FS, false))
}

// waitingEntries is the number of index entries not yet in the files.
func (s *segment) waitingEntries() int {
	s.indexes.mu.RLock()
	defer s.indexes.mu.RUnlock()
	return len(s.indexes.offsets)
}

// writeMarks writes moldau.marks durably.
func (b *background) writeMarks() error {
	d := b.d
	err := d.replaceFile(d.cfg.Path, marksFile, b.marks.encode(), promiseMarksContents, promiseMarksEntry)
	if err == nil {
		b.marks.changed = false
		d.counters.marksWritten.Add(1)
	}
	return err
}
