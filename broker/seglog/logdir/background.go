package logdir

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/internal/inbox"
)

// background is the lane for what nobody waits for: closing and removing
// segments, syncing files of `os` topics, writing moldau.marks, recycling
// journal blocks, Kafka's lazily written checkpoints.
type background struct {
	d     *Dir
	in    *inbox.Inbox[job]
	done  chan struct{}
	wants atomic.Uint32
	timer clock.Timer

	marks      marksTable
	lastMarks  clock.Mono
	lastSync   clock.Mono
	lastChecks clock.Mono
	doomed     []*segment // that have left their logs, and have their names still
	graves     []grave
	kept       *kept // what recovery left to do, nil when that is done
	later      []job // calls put off
}

// jobKind says what a job is.
type jobKind uint8

const (
	jobCloseSegment jobKind = iota + 1
	jobDoomSegment
	jobRemoveFolder
	jobForget
	jobCall
)

// job is one piece of background work.
type job struct {
	kind     jobKind
	segment  *segment
	pin      vfs.File // jobCloseSegment: the segment's file, which the job releases; nil for none
	snapshot []byte   // jobCloseSegment: producer snapshot at base
	base     int64
	p        *Partition           // jobRemoveFolder
	id       kafka.TopicPartition // jobForget
	call     func() error
	result   chan error
}

// Wants are asked for by other lanes and taken together.
const (
	wantJournal uint32 = 1 << iota // recycle journal blocks
	wantBlock                      // make another journal block
	wantMarks                      // write moldau.marks
)

const (
	// backgroundInboxMax bounds the jobs that wait.
	backgroundInboxMax = 1 << 20
	// tickInterval is how often the lane looks around.
	tickInterval = 100 * time.Millisecond
)

// put queues a job; its number is bounded by the segments and partitions.
func (b *background) put(j job) { b.in.Offer(j) }

// want asks for something soon.
func (b *background) want(what uint32) {
	if b.wants.Or(what)&what == 0 {
		b.in.Offer(job{})
	}
}

// call runs fn on the lane after the jobs before it.
func (b *background) call(fn func() error) error {
	result := make(chan error, 1)
	if !b.in.Offer(job{kind: jobCall, call: fn, result: result}) {
		return ErrClosed
	}
	select {
	case err := <-result:
		return err
	case <-b.done:
		return ErrClosed
	}
}

func (b *background) loop() {
	defer close(b.done)
	defer b.timer.Stop()
	if !b.d.cfg.lazyJournal {
		if _, err := b.grow(1); err != nil { // before anybody needs it
			b.d.fail(err)
		}
	}
	var jobs []job
	for open := true; open; {
		select {
		case <-b.in.Wake():
		case <-b.timer.C():
			b.timer.Reset(tickInterval)
		}
		// Until it is empty: a closed inbox wakes once.
		for jobs, open = b.in.Take(jobs); len(jobs) > 0; jobs, open = b.in.Take(jobs) {
			b.work(jobs)
			b.workLater()
		}
		if !open {
			return
		}
		if !b.d.failed() {
			if err := b.tick(); err != nil {
				b.d.fail(err)
			}
		}
		b.workLater()
	}
}

// workLater runs the calls that came in the middle of something.
func (b *background) workLater() {
	for len(b.later) > 0 {
		later := b.later
		b.later = nil
		b.work(later)
	}
}

// workSegments carries out what waits for segments and partitions in the
// middle of something else; calls are run after it.
func (b *background) workSegments() {
	jobs, _ := b.in.Take(nil)
	for i := range jobs {
		if jobs[i].kind == jobCall {
			b.later = append(b.later, jobs[i])
		} else {
			b.work(jobs[i : i+1])
		}
	}
}

// work carries out jobs in their order.
func (b *background) work(jobs []job) {
	for i := range jobs {
		j := &jobs[i]
		var err error
		switch j.kind {
		case jobCloseSegment:
			err = b.unlessFailed(func() error { return b.d.closeSegment(j) })
			if j.pin != nil {
				b.d.handles.release(j.segment)
			}
		case jobDoomSegment:
			b.doomed = append(b.doomed, j.segment)
			if !b.marks.changed {
				err = b.unlessFailed(func() error { return b.doom(false) })
			}
		case jobRemoveFolder:
			b.bury(j.p)
		case jobForget:
			b.marks.remove(j.id)
		case jobCall:
			j.result <- j.call()
		}
		if err != nil {
			b.d.fail(err)
		}
	}
}

func (b *background) unlessFailed(fn func() error) error {
	if b.d.failed() {
		return nil
	}
	return fn()
}

// tick does what is due.
func (b *background) tick() error {
	now := b.d.cfg.Clock.Mono()
	if err := b.dig(now); err != nil {
		return err
	}
	wants := b.wants.Swap(0)
	syncOS := now.Sub(b.lastSync) >= b.d.cfg.BackgroundSyncInterval
	due := now.Sub(b.lastMarks) >= b.d.cfg.MarksInterval || b.d.sinceMarks.Load() >= b.d.cfg.MarksBytes
	if wants&wantBlock != 0 {
		grown, err := b.grow(blocksAhead)
		if err != nil {
			return err
		}
		if !grown {
			wants |= wantJournal
		}
	}
	recycle := wants&wantJournal != 0 || due && b.kept != nil
	if recycle || wants&wantMarks != 0 || due || syncOS {
		if syncOS {
			b.lastSync = now
		}
		b.lastMarks = now
		if err := b.checkpoint(recycle, syncOS); err != nil {
			return err
		}
	}
	if now.Sub(b.lastChecks) >= b.d.cfg.CheckpointInterval {
		b.lastChecks = now
		return b.writeCheckpoints()
	}
	return nil
}

// blocksAhead is how many blank blocks lie ready for a journal that is used and
// not at its bound. A turn that finds no room syncs its files one by one.
const blocksAhead = 3

// spaceBlocks is how many blocks' worth of space must be free for the journal to
// grow beyond its first block: on a disk that is almost full, what is free is for
// records.
const spaceBlocks = 4

// spacious reports whether the file system has room for the journal to grow. One
// that does not tell is taken to have.
func (d *Dir) spacious() bool {
	u, err := d.cfg.FS.Usage(d.cfg.Path)
	return err != nil || u.Free >= spaceBlocks*d.cfg.JournalBlockBytes
}

// grow makes blocks until so many lie ready or the journal is at its bound; false
// when there is no space for them.
func (b *background) grow(ahead int) (grown bool, err error) {
	d := b.d
	for {
		missing, first := false, false
		err := d.committer.call(func(c *committer) error {
			missing, first = len(c.j.free) < ahead && c.j.mayGrow(), c.j.blocks == 0
			return nil
		})
		if err != nil || !missing {
			return true, b.quiet(err)
		}
		if !first && !d.spacious() {
			return false, nil
		}
		blk, err := d.makeBlock()
		if err != nil {
			return false, ignoreGone(err) // files are synced one by one
		}
		err = d.committer.call(func(c *committer) error {
			c.j.blocks++
			c.j.free = append(c.j.free, blk)
			return nil
		})
		if err != nil {
			return true, errors.Join(b.quiet(err), blk.file.Close())
		}
	}
}
