package logdir

import (
	"fmt"
	"slices"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/vfs"
)

// settle classifies what the scan found, makes a verdict durable, and only
// then changes the log: bytes that failed are cut off, indexes made anew, and
// everything that stays is synced.
func (p *partRecovery) settle(s *scanned) (seglog.State, error) {
	end := s.scanner.Next()
	restart := end < p.start || s.remnants
	// A log that was to begin anew at its start: what failed is what a crash left
	// of the deletion, and says nothing about the log.
	deleted := end < p.start && p.claimed <= p.start && !p.noMarks
	end = max(end, p.start) // what lies below the log start is deleted
	evidence := seglog.Evidence{
		Clean: p.clean && !s.looked && s.cut == nil && !p.touched, SyncedThrough: p.synced,
		Cut: s.cut != nil && !deleted, CommitTouched: p.touched, Hole: s.hole && end < p.synced,
		Recorded: p.recorded, LastEpoch: s.scanner.LastEpoch(), End: end,
	}
	verdict := seglog.Classify(kafka.DurabilitySync, evidence)
	if err := p.record(verdict); err != nil {
		return seglog.State{}, err
	}
	if s.cut != nil {
		if err := p.cut(s, verdict); err != nil {
			return seglog.State{}, err
		}
	}
	if restart {
		if err := p.restart(s); err != nil {
			return seglog.State{}, err
		}
	}
	if err := p.remakeIndexes(s); err != nil {
		return seglog.State{}, err
	}
	epochs := s.scanner.Epochs()
	if restart {
		epochs, evidence.LastEpoch = nil, -1
	}
	if err := p.settleEpochs(epochs); err != nil {
		return seglog.State{}, err
	}
	p.forget = p.forget || s.hole || restart
	p.tail = s.tail
	start := max(p.start, s.segments[0].Base)
	st := seglog.State{
		LogStart: start, End: end, Segments: s.segments, Producers: s.producers.Entries(),
		Epochs:   seglog.NewEpochCache(epochs).TruncateStart(start).Entries(),
		Evidence: evidence,
	}
	hw := p.highWatermarks[name{p.topic, p.folder.partition}]
	st.HighWatermark = min(max(hw, start), end)
	return st, nil
}

// cut takes off what failed. Of a damaged log nothing is thrown away: the bytes
// are kept under a name of ours.
func (p *partRecovery) cut(s *scanned, verdict seglog.Standing) error {
	c := s.cut
	keep := verdict == seglog.Damaged
	var bytes int64
	var kept string
	for _, f := range slices.Backward(p.files) {
		file := seglog.FileName(f.base, seglog.LogSuffix)
		switch {
		case f.base > c.Segment:
			bytes += f.size
			if keep && f.size > 0 {
				kept = keptName(f.base, 0)
				if err := p.d.cfg.FS.Rename(p.path+"/"+file, p.path+"/"+kept); err != nil {
					return err
				}
			}
			if err := p.removeSegment(f.base); err != nil {
				return err
			}
		case f.base == c.Segment && f.size > c.Position:
			bytes += f.size - c.Position
			if keep {
				kept = keptName(f.base, c.Position)
				if err := p.d.keepTail(p.path, file, kept, c.Position, f.size); err != nil {
					return err
				}
				p.entered = true
			}
			if err := truncateTo(p.d.cfg.FS, p.path+"/"+file, c.Position); err != nil {
				return err
			}
			p.unclean(file)
		}
	}
	p.files = slices.DeleteFunc(p.files, func(f logFile) bool { return f.base > c.Segment })
	p.changed = true
	p.forget = p.forget || c.Offset < p.claimed
	p.d.cfg.Events.Emit(LogCut{
		Dir: p.d.cfg.Path, Topic: p.topic, Partition: p.folder.partition, Offset: c.Offset,
		Bytes: bytes, Reason: c.Error(), Kept: kept,
	})
	return p.removeSnapshotsAbove(c.Offset)
}

// damagedPrefix begins the names of files that keep bytes of a damaged log.
const damagedPrefix = "moldau.damaged-"

func keptName(base, position int64) string {
	return fmt.Sprintf("%s%020d-%d", damagedPrefix, base, position)
}

// keepCopyBytes is how much is copied at once.
const keepCopyBytes = 1 << 20

