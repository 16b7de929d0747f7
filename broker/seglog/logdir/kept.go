package logdir

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
)

// What recovery keeps has to be durable before it counts as D. A turn over two
// thousand partitions leaves as many files to sync, and their folders. But the
// journal holds most of their bytes already. So where many files are left,
// recovery syncs the journal as it found it, adds one commit with the bytes that
// nothing proves durable, and leaves the old blocks in place until the background
// lane has synced the segments. A crash before that replays them again.
//
// What nothing proves durable is written again before it is synced, the journal's
// last commit too: had its sync failed in the process before, the system would
// hold it for clean, and a sync would succeed without bringing it to the disk.
//
// The directory's files are synced at once instead where few are left, where the
// journal is damaged, and where something was cut off that marks or journal tell
// of: replayed again, they would bring it back.

// leftover is what recovery has to make durable of one partition.
type leftover struct {
	id      kafka.TopicPartition
	path    string
	files   []string // .log files with bytes that may not be on stable storage
	entries bool     // names in the folder may not be
	changed bool     // recovery has cut the log: F3
	forget  bool     // marks or journal tell of bytes that the log no longer has
	tail    tail
	marked  int64 // S as found
	end     int64
}

// tail is what lies at a log's end behind what is proved durable.
type tail struct {
	segment, position int64 // where it begins
	first             int64 // offset
	size              int64 // bytes
	split             bool  // it goes on in another segment
}

// begin is told of the next segment, of which a scan begins at position and offset.
func (t *tail) begin(segment, position, offset int64) {
	if t.size > 0 {
		t.split = true
		return
	}
	*t = tail{segment: segment, position: position, first: offset}
}

// pass is told of a batch of n bytes, after which the log ends at next.
func (t *tail) pass(n, next, proved int64) {
	t.size += n
	if next <= proved {
		*t = tail{segment: t.segment, position: t.position + t.size, first: next}
	}
}

// kept is what recovery leaves to the background lane: segments to sync before
// the old journal's files can go.
type kept struct {
	list     []leftover
	files    []string // of the old journal
	sequence uint64   // its last commit
}

// keptBlocksMax is how many old blocks may stay, as a multiple of the journal's
// own: a process that dies soon after each start leaves more at every one.
const keptBlocksMax = 2

// prepare makes the old journal durable and a new block, while the partitions
// are recovered. It reports whether segments may be synced later.
func (r *recovery) prepare() (later bool, err error) {
	d := r.d
	n := int64(len(r.journal.files))
	if r.clean || r.noMarks || r.journal.all || len(r.journal.touched) > 0 || n == 0 ||
		n > keptBlocksMax*d.committer.j.blocksMax() {
		return false, nil
	}
	if at := &r.journal.last; at.size > 0 {
		if err := d.rewrite(at.file, at.position, at.size); err != nil {
			return false, err
		}
	}
	for _, file := range r.journal.files {
		if err := d.syncNamed(file, promiseReplayed); err != nil {
			return false, err
		}
	}
	b, err := d.makeBlock()
	if err != nil {
		return false, ignoreGone(err)
	}
	d.committer.j.free, d.committer.j.blocks = append(d.committer.j.free, b), 1
	return true, nil
}

// keep makes what recovery found durable. The result says which folders may
// lack the names of segments.
func (r *recovery) keep(left []leftover, later bool) (nameless map[kafka.TopicPartition][]string, err error) {
	left = slices.DeleteFunc(left, func(l leftover) bool { return len(l.files) == 0 && !l.entries && !l.changed })
	files := 0
	for i := range left {
		files += len(left[i].files)
		later = later && !left[i].forget
	}
	if !later || files <= r.d.cfg.DirectFilesMax {
		return nil, r.d.syncLeft(left, r.d.cfg.RecoveryLanes)
	}
	now, groups, err := r.group(left)
	if err != nil {
		return nil, err
	}
	if err := r.d.syncLeft(now, r.d.cfg.RecoveryLanes); err != nil {
		return nil, err
	}
	for _, tails := range groups {
		if err := r.commitTails(tails); err != nil {
			return nil, err
		}
	}
	tails := slices.Concat(groups...)
	r.d.background.kept = &kept{list: tails, files: r.journal.files, sequence: r.journal.sequence}
	nameless = make(map[kafka.TopicPartition][]string, len(tails))
	for i := range tails {
		nameless[tails[i].id] = tails[i].files
	}
	return nameless, nil
}

// group splits what is left, and makes the blocks that the tails need.
func (r *recovery) group(left []leftover) (now []leftover, groups [][]leftover, err error) {
	d := r.d
	// Half of the journal: the other half is for what comes.
	j := &d.committer.j
	blocks := max(1, int(j.blocksMax())/2)
	now, groups = split(left, d.cfg.JournalBlockBytes, blocks)
	for len(j.free) < len(groups) {
		b, err := d.makeBlock()
		if err != nil { // without space, files are synced at once
			now, groups = split(left, d.cfg.JournalBlockBytes, len(j.free))
			return now, groups, ignoreGone(err)
		}
		j.free = append(j.free, b)
		j.blocks++
	}
	return now, groups, nil
}

// split says whose files are synced at once, and whose tails go into the journal:
// in groups that fill one new block each, so many at most.
func split(left []leftover, blockBytes int64, blocks int) (now []leftover, groups [][]leftover) {
	room := int64(0)
	for _, l := range left {
		cost := int64(markItemLen)
		if l.tail.size > 0 {
			cost += l.tail.size + entryHeadLen + listEntryLen + offsetItemLen
		}
		switch {
		case l.changed || l.tail.split || cost > blockBytes-headLen:
			now = append(now, l)
			continue
		case cost > room && len(groups) == blocks:
			now = append(now, l)
			continue
		case cost > room:
			groups = append(groups, nil)
			room = blockBytes - headLen
		}
		room -= cost
		groups[len(groups)-1] = append(groups[len(groups)-1], l)
	}
	return now, groups
}

