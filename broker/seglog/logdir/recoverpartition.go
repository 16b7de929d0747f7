package logdir

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/vfs"
)

// partRecovery recovers one partition.
type partRecovery struct {
	*recovery
	folder
	id kafka.TopicPartition

	files    []logFile // .log files, ascending
	names    map[string]int64
	recorded seglog.Standing
	hadEpoch []seglog.EpochStart // the leader-epoch file as found

	// What marks and journal say.
	resume *resume
	// producers are those of the log up to producersTo, where that is known from
	// something else than a snapshot.
	producers   []seglog.ProducerEntry
	producersTo int64
	synced      int64 // S
	start       int64 // log start
	entries     []journalItem
	touched     bool

	// below are segments that lie wholly below the log start, and orphans the
	// journal's entries of such segments without a file.
	below   []logFile
	orphans []journalItem

	// proved is how far marks and journal prove the log durable, and claimed how
	// far anything in them reaches.
	proved, claimed int64

	dirty   []string // .log files to sync
	entered bool     // entries of the folder changed
	changed bool     // recovery has cut the log: F3
	forget  bool     // marks or journal tell of bytes that the log no longer has
	tail    tail
	waiting waitingEntries
}

type logFile struct {
	base, size int64
}

// partition recovers the partition in f, all but the syncs. An error is one of
// the file system; a folder that makes no sense is reported in the result, and
// of one whose creation was cut short the result isUnfinished.
func (r *recovery) partition(f folder) (Recovered, leftover, error) {
	p := &partRecovery{recovery: r, folder: f, producersTo: -1}
	out := Recovered{Topic: f.topic, ID: kafka.TopicPartition{Partition: f.partition}}
	if err := p.list(); err != nil {
		return out, leftover{}, err
	}
	unfinished, senseless, err := p.identify()
	if err != nil || unfinished || senseless != nil {
		out.Err = senseless
		return out, leftover{}, err
	}
	out.ID = p.id
	out.State, err = p.run()
	out.waiting, out.below = p.waiting, p.below
	out.incomplete = err == nil && p.incomplete(&out.State)
	if err != nil {
		err = fmt.Errorf("partition %s-%d: %w", f.topic, f.partition, err)
	}
	return out, p.left(out.State.End), err
}

// left is what has to be made durable of the partition.
func (p *partRecovery) left(end int64) leftover {
	return leftover{
		id: p.id, path: p.path, files: p.dirty, entries: p.entered || len(p.dirty) > 0,
		changed: p.changed, forget: p.forget, tail: p.tail, end: end, marked: p.synced,
	}
}

// list reads the folder and removes what waits for removal.
func (p *partRecovery) list() error {
	fsys := p.d.cfg.FS
	infos, err := fsys.List(p.path)
	if err != nil {
		return err
	}
	p.names = make(map[string]int64, len(infos))
	for _, info := range infos {
		if strings.HasSuffix(info.Name, seglog.DeletedSuffix) || strings.HasSuffix(info.Name, tmpSuffix) {
			if err := fsys.Remove(p.path + "/" + info.Name); err != nil {
				return err
			}
			continue
		}
		p.names[info.Name] = info.Size
		if base, suffix, ok := seglog.ParseFileName(info.Name); ok && suffix == seglog.LogSuffix {
			p.files = append(p.files, logFile{base: base, size: info.Size})
		}
	}
	slices.SortFunc(p.files, func(a, b logFile) int { return int(min(1, max(-1, a.base-b.base))) })
	return nil
}

// run is the recovery proper.
func (p *partRecovery) run() (seglog.State, error) {
	if err := p.readStanding(); err != nil {
		return seglog.State{}, err
	}
	if err := p.readEpochs(); err != nil {
		return seglog.State{}, err
	}
	p.fold()
	if p.recorded == seglog.Damaged {
		p.dropResume() // the damage may lie where nobody would look
	}
	if p.touched {
		if err := p.record(seglog.Doubtful); err != nil {
			return seglog.State{}, err
		}
	}
	p.prove()
	if err := p.replay(); err != nil {
		return seglog.State{}, err
	}
	if err := p.dropBelowStart(); err != nil {
		return seglog.State{}, err
	}
	s, err := p.judge()
	if err != nil {
		return seglog.State{}, err
	}
	return p.settle(s)
}