// keepTail copies the bytes of a folder's file from position on, durably.
func (d *Dir) keepTail(dir, file, kept string, position, size int64) (err error) {
	from, err := d.cfg.FS.OpenRead(dir + "/" + file)
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, from.Close()) }()
	to, err := d.cfg.FS.Create(dir + "/" + kept)
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, to.Close()) }()
	buf := make([]byte, min(keepCopyBytes, size-position))
	again := make([]byte, len(buf))
	for at := position; at < size; {
		n := min(int64(len(buf)), size-at)
		if err := readSteady(from, buf[:n], again[:n], at); err != nil {
			return err
		}
		if _, err := to.WriteAt(buf[:n], at-position); err != nil {
			return err
		}
		at += n
	}
	if err := to.Sync(); err != nil { // rebuildable: for people who look into the damage
		return err
	}
	// rebuildable: for them, too; but the name is there before the log is cut.
	return d.cfg.FS.SyncDir(dir)
}

// removeSnapshotsAbove removes producer snapshots of offsets that are gone.
func (p *partRecovery) removeSnapshotsAbove(offset int64) error {
	for file := range p.names { //det:ok order does not matter
		base, suffix, ok := seglog.ParseFileName(file)
		if !ok || suffix != seglog.SnapshotSuffix || base <= offset {
			continue
		}
		if err := ignoreMissing(p.d.cfg.FS.Remove(p.path + "/" + file)); err != nil {
			return err
		}
	}
	return nil
}

// restart begins an empty log at the log start: nothing above it was found.
func (p *partRecovery) restart(s *scanned) error {
	for _, f := range slices.Backward(slices.Concat(p.below, p.files)) {
		if err := p.removeSegment(f.base); err != nil {
			return err
		}
	}
	p.below, p.files = nil, nil
	s.segments = []seglog.Segment{emptyInfo(p.start, p.d.cfg.Clock.Wall())}
	s.remade = nil
	s.producers = seglog.NewProducerTable(0, nil)
	return nil
}

// settleEpochs writes the leader-epoch file anew if it names an epoch that the
// log does not have: it would contradict later batches.
func (p *partRecovery) settleEpochs(epochs []seglog.EpochStart) error {
	for _, e := range p.hadEpoch {
		if !slices.Contains(epochs, e) && e.Offset > p.start {
			p.entered, p.changed = true, true // F3, for a cut made by recovery: the folder is synced
			return p.d.replaceEpochs(p.path, epochs)
		}
	}
	return nil
}

// remakeIndexes brings the index files of the segments that were looked at
// into line with what stays of them.
func (p *partRecovery) remakeIndexes(s *scanned) error {
	for _, re := range s.remade {
		i := slices.IndexFunc(s.segments, func(seg seglog.Segment) bool { return seg.Base == re.base })
		if i < 0 {
			continue
		}
		if err := p.remakeIndex(&s.segments[i], re, i == len(s.segments)-1); err != nil {
			return err
		}
	}
	return nil
}

// remakeIndex keeps what is sound of a segment's index files and adds what the
// scan found. The entries of the active segment stay in memory, as they do
// while it is appended to: thousands of partitions recover without a write.
func (p *partRecovery) remakeIndex(seg *seglog.Segment, re *remade, active bool) error {
	n, last, err := p.keepIndex(seg, re)
	if err != nil {
		return err
	}
	nt, lastTime, err := p.keepTimes(seg, re)
	if err != nil {
		return err
	}
	offsets := slices.DeleteFunc(re.index, func(e seglog.IndexEntry) bool { return e.Offset <= last })
	times := re.times[:0]
	for _, e := range re.times {
		if e.Timestamp > lastTime {
			times = append(times, e)
			lastTime = e.Timestamp
		}
	}
	if !active && seg.MaxTimestamp > lastTime { // as at the roll
		times = append(times, seglog.TimeEntry{Timestamp: seg.MaxTimestamp, Offset: seg.MaxTimestampOffset})
		lastTime = seg.MaxTimestamp
	}
	seg.IndexEntries, seg.TimeEntries, seg.IndexedTimestamp = n+len(offsets), nt+len(times), lastTime
	if err := p.shorten(seg.Base, seglog.IndexSuffix, int64(n)*seglog.IndexEntryLen); err != nil {
		return err
	}
	if err := p.shorten(seg.Base, seglog.TimeIndexSuffix, int64(nt)*seglog.TimeEntryLen); err != nil {
		return err
	}
	if active {
		p.waiting = waitingEntries{offsets: offsets, times: times}
	} else if err := p.appendEntries(seg.Base, n, offsets, nt, times); err != nil {
		return err
	}
	return p.remakeTxnIndex(seg, re)
}

