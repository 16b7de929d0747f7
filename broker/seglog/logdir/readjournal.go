package logdir

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/disk/vfs"
)

// replay is what the journal says, read back at recovery.
type replay struct {
	items map[kafka.TopicPartition][]journalItem // in their order
	// touched: a commit that failed its checksum, or one behind such a one, names it.
	touched map[kafka.TopicPartition]bool
	// all: such a commit cannot say whom it names; every replica may be touched.
	all        bool
	files      []string // the blocks' files
	generation uint64   // the greatest seen
	sequence   uint64   // of the newest commit that may have been made
	last       place    // of the newest commit: no later one proves that it was synced
	entries    int
}

// place is where something lies in a file.
type place struct {
	file           string
	position, size int64
}

// readCommit is one commit of a block.
type readCommit struct {
	head   head
	ids    []kafka.TopicPartition
	listOK bool
	body   []byte // nil when its checksum fails
	at     int64  // in its block
}

// blockRead is what a block's file holds.
type blockRead struct {
	generation uint64
	file       string
	commits    []readCommit // that moldau.marks does not call done
	broken     bool         // where a commit may begin is neither a commit nor a blank page
}

// first is the sequence number of the first commit.
func (b *blockRead) first() uint64 {
	if len(b.commits) == 0 {
		return 0
	}
	return b.commits[0].head.sequence
}

// journalFileMax bounds a block's file that is read back, in bytes.
const journalFileMax = 1 << 30