// incomplete reports whether files of the log lack what a clean stop writes.
func (p *partRecovery) incomplete(st *seglog.State) bool {
	a := &st.Segments[len(st.Segments)-1]
	has := func(base int64, suffix string) bool {
		_, ok := p.names[seglog.FileName(base, suffix)]
		return ok
	}
	return len(p.waiting.offsets)+len(p.waiting.times) > 0 || a.MaxTimestamp > a.IndexedTimestamp ||
		a.Size > 0 && !(has(a.Base, seglog.IndexSuffix) && has(a.Base, seglog.TimeIndexSuffix)) ||
		!slices.Equal(p.hadEpoch, st.Epochs) || len(st.Producers) > 0 && !has(st.End, seglog.SnapshotSuffix)
}

// reaches tells whether the log is known to come to an offset: by its marks, or
// by a segment that begins there or above. Kafka's checkpoint has no checksum,
// and a log start beyond the log's end would delete all of it.
func (p *partRecovery) reaches(offset int64) bool {
	return offset <= p.synced || len(p.files) > 0 && offset <= p.files[len(p.files)-1].base
}

// fold goes through the partition's marks and journal items in their order.
func (p *partRecovery) fold() {
	asOf := uint64(0)
	n := name{p.topic, p.folder.partition}
	if e := p.marks[p.id]; e != nil {
		p.resume, p.synced, p.start, asOf = e.resume, e.synced, e.start, e.asOf
		if p.clean && p.reaches(p.starts[n]) {
			p.start = max(p.start, p.starts[n])
		}
	} else if p.noMarks {
		p.synced, p.start = p.points[n], p.starts[n]
	}
	for _, it := range p.journal.items[p.id] {
		switch it.kind {
		case itemEntry:
			p.entries = append(p.entries, it)
		case itemCut:
			p.entries = voidAbove(p.entries, it.offset)
			if it.sequence > asOf {
				p.cutResume(it.offset)
			}
		case itemLogStart:
			p.start = it.offset
		case itemMark:
			p.synced = it.offset
		}
	}
	p.skipDeleted()
	p.touched = p.journal.all || p.journal.touched[p.id]
}

// prove finds out what is durable: all below S and below the resume point, and
// the journal's entries that continue it.
func (p *partRecovery) prove() {
	p.proved = p.synced
	if p.resume != nil {
		p.proved = max(p.proved, p.resume.end)
	}
	p.claimed = p.proved
	for i := range p.entries {
		it := &p.entries[i]
		if it.first <= p.proved {
			p.proved = max(p.proved, it.last+1)
		}
		p.claimed = max(p.claimed, it.last+1)
	}
}

// dropResume does without the resume point, but for what it knows of producers.
func (p *partRecovery) dropResume() {
	if x := p.resume; x != nil {
		p.resume, p.producers, p.producersTo = nil, x.producers, x.end
	}
}

// cutResume does without a resume point above offset, where the log was cut.
func (p *partRecovery) cutResume(offset int64) {
	if p.resume != nil && p.resume.end > offset {
		p.dropResume()
	}
	if p.producersTo > offset {
		p.producers, p.producersTo = producersBelow(p.producers, offset), offset
	}
}

// producersBelow are producers without what they wrote at and above offset.
func producersBelow(entries []seglog.ProducerEntry, offset int64) []seglog.ProducerEntry {
	t := seglog.NewProducerTable(0, entries)
	t.Truncate(offset)
	return t.Entries()
}

// skipDeleted puts entries of segments that lie wholly below the log start
// aside: the files may be gone already, and are not made again. An entry below the
// log start whose segment reaches above it stays, because what follows in the file
// needs it; one whose segment has a file still stays for what it tells of producers.
func (p *partRecovery) skipDeleted() {
	first := int64(0) // base of the segment that the log start lies in
	for _, f := range p.files {
		if f.base <= p.start {
			first = max(first, f.base)
		}
	}
	for i := range p.entries {
		if base := p.entries[i].segment; base <= p.start {
			first = max(first, base)
		}
	}
	p.entries = slices.DeleteFunc(p.entries, func(it journalItem) bool {
		if it.segment >= first {
			return false
		}
		if p.resume != nil && it.last < p.resume.end {
			return true
		}
		if _, found := p.file(it.segment); !found {
			p.orphans = append(p.orphans, it)
			return true
		}
		return false
	})
}