// waitingEntries are index entries of the active segment that are not in its files.
type waitingEntries struct {
	offsets []seglog.IndexEntry
	times   []seglog.TimeEntry
}

// appendEntries writes entries behind n and nt that are in the files.
func (p *partRecovery) appendEntries(base int64, n int, offsets []seglog.IndexEntry, nt int, times []seglog.TimeEntry) error {
	var buf []byte
	for _, e := range offsets {
		buf = seglog.AppendIndexEntry(buf, base, e)
	}
	file := p.path + "/" + seglog.FileName(base, seglog.IndexSuffix)
	if err := appendTo(p.d.cfg.FS, file, buf, int64(n)*seglog.IndexEntryLen, true); err != nil {
		return err
	}
	buf = buf[:0]
	for _, e := range times {
		buf = seglog.AppendTimeEntry(buf, base, e)
	}
	file = p.path + "/" + seglog.FileName(base, seglog.TimeIndexSuffix)
	return appendTo(p.d.cfg.FS, file, buf, int64(nt)*seglog.TimeEntryLen, true)
}

// shorten cuts an index file to size if it is longer.
func (p *partRecovery) shorten(base int64, suffix string, size int64) error {
	file := seglog.FileName(base, suffix)
	if p.names[file] <= size {
		return nil
	}
	return truncateTo(p.d.cfg.FS, p.path+"/"+file, size)
}

// keepIndex counts the entries of the offset index that lie below where the
// scan began and are sound; last is the offset of the last one, -1 without.
func (p *partRecovery) keepIndex(seg *seglog.Segment, re *remade) (n int, last int64, err error) {
	b, err := p.readIndex(seg.Base, seglog.IndexSuffix, seglog.IndexEntryLen)
	if err != nil {
		return 0, 0, err
	}
	n, _ = seglog.CheckIndex(b, seg.Base, re.from)
	if n == 0 {
		return 0, -1, nil
	}
	return n, seglog.IndexEntryAt(b, seg.Base, n-1).Offset, nil
}

// keepTimes is keepIndex for the time index; last is a timestamp.
func (p *partRecovery) keepTimes(seg *seglog.Segment, re *remade) (n int, last int64, err error) {
	b, err := p.readIndex(seg.Base, seglog.TimeIndexSuffix, seglog.TimeEntryLen)
	if err != nil {
		return 0, 0, err
	}
	n, _ = seglog.CheckTimeIndex(b, seg.Base, re.next)
	if n == 0 {
		return 0, -1, nil
	}
	return n, seglog.TimeEntryAt(b, seg.Base, n-1).Timestamp, nil
}

// readIndex reads an index file's whole entries; a missing one is empty.
func (p *partRecovery) readIndex(base int64, suffix string, entryLen int) ([]byte, error) {
	file := seglog.FileName(base, suffix)
	size, ok := p.names[file]
	if !ok || size == 0 {
		return nil, nil
	}
	b, err := vfs.ReadFile(p.d.cfg.FS, p.path+"/"+file, smallFileMax)
	return b[:len(b)/entryLen*entryLen], err
}

// remakeTxnIndex drops the entries of markers that the scan saw, or that are
// gone, and adds those that it found.
func (p *partRecovery) remakeTxnIndex(seg *seglog.Segment, re *remade) error {
	file := seglog.FileName(seg.Base, seglog.TxnIndexSuffix)
	if _, ok := p.names[file]; !ok && len(re.aborted) == 0 {
		return nil
	}
	b, err := p.readIndex(seg.Base, seglog.TxnIndexSuffix, seglog.TxnEntryLen)
	if err != nil {
		return err
	}
	n := 0
	for n*seglog.TxnEntryLen < len(b) {
		txns, err := seglog.ParseTxnIndex(b[:(n+1)*seglog.TxnEntryLen])
		if err != nil || txns[n].LastOffset >= re.next {
			break
		}
		n++
	}
	var buf []byte
	for _, t := range re.aborted {
		buf = seglog.AppendTxnEntry(buf, t)
	}
	if err := p.shorten(seg.Base, seglog.TxnIndexSuffix, int64(n)*seglog.TxnEntryLen); err != nil {
		return err
	}
	return appendTo(p.d.cfg.FS, p.path+"/"+file, buf, int64(n)*seglog.TxnEntryLen, false)
}