// readJournal reads the blocks; commits up to the floor are empty.
func (d *Dir) readJournal(names []string, floor marksHead) (*replay, error) {
	r := &replay{
		items: map[kafka.TopicPartition][]journalItem{}, touched: map[kafka.TopicPartition]bool{},
		generation: floor.generation, sequence: floor.sequence,
	}
	for _, name := range names {
		if strings.HasPrefix(name, journalPrefix) && !strings.HasSuffix(name, tmpSuffix) {
			r.files = append(r.files, d.cfg.Path+"/"+name)
		}
	}
	blocks := make([]blockRead, len(r.files))
	err := d.parallel(len(blocks), d.cfg.RecoveryLanes, func(i int) (err error) {
		blocks[i], err = d.readBlockFile(r.files[i], floor.sequence)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(blocks, func(a, b blockRead) int { return cmp.Compare(a.first(), b.first()) })
	return r, r.take(d, blocks, floor.sequence)
}

// readBlockFile reads a block; of one that holds nothing, its first page alone.
func (d *Dir) readBlockFile(path string, floor uint64) (r blockRead, err error) {
	f, err := d.cfg.FS.OpenRead(path)
	if err != nil {
		return r, fmt.Errorf("journal: %w", err)
	}
	defer func() { err = firstError(err, f.Close()) }()
	page := make([]byte, pageBytes)
	if n, err := f.ReadAt(page, 0); err != nil && !errors.Is(err, io.EOF) {
		return r, fmt.Errorf("journal: %w", err)
	} else if h, err := parseHead(page[:n], 0); err == nil && h.empty(floor) {
		return blockRead{file: path, generation: h.generation}, nil
	}
	b, err := vfs.ReadFile(d.cfg.FS, path, journalFileMax)
	if err != nil {
		return r, fmt.Errorf("journal: %w", err)
	}
	if r, err = readBlock(b, floor); err != nil {
		return r, fmt.Errorf("journal block %s: %w", path, err)
	}
	r.file = path
	return r, nil
}

// empty: a block that begins with h holds nothing that comes after the commit floor.
func (h *head) empty(floor uint64) bool { return h.kind == kindBlank || h.sequence <= floor }

// take goes through the commits in their order: up to the first that fails
// their items count, of those behind it only the marks.
func (r *replay) take(d *Dir, blocks []blockRead, sequence uint64) error {
	failed := false
	for i := range blocks {
		b := &blocks[i]
		r.generation = max(r.generation, b.generation)
		for k := range b.commits {
			c := &b.commits[k]
			if c.head.sequence > r.sequence {
				r.sequence, r.last = c.head.sequence, place{b.file, c.at, c.head.size()}
			}
			if c.head.sequence != sequence+1 && !failed {
				failed = true
				r.damaged(d, sequence+1, nil) // a commit is missing, and nobody can say whom it named
			}
			sequence = c.head.sequence
			if c.body == nil {
				failed = true
				if c.listOK {
					r.damaged(d, sequence, c.ids)
				} else {
					r.damaged(d, sequence, nil)
				}
				continue
			}
			if failed {
				r.damaged(d, sequence, c.ids)
			}
			if err := r.commit(c, failed); err != nil {
				return err
			}
		}
		if b.broken {
			// A block without a commit that can be read may be a blank one; if it
			// is not, the sequence numbers of the others tell.
			failed = failed || len(b.commits) > 0
			r.damaged(d, sequence+1, nil)
		}
	}
	return nil
}

// damaged notes whom a commit that was not replayed names; nil means nobody knows.
func (r *replay) damaged(d *Dir, sequence uint64, ids []kafka.TopicPartition) {
	named := len(ids)
	if ids == nil {
		r.all, named = true, -1
	}
	for _, id := range ids {
		r.touched[id] = true
	}
	d.cfg.Events.Emit(JournalDamaged{Dir: d.cfg.Path, Sequence: sequence, Named: named})
}

// commit takes a commit's items in; only its marks when it lies behind a failed one.
func (r *replay) commit(c *readCommit, marksOnly bool) error {
	return parseBody(c.body, c.ids, c.head.sequence, func(it journalItem) {
		if it.kind == itemMark || !marksOnly {
			r.items[it.id] = append(r.items[it.id], it)
			if it.kind == itemEntry {
				r.entries++
			}
		}
	})
}

// readBlock reads a block's commits, if they come after the commit floor.
func readBlock(b []byte, floor uint64) (blockRead, error) {
	var r blockRead
	sequence := uint64(0)
	at := int64(0)
	for at+pageBytes <= int64(len(b)) {
		h, err := parseHead(b[at:], at)
		switch {
		case errors.Is(err, errJournalVersion):
			return r, err
		case err != nil:
			r.broken = true
			return r.scanOn(b, at+pageBytes, floor), nil
		case at == 0:
			r.generation = h.generation
			if h.empty(floor) {
				return r, nil
			}
		case h.kind == kindBlank && h.generation == r.generation:
			return r, nil
		case h.generation != r.generation || h.sequence != sequence+1:
			r.broken = true
			return r.scanOn(b, at+pageBytes, floor), nil
		}
		c, size := takeCommit(b[at:], h)
		c.at = at
		r.commits = append(r.commits, c)
		if size < 0 {
			return r.scanOn(b, at+pageBytes, floor), nil
		}
		sequence = h.sequence
		at += size
	}
	return r, nil
}

// takeCommit reads the commit at the front of b; size is -1 if it does not
// end within the block.
func takeCommit(b []byte, h head) (c readCommit, size int64) {
	c.head = h
	if size = h.size(); size > int64(len(b)) {
		return c, -1
	}
	list := b[headLen : headLen+int(h.count)*listEntryLen]
	body := b[headLen+len(list):][:h.bodyLen]
	if castagnoli(list) == h.listCRC {
		c.listOK = true
		c.ids = parseList(list)
		if castagnoli(body) == h.bodyCRC {
			c.body = body
		}
	}
	return c, size
}

// scanOn looks for whole commits of the block's generation behind a place
// that cannot be read: what they name is in doubt, and their marks count.
func (r blockRead) scanOn(b []byte, at int64, floor uint64) blockRead {
	newest := uint64(0)
	if n := len(r.commits); n > 0 {
		newest = r.commits[n-1].head.sequence
	}
	for at+pageBytes <= int64(len(b)) {
		h, err := parseHead(b[at:], at)
		live := err == nil && h.kind == kindCommit && h.sequence > max(floor, newest) &&
			(r.generation == 0 || h.generation == r.generation)
		if !live {
			at += pageBytes
			continue
		}
		c, size := takeCommit(b[at:], h)
		c.at = at
		if c.body == nil {
			at += pageBytes
			continue
		}
		r.generation, newest = h.generation, h.sequence
		r.commits = append(r.commits, c)
		at += size
	}
	return r
}