// file finds a segment's file by its base, or where it would stand.
func (p *partRecovery) file(base int64) (i int, found bool) {
	return slices.BinarySearchFunc(p.files, base, func(f logFile, base int64) int { return cmp.Compare(f.base, base) })
}

// voidAbove drops what lies at or above offset.
func voidAbove(entries []journalItem, offset int64) []journalItem {
	kept := entries[:0]
	for _, it := range entries {
		switch {
		case it.last < offset:
			kept = append(kept, it)
		case it.first < offset:
			kept = append(kept, below(it, offset))
		}
	}
	return kept
}

// below is the part of an entry whose batches end below offset.
func below(it journalItem, offset int64) journalItem {
	size := 0
	for rest := it.data; ; {
		h, b, after, err := batch.Next(rest)
		if err != nil || h.LastOffset() >= offset {
			break
		}
		size += len(b)
		it.last = h.LastOffset()
		rest = after
	}
	it.data = it.data[:size:size]
	return it
}

// replay writes the journal's entries into the segments.
func (p *partRecovery) replay() error {
	for len(p.entries) > 0 {
		n := 1
		for n < len(p.entries) && p.entries[n].segment == p.entries[0].segment {
			n++
		}
		if err := p.replaySegment(p.entries[0].segment, p.entries[:n]); err != nil {
			return err
		}
		p.entries = p.entries[n:]
	}
	return nil
}

func (p *partRecovery) replaySegment(base int64, entries []journalItem) (err error) {
	file := seglog.FileName(base, seglog.LogSuffix)
	i, found := p.file(base)
	if !found {
		p.files = slices.Insert(p.files, i, logFile{base: base})
		p.entered = true
	}
	f, err := openOrCreate(p.d.cfg.FS, p.path+"/"+file)
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, f.Close()) }()
	for len(entries) > 0 {
		n, list, end := 0, [][]byte(nil), entries[0].position
		for n < len(entries) && entries[n].position == end {
			list = append(list, entries[n].data)
			end += int64(len(entries[n].data))
			n++
		}
		if _, err := f.WriteVecAt(list, entries[0].position); err != nil {
			return err
		}
		p.files[i].size = max(p.files[i].size, end)
		entries = entries[n:]
	}
	p.unclean(file)
	return nil
}

// unclean notes a .log file that has to be synced.
func (p *partRecovery) unclean(file string) {
	if !slices.Contains(p.dirty, file) {
		p.dirty = append(p.dirty, file)
	}
}

// removeSegment removes a segment's files.
func (p *partRecovery) removeSegment(base int64) error {
	for _, suffix := range segmentSuffixes() {
		file := seglog.FileName(base, suffix)
		p.dirty = slices.DeleteFunc(p.dirty, func(d string) bool { return d == file })
		if err := ignoreMissing(p.d.cfg.FS.Remove(p.path + "/" + file)); err != nil {
			return err
		}
		delete(p.names, file)
	}
	p.entered = true
	return nil
}

// readEpochs reads the leader-epoch file; one that cannot be read counts as
// missing: recovery makes it again from the batches.
func (p *partRecovery) readEpochs() error {
	if _, ok := p.names[seglog.LeaderEpochFile]; !ok {
		return nil
	}
	b, err := vfs.ReadFile(p.d.cfg.FS, p.path+"/"+seglog.LeaderEpochFile, smallFileMax)
	if err != nil {
		return err
	}
	if entries, err := seglog.ParseEpochs(b); err == nil {
		p.hadEpoch = entries
	}
	return nil
}

// isCut reports whether err is a judgement of the scanner.
func isCut(err error) (*seglog.CutError, bool) {
	var cut *seglog.CutError
	ok := errors.As(err, &cut)
	return cut, ok
}
