package logdir

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/moldau/moldau/disk/vfs"
)

// journal writes commits into blocks. It belongs to the committer's goroutine.
type journal struct {
	d        *Dir
	current  *block
	free     []*block // blank, oldest first
	closed   []*block // full, not yet recycled, oldest first
	sequence uint64   // of the last commit
	// completed is the sequence number of the last commit that was synced; the
	// append lane reads it.
	completed atomic.Uint64
	buf       []byte
	blocks    int // all
}

// block is one file of the journal.
type block struct {
	name       string
	file       vfs.File
	generation uint64
	position   int64 // where the next commit goes
	last       uint64
	segments   []*segment // whose bytes it carries
}

const journalPrefix = "moldau.journal-"

// makeBlock makes a block's file, blank. The file gets its name when its
// contents are durable.
func (d *Dir) makeBlock() (*block, error) {
	b := &block{name: fmt.Sprintf("%s/%s%04d", d.cfg.Path, journalPrefix, d.blockNumber.Add(1))}
	f, err := d.cfg.FS.Create(b.name + tmpSuffix)
	if err != nil {
		return nil, err
	}
	b.file = f
	if err := d.blank(b); err != nil {
		return nil, errors.Join(err, f.Close(), d.cfg.FS.Remove(b.name+tmpSuffix))
	}
	if err := d.cfg.FS.Rename(b.name+tmpSuffix, b.name); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return b, d.syncDir(d.cfg.Path, promiseBlockEntry)
}

// blankBytes is how much is written at once.
const blankBytes = 1 << 20

// blank begins another use of a block: every page gets a head of the new
// generation, durably.
func (d *Dir) blank(b *block) error {
	b.generation, b.position = d.generation.Add(1), 0
	buf := make([]byte, min(blankBytes, d.cfg.JournalBlockBytes))
	for at := int64(0); at < d.cfg.JournalBlockBytes; at += int64(len(buf)) {
		n := min(int64(len(buf)), d.cfg.JournalBlockBytes-at)
		for page := int64(0); page < n; page += pageBytes {
			h := head{kind: kindBlank, generation: b.generation, position: uint32(at + page)}
			h.put(buf[page:])
		}
		if _, err := b.file.WriteAt(buf[:n], at); err != nil {
			return err
		}
	}
	return d.sync(b.file, promiseBlockContents)
}

// room is how many bytes a commit may take in the current block.
func (j *journal) room() int64 {
	if j.current == nil {
		return 0
	}
	return j.d.cfg.JournalBlockBytes - j.current.position
}

// capacity is how many bytes commits of appends may still take: the current
// block and the free ones. Blocks beyond the bound are not for appends: those that
// cuts and marks made would soon be full, too, and there is an end to them.
func (j *journal) capacity() int64 {
	if int64(j.blocks) > j.blocksMax() {
		return 0
	}
	return j.room() + int64(len(j.free))*j.d.cfg.JournalBlockBytes
}

// cutsAlone reports that the blocks beyond the bound are half used up: what is left
// is for cuts, and marks, which cost no record when they are late, wait.
func (j *journal) cutsAlone() bool { return int64(j.blocks) > j.blocksMax()+blocksBeyondMax/2 }

// blocksMax is how many blocks Config.JournalBytes allows.
func (j *journal) blocksMax() int64 { return j.d.cfg.JournalBytes / j.d.cfg.JournalBlockBytes }

// mayGrow reports whether the journal is below its bound.
func (j *journal) mayGrow() bool {
	return int64(j.blocks) < j.blocksMax()
}

// blocksBeyondMax is how many blocks cuts and marks may make beyond
// Config.JournalBytes while the background lane is behind. Appends go to their
// segments before that.
const blocksBeyondMax = 8

// next makes another block current, a new one if none is free.
func (j *journal) next() error {
	if j.current != nil {
		j.closed = append(j.closed, j.current)
		j.current = nil
	}
	if len(j.free) == 0 {
		if int64(j.blocks) >= j.blocksMax()+blocksBeyondMax {
			return fmt.Errorf("journal of %s: %d blocks are full", j.d.cfg.Path, j.blocks)
		}
		b, err := j.d.makeBlock()
		if err != nil {
			return err
		}
		j.blocks++
		j.free = append(j.free, b)
	}
	j.current, j.free = j.free[0], j.free[1:]
	return nil
}

// mark is a synced-through mark to be written.
type mark struct {
	p *Partition
	s int64
}

// content is what one or more commits carry.
type content struct {
	items []*item
	cuts  []cutOrder
	marks []mark
	// bodyFirst syncs all but the head before the head is written.
	bodyFirst bool
}

// commit writes content into as many commits as it needs, one synced after the
// other. When it returns, everything in it is durable.
func (j *journal) commit(c content, promise syncPromise) error {
	for {
		fits, rest, err := j.fit(c)
		if err != nil {
			return err
		}
		if err := j.write(&fits, promise); err != nil {
			return err
		}
		if c = rest; len(c.items)+len(c.cuts)+len(c.marks) == 0 {
			return nil
		}
	}
}

