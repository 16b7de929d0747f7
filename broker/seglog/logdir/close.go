package logdir

import (
	"errors"
	"fmt"
	"slices"

	"github.com/moldau/moldau/broker/seglog"
)

// Close stops the workers. A clean close empties the journal into synced
// segments and leaves a Kafka directory: indexes trimmed, producer snapshots,
// checkpoints, and .kafka_cleanshutdown with brokerEpoch. It is clean only
// when clean is set and the directory is online. Orders of before are carried
// out and answered; later ones are answered Failed.
func (d *Dir) Close(clean bool, brokerEpoch int64) error {
	d.mu.Lock()
	if d.closing {
		d.mu.Unlock()
		return ErrClosed
	}
	d.closing = true
	d.mu.Unlock()
	d.lane.in.Close()
	<-d.lane.done
	err := d.Err()
	if clean && err == nil {
		if err = d.background.call(func() error { return d.background.cleanStop(brokerEpoch) }); err != nil {
			d.fail(err)
		}
	}
	d.background.in.Close()
	<-d.background.done
	d.committer.stop()
	d.forgetLife()
	return errors.Join(err, d.closeFiles(), d.lock.Close())
}

// closeFiles closes what is open.
func (d *Dir) closeFiles() error {
	var err error
	for _, p := range d.partitions() {
		for _, s := range p.segments() {
			d.unpin(s)
		}
	}
	j := &d.committer.j
	blocks := slices.Concat(j.free, j.closed)
	if j.current != nil {
		blocks = append(blocks, j.current)
	}
	for _, b := range blocks {
		err = firstError(err, b.file.Close())
	}
	return firstError(err, d.handles.closeIdle())
}

// cleanStop leaves a Kafka directory. The append lane has ended.
func (b *background) cleanStop(brokerEpoch int64) error {
	d := b.d
	b.workSegments()
	// What waits is durable then, and nobody commits any more: marks that wait are
	// in the file of marks that is written below.
	if err := d.committer.call(func(c *committer) error { c.dropMarks(); return nil }); err != nil {
		return err
	}
	for _, p := range d.partitions() {
		if p.lane.used && !p.gone.Load() {
			d.lane.change(p)
		}
	}
	if b.kept != nil {
		if err := d.syncKept(b.kept); err != nil {
			return err
		}
	}
	snaps := d.lane.snapshots(true, true)
	err := d.parallel(len(snaps), d.cfg.SyncLanes, func(i int) error { return d.finish(&snaps[i]) })
	if err != nil {
		return err
	}
	for i := range snaps {
		b.marks.put(&snaps[i].entry, snaps[i].cuts)
	}
	if err := b.writeKafkaCheckpoints(); err != nil {
		return err
	}
	j := &d.committer.j
	b.marks.head = marksHead{generation: d.generation.Load(), sequence: j.sequence}
	if err := b.writeMarks(); err != nil {
		return err
	}
	if err := firstError(b.doom(false), b.removeKept(), d.removeJournal()); err != nil {
		return err
	}
	// Section 5: everything that the file vouches for is durable before it is there.
	if err := d.syncDir(d.cfg.Path, promiseCleanFiles); err != nil {
		return err
	}
	return d.replaceFile(d.cfg.Path, seglog.CleanShutdownFile, seglog.EncodeCleanShutdown(brokerEpoch), promiseCleanContents, promiseCleanName)
}

// finish makes a partition's files complete and durable.
func (d *Dir) finish(s *snap) error {
	p, t := s.p, &s.p.lane
	dir := p.path()
	segs := p.segments()
	for i, seg := range segs {
		last := i == len(segs)-1
		if last {
			if err := d.finishActive(seg, t); err != nil {
				return err
			}
		}
		if !last && seg.journaledIn == 0 && seg.entryDurable.Load() && !slices.Contains(s.unsynced, seg) {
			continue // closed and synced long ago
		}
		if err := d.syncNamed(seg.name(seglog.LogSuffix), promiseCleanFiles); err != nil {
			return err
		}
		for _, suffix := range []string{seglog.IndexSuffix, seglog.TimeIndexSuffix, seglog.TxnIndexSuffix} {
			if err := ignoreMissing(d.syncNamed(seg.name(suffix), promiseCleanFiles)); err != nil {
				return err
			}
		}
	}
	if t.producers != nil && t.producers.Len() > 0 {
		name := seglog.FileName(t.end, seglog.SnapshotSuffix)
		if err := d.writeBeside(dir, name, seglog.EncodeSnapshot(t.producers.Entries()), promiseCleanFiles); err != nil {
			return err
		}
	}
	epochs := seglog.EncodeEpochs(t.epochs.TruncateStart(t.start).Entries())
	return d.replaceFile(dir, seglog.LeaderEpochFile, epochs, promiseCleanFiles, promiseCleanFiles)
}