// syncLeft syncs files, and then their folders.
func (d *Dir) syncLeft(left []leftover, lanes int) error {
	return d.parallel(len(left), lanes, func(i int) error {
		l := &left[i]
		if err := d.rewriteTail(l); err != nil {
			return err
		}
		for _, file := range l.files {
			if err := d.syncNamed(l.path+"/"+file, promiseRecovered); err != nil {
				return err
			}
		}
		if l.entries {
			return d.syncDir(l.path, promiseRecoveredEntries)
		}
		return nil
	})
}

// rewriteTail writes again what is not proved durable, so that the next sync
// does write it.
func (d *Dir) rewriteTail(l *leftover) error {
	t := &l.tail
	if t.size == 0 {
		return nil
	}
	for _, file := range l.files {
		base, suffix, ok := seglog.ParseFileName(file)
		if !ok || suffix != seglog.LogSuffix || base < t.segment {
			continue
		}
		from, size := int64(0), int64(math.MaxInt64)
		if base == t.segment {
			from = t.position
			if !t.split {
				size = t.size
			}
		}
		if err := d.rewrite(l.path+"/"+file, from, size); err != nil {
			return err
		}
	}
	return nil
}

// rewriteBytes are read and written again at a time.
const rewriteBytes = 1 << 20

// rewrite writes up to size bytes of a file from an offset on as they are.
func (d *Dir) rewrite(name string, from, size int64) (err error) {
	f, err := d.cfg.FS.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = firstError(err, f.Close()) }()
	have, err := f.Size()
	if err != nil {
		return err
	}
	end := from + min(size, have-from)
	buf := make([]byte, max(min(rewriteBytes, end-from), 0))
	again := make([]byte, len(buf))
	for at := from; at < end; {
		n := min(rewriteBytes, end-at)
		if err := readSteady(f, buf[:n], again[:n], at); err != nil {
			return err
		}
		if _, err := f.WriteAt(buf[:n], at); err != nil {
			return err
		}
		at += n
	}
	return nil
}

// commitTails writes the tails of a group into the journal, and S of every log
// that has grown above it.
func (r *recovery) commitTails(left []leftover) error {
	d := r.d
	items := make([]*item, len(left))
	err := d.parallel(len(left), d.cfg.RecoveryLanes, func(i int) (err error) {
		items[i], err = d.tailItem(&left[i])
		return err
	})
	if err != nil {
		return err
	}
	c := content{bodyFirst: true}
	for i := range left {
		if items[i] != nil {
			c.items = append(c.items, items[i])
		}
		if left[i].end > left[i].marked {
			c.marks = append(c.marks, mark{p: &Partition{id: left[i].id}, s: left[i].end})
		}
	}
	if len(c.items)+len(c.marks) == 0 {
		return nil
	}
	return d.committer.j.commit(c, promiseKept)
}

// tailItem reads a tail and writes it again; nil for an empty one. Nobody waits for its answer.
func (d *Dir) tailItem(l *leftover) (_ *item, err error) {
	t := &l.tail
	if t.size == 0 {
		return nil, nil
	}
	f, err := d.cfg.FS.Open(l.path + "/" + seglog.FileName(t.segment, seglog.LogSuffix))
	if err != nil {
		return nil, err
	}
	defer func() { err = firstError(err, f.Close()) }()
	data := make([]byte, t.size)
	if err := readSteady(f, data, make([]byte, len(data)), t.position); err != nil {
		return nil, err
	}
	if _, err := f.WriteAt(data, t.position); err != nil { // see rewriteTail
		return nil, err
	}
	it := &item{p: &Partition{id: l.id}, upTo: -1, logStart: -1}
	it.entries = []entry{{segment: t.segment, position: t.position, first: t.first, last: l.end - 1, data: buffer.Own(data)}}
	it.inline = entryHeadLen + len(data)
	return it, nil
}

// syncKept syncs what recovery has left: from here on the marks may call the
// old journal's commits done. A file that is gone belonged to a log, or a part of
// one, that was deleted or cut off since.
func (d *Dir) syncKept(k *kept) error {
	return d.parallel(len(k.list), d.cfg.SyncLanes, func(i int) error {
		l := &k.list[i]
		for _, file := range l.files {
			d.counters.backgroundSyncs.Add(1)
			if err := ignoreMissing(d.syncNamed(l.path+"/"+file, promiseRecovered)); err != nil {
				return err
			}
		}
		return ignoreMissing(d.syncDir(l.path, promiseRecoveredEntries))
	})
}

// removeKept removes the old journal, which the marks call done.
func (b *background) removeKept() error {
	k := b.kept
	if k == nil {
		return nil
	}
	b.kept = nil
	for _, file := range k.files {
		if err := b.d.cfg.FS.Remove(file); err != nil {
			return err
		}
	}
	return nil
}

// newestBlock is the greatest number in the names of journal blocks.
func newestBlock(files []string) int64 {
	newest := int64(0)
	for _, file := range files {
		i := strings.LastIndex(file, journalPrefix)
		if n, err := strconv.ParseInt(file[i+len(journalPrefix):], 10, 64); err == nil {
			newest = max(newest, n)
		}
	}
	return newest
}