// fit splits off what the current block has room for, and moves to the next
// block when that is nothing, or when the next one takes all of it.
func (j *journal) fit(c content) (fits, rest content, err error) {
	if j.endsBlock(&c) {
		if err := j.next(); err != nil {
			return content{}, content{}, err
		}
	}
	for range 2 {
		left := j.room() - headLen
		i, k, m := 0, 0, 0
		for k < len(c.cuts) && left >= cutCost {
			left -= cutCost
			k++
		}
		if k == len(c.cuts) {
			for i < len(c.items) && left >= c.items[i].cost() {
				left -= c.items[i].cost()
				i++
			}
		}
		if i == len(c.items) && k == len(c.cuts) && left > 0 {
			m = min(len(c.marks), int(left/markItemLen))
		}
		if i+k+m > 0 {
			fits = content{items: c.items[:i], cuts: c.cuts[:k], marks: c.marks[:m], bodyFirst: c.bodyFirst}
			rest = content{items: c.items[i:], cuts: c.cuts[k:], marks: c.marks[m:], bodyFirst: c.bodyFirst}
			return fits, rest, nil
		}
		if err := j.next(); err != nil {
			return content{}, content{}, err
		}
	}
	return content{}, content{}, fmt.Errorf("journal of %s: a commit does not fit a block", j.d.cfg.Path)
}

// restPart is which part of a block may be left empty for a commit that goes
// whole into the next one.
const restPart = 4

// endsBlock reports that c does not fit the little that is left of the current
// block, and does fit, with the cuts that may have to void it, one that lies ready:
// in two parts it would need two syncs.
func (j *journal) endsBlock(c *content) bool {
	room, block := j.room(), j.d.cfg.JournalBlockBytes
	if room == 0 || room > block/restPart || len(j.free) == 0 {
		return false
	}
	size := headLen + int64(len(c.cuts))*cutCost + int64(len(c.marks))*markItemLen
	for _, it := range c.items {
		size += it.cost()
	}
	return size > room && pages(size)+pages(headLen+int64(len(c.items))*cutCost) <= block
}

// cutCost is what a cut takes: its list entry, the cut, the lowered mark and a log start.
const cutCost = listEntryLen + 2*offsetItemLen + markItemLen

// cost is what the item takes in a commit.
func (it *item) cost() int64 { return int64(it.inline) + listEntryLen + offsetItemLen }

// write writes one commit and syncs.
func (j *journal) write(c *content, promise syncPromise) error {
	b := append(j.buf[:0], make([]byte, headLen)...)
	for _, it := range c.items {
		b = appendID(b, it.p.id)
	}
	for i := range c.cuts {
		b = appendID(b, c.cuts[i].p.id)
	}
	list := len(b)
	b = j.body(b, c)
	h := head{
		kind: kindCommit, generation: j.current.generation, sequence: j.sequence + 1, position: uint32(j.current.position),
		count: uint32(len(c.items) + len(c.cuts)), listCRC: castagnoli(b[headLen:list]),
		bodyLen: uint32(len(b) - list), bodyCRC: castagnoli(b[list:]),
	}
	h.put(b)
	size := h.size()
	b = grow(b, int(size))
	j.buf = b
	if err := j.put(b, c.bodyFirst, promise); err != nil {
		return fmt.Errorf("journal commit %d: %w", h.sequence, err)
	}
	j.current.position += size
	j.current.last, j.sequence = h.sequence, h.sequence
	j.completed.Store(h.sequence)
	j.d.counters.commits.Add(1)
	j.d.counters.journalBytes.Add(uint64(len(b)))
	return nil
}

// put writes the bytes of a commit and syncs. The head goes last: a process that
// dies in between leaves a blank page where it was to be, and so no commit.
func (j *journal) put(b []byte, bodyFirst bool, promise syncPromise) error {
	f, at := j.current.file, j.current.position
	_, err := f.WriteAt(b[headLen:], at+headLen)
	if err == nil && bodyFirst {
		err = j.d.sync(f, promiseKeptBody)
	}
	if err == nil {
		_, err = f.WriteAt(b[:headLen], at)
	}
	if err != nil {
		return err
	}
	j.d.committer.help()
	return j.d.sync(f, promise)
}

// body appends the items of a commit to b.
func (j *journal) body(b []byte, c *content) []byte {
	for i, it := range c.items {
		for k := range it.entries {
			b = appendEntry(b, i, &it.entries[k])
		}
		if it.logStart >= 0 {
			b = appendOffsetItem(b, itemLogStart, i, it.logStart)
		}
		if len(it.entries) > 0 {
			j.list(it)
		}
	}
	for i := range c.cuts {
		b = c.cuts[i].appendTo(b, len(c.items)+i)
	}
	for i := range c.marks {
		b = appendMark(b, c.marks[i].p.id, c.marks[i].s)
	}
	return b
}

// list notes that the current block carries bytes of the item's segments.
func (j *journal) list(it *item) {
	for _, s := range it.segments {
		s.journaledIn = j.current.generation
		if s.listedIn != j.current.generation {
			s.listedIn = j.current.generation
			j.current.segments = append(j.current.segments, s)
		}
	}
}

// grow lengthens b with zeros to n bytes.
func grow(b []byte, n int) []byte {
	have := len(b)
	if cap(b) < n {
		b = append(b, make([]byte, n-have)...)
		return b
	}
	b = b[:n]
	clear(b[have:])
	return b
}

// recycleBlocks is how many full blocks make the background lane empty them: five
// eighths of the journal. Emptying them syncs every segment that they name, so it
// is put off; the rest takes what is appended meanwhile.
func (d *Dir) recycleBlocks() int {
	return max(1, int(d.committer.j.blocksMax())*5/8)
}