// finishActive writes what the active segment lacks.
func (d *Dir) finishActive(s *segment, t *laneState) error {
	if _, err := d.handles.acquireNew(s); err != nil { // an empty segment may have no file yet
		return err
	}
	d.handles.release(s)
	a := t.active()
	if a.MaxTimestamp > a.IndexedTimestamp && a.MaxTimestamp >= 0 {
		e := seglog.TimeEntry{Timestamp: a.MaxTimestamp, Offset: a.MaxTimestampOffset}
		s.indexes.add(nil, []seglog.TimeEntry{e})
		t.countEntries(nil, []seglog.TimeEntry{e})
	}
	return s.flushIndexes(d.cfg.FS, true)
}

// syncNamed syncs a file by its name.
func (d *Dir) syncNamed(name string, promise syncPromise) error {
	f, err := d.cfg.FS.Open(name)
	if err != nil {
		return err
	}
	return firstError(d.sync(f, promise), f.Close())
}

// writeCheckpoints writes Kafka's lazy checkpoints where something changed.
func (b *background) writeCheckpoints() error {
	if b.d.hwChanged.Swap(false) {
		if err := b.writeOffsets(seglog.HighWatermarkFile, func(p *Partition) int64 { return p.hw.Load() }); err != nil {
			b.d.hwChanged.Store(true)
			return ignoreGone(err)
		}
	}
	if b.d.startsChanged.Swap(false) {
		if err := b.writeOffsets(seglog.LogStartFile, func(p *Partition) int64 { return p.start.Load() }); err != nil {
			b.d.startsChanged.Store(true)
			return ignoreGone(err)
		}
	}
	return nil
}

// writeKafkaCheckpoints writes all of them for a clean stop.
func (b *background) writeKafkaCheckpoints() error {
	return firstError(
		b.writeOffsets(seglog.HighWatermarkFile, func(p *Partition) int64 { return min(p.hw.Load(), p.lane.end) }),
		b.writeOffsets(seglog.LogStartFile, func(p *Partition) int64 { return p.start.Load() }),
		b.writeOffsets(seglog.RecoveryPointFile, func(p *Partition) int64 { return p.lane.end }),
	)
}

func (b *background) writeOffsets(name string, offset func(*Partition) int64) error {
	parts := b.d.partitions()
	entries := make([]seglog.OffsetEntry, len(parts))
	for i, p := range parts {
		entries[i] = seglog.OffsetEntry{Topic: p.topic, Partition: p.id.Partition, Offset: offset(p)}
	}
	for _, r := range b.d.unadopted() {
		e := seglog.OffsetEntry{Topic: r.Topic, Partition: r.ID.Partition, Offset: r.State.End}
		switch name {
		case seglog.HighWatermarkFile:
			e.Offset = r.State.HighWatermark
		case seglog.LogStartFile:
			e.Offset = r.State.LogStart
		}
		entries = append(entries, e)
	}
	// At a clean stop this is part of what .kafka_cleanshutdown vouches for;
	// else rebuildable.
	err := b.d.replaceFile(b.d.cfg.Path, name, seglog.EncodeOffsets(entries), promiseCleanFiles, promiseCleanFiles)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// unadopted lists what was recovered and never adopted.
func (d *Dir) unadopted() []Recovered {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []Recovered
	for _, r := range d.recovered {
		if _, ok := d.byID[r.ID]; ok && r.Err == nil {
			list = append(list, r)
		}
	}
	return list
}

// removeJournal removes the journal's files; their contents are in the segments.
func (d *Dir) removeJournal() error {
	j := &d.committer.j
	blocks := slices.Concat(j.free, j.closed)
	if j.current != nil {
		blocks = append(blocks, j.current)
	}
	var err error
	for _, b := range blocks {
		err = firstError(err, b.file.Close(), d.cfg.FS.Remove(b.name))
	}
	j.free, j.closed, j.current, j.blocks = nil, nil, nil, 0
	return err
}
