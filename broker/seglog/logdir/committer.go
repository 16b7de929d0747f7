package logdir

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/internal/life"
)

// committer makes things durable: one goroutine, one turn after the other. A
// turn takes everything that the append lane has handed over since the last
// one, so that appends gather while a sync runs (group commit). Because turns
// and cuts never overlap, a sync that began before a cut cannot prove anything
// above it.
type committer struct {
	d    *Dir
	wake chan struct{}
	done chan struct{}

	mu      sync.Mutex
	space   sync.Cond // waits for backlog to shrink
	landed  sync.Cond // waits for written to grow
	waiting []*item
	spare   []*item // done with, for the lane
	calls   []*commitCall
	backlog int64 // bytes written and not durable, of `sync` topics
	inline  int64 // of these, held in memory for the journal
	closing bool
	// Wide turns that the lane has handed over before their bytes are in the
	// segments, and of these how many are written; writing is the one that is not.
	ahead, written uint64
	writing        *writing

	// The goroutine's own.
	j       journal
	needs   uint64 // ahead, when the turn was taken
	turnOf  []*item
	marks   []*Partition // whose D has no mark yet
	marksAt clock.Mono   // when the first of them came
	timer   clock.Timer
	armed   bool
	started atomic.Int64 // monotonic time when the sync under way began, 0 for none
}

// commitState is what the committer knows of a partition.
type commitState struct {
	durable int64 // D
	marked  int64 // the newest S written
	queued  bool  // in marks
}

// commitCall runs on the committer's goroutine, between turns.
type commitCall struct {
	fn   func(*committer) error
	done chan struct{}
	err  error
}

const (
	// backlogBytesMax is how much may be written and not yet durable before the
	// append lane waits for the committer.
	backlogBytesMax = 256 << 20
	// inlineBacklogMax is how many bytes are held for the journal; what comes
	// beyond goes to its segments alone.
	inlineBacklogMax = 64 << 20
	// markDelay is how long a mark may stay unwritten (the contract's 100 ms,
	// less the time that the commit takes).
	markDelay = 90 * time.Millisecond
)

func newCommitter(d *Dir) *committer {
	c := &committer{d: d, wake: make(chan struct{}, 1), done: make(chan struct{})}
	c.space.L, c.landed.L = &c.mu, &c.mu
	c.j.d = d
	c.timer = d.cfg.Clock.NewTimer(time.Hour)
	c.timer.Stop()
	return c
}

// handOver gives the lane's items to the committer.
func (c *committer) handOver(l *lane) {
	if len(l.handed) == 0 {
		return
	}
	c.mu.Lock()
	c.hand(l)
	c.mu.Unlock()
}

// hand is handOver under the lock.
func (c *committer) hand(l *lane) {
	for _, p := range l.handed {
		it := p.lane.item
		p.lane.item = nil
		c.backlog += it.bytes
		if p.pending == nil {
			p.pending = it
			c.waiting = append(c.waiting, it)
		} else {
			c.inline -= int64(p.pending.inline)
			p.pending.merge(it)
			c.retire(it)
			it = p.pending
		}
		if c.inline+int64(it.inline) > inlineBacklogMax {
			it.goDirect()
		}
		c.inline += int64(it.inline)
	}
	clear(l.handed)
	l.handed = l.handed[:0]
	l.spare = append(l.spare, c.spare...)
	clear(c.spare)
	c.spare = c.spare[:0]
	c.signal()
}

// awaitSpace makes the lane wait while the backlog is at its bound; shards
// never wait for it.
func (c *committer) awaitSpace() {
	c.mu.Lock()
	for c.backlog >= backlogBytesMax && !c.d.failed() && !c.closing {
		c.space.Wait()
	}
	c.mu.Unlock()
}

// handAhead is handOver for items whose bytes w is about to write into the segments.
func (c *committer) handAhead(l *lane, w *writing) {
	c.mu.Lock()
	c.ahead++
	c.writing = w
	c.hand(l)
	c.mu.Unlock()
}

// landedAhead ends what handAhead began: the bytes are written, or have failed.
func (c *committer) landedAhead() {
	c.mu.Lock()
	c.written = c.ahead
	c.mu.Unlock()
	c.landed.Broadcast()
}

// awaitWritten waits until the bytes of all items of the turn are written. In
// a node that is gone nobody writes them: the goroutine ends.
func (c *committer) awaitWritten() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.written < c.needs {
		if c.d.cfg.Life.Ended() {
			runtime.Goexit()
		}
		c.landed.Wait()
	}
}

func (c *committer) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// call runs fn on the committer's goroutine after what waits now is durable,
// and returns its error. It must not be called from that goroutine.
func (c *committer) call(fn func(*committer) error) error {
	call := &commitCall{fn: fn, done: make(chan struct{}), err: ErrOffline}
	c.mu.Lock()
	if c.closing {
		c.mu.Unlock()
		return ErrClosed
	}
	c.calls = append(c.calls, call)
	c.signal()
	c.mu.Unlock()
	life.Receive(c.d.cfg.Life, call.done)
	return call.err
}

// stop ends the goroutine when nothing waits any more.
func (c *committer) stop() {
	c.mu.Lock()
	c.closing = true
	c.signal()
	c.space.Broadcast()
	c.mu.Unlock()
	<-c.done
}

func (c *committer) loop() {
	defer close(c.done)
	defer c.timer.Stop()
	for {
		due := false
		select {
		case <-c.wake:
		case <-c.timer.C():
			c.armed, due = false, true
			if c.marksDelay() > 0 { // those of before went with a turn
				due = false
				c.arm()
			}
		}
		calls, closing := c.take()
		err := c.turn(due)
		for _, call := range calls {
			if err == nil && !c.d.failed() {
				call.err = call.fn(c)
			}
			close(call.done)
		}
		if closing && len(calls) == 0 {
			return
		}
		if closing {
			c.signal()
		}
	}
}

// take swaps what waits against the last turn's list.
func (c *committer) take() (calls []*commitCall, closing bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turnOf, c.waiting = c.waiting, c.turnOf
	for _, it := range c.turnOf {
		it.p.pending = nil
		c.inline -= int64(it.inline)
	}
	c.needs = c.ahead
	calls, c.calls = c.calls, nil
	return calls, c.closing
}

// turn makes the items that were taken durable. marksDue asks for the marks
// that wait, too.
func (c *committer) turn(marksDue bool) error {
	err := c.d.Err()
	if err == nil {
		c.started.Store(int64(c.d.cfg.Clock.Mono()) | 1)
		if err = c.makeDurable(marksDue); err != nil {
			c.d.fail(err)
		}
		c.started.Store(0)
	}
	c.awaitWritten() // calls run between turns of both
	var bytes int64
	for _, it := range c.turnOf {
		bytes += it.bytes
		it.release()
	}
	c.mu.Lock()
	c.backlog -= bytes
	for _, it := range c.turnOf {
		c.retire(it)
	}
	c.mu.Unlock()
	clear(c.turnOf)
	c.turnOf = c.turnOf[:0]
	if bytes > 0 || err != nil {
		c.space.Broadcast()
	}
	return err
}

// makeDurable decides between the files' own syncs and the journal, carries
// that out, and answers.
func (c *committer) makeDurable(marksDue bool) error {
	direct, journaled := c.split()
	if len(journaled) == 0 && !(marksDue && len(c.marks) > 0 && !c.j.cutsAlone()) {
		if err := c.syncFiles(direct); err != nil {
			return err
		}
	} else if err := c.syncBoth(direct, journaled); err != nil {
		return err
	}
	// Durable follows Written, and a block that is closed now has its bytes in
	// the segments.
	c.awaitWritten()
	if err := c.d.Err(); err != nil {
		return err
	}
	c.complete()
	return nil
}

// split decides which items sync their files and which go through the journal.
// An item with a log start is in both lists if its files are synced.
func (c *committer) split() (direct, journaled []*item) {
	small, starts := 0, 0
	for _, it := range c.turnOf {
		if int64(it.inline) > c.d.cfg.JournalBlockBytes/2 {
			it.goDirect()
		}
		if len(it.entries) > 0 {
			small++
		}
		if it.logStart >= 0 {
			starts++
		}
	}
	if small <= c.d.cfg.DirectFilesMax && starts == 0 {
		for _, it := range c.turnOf {
			if len(it.segments) > 0 {
				direct = append(direct, it)
			}
		}
		return direct, nil
	}
	left := c.j.capacity() - 2*pageBytes
	for _, it := range c.turnOf {
		// A cut that voids the item has room, too: it must not need a new block.
		if len(it.entries) > 0 && it.cost()+cutCost > left {
			it.goDirect()
			c.wantRoom(true)
		}
		if len(it.entries) == 0 && len(it.segments) > 0 {
			direct = append(direct, it)
		}
		if len(it.entries) > 0 || it.logStart >= 0 {
			journaled = append(journaled, it)
			left -= it.cost() + cutCost
		}
	}
	return direct, journaled
}

// syncBoth commits through the journal while the files of direct are synced.
func (c *committer) syncBoth(direct, journaled []*item) error {
	filesErr := make(chan error, 1)
	if len(direct) > 0 {
		go func() {
			err := ErrOffline
			defer func() { filesErr <- err }()
			err = c.syncFiles(direct)
		}()
	} else {
		filesErr <- nil
	}
	err := c.j.commit(content{items: journaled, marks: c.takeMarks()}, promiseCommit)
	if err == nil {
		c.wantRoom(false)
	}
	return firstError(err, <-filesErr)
}

// wantRoom asks the background lane for blank blocks, and to empty full ones when
// they are many, or when there is no room and the journal may not grow.
func (c *committer) wantRoom(full bool) {
	grows := c.j.mayGrow()
	if grows && (full || len(c.j.free) < blocksAhead && !c.d.cfg.lazyJournal) {
		c.d.background.want(wantBlock)
	}
	if full && !grows || len(c.j.closed) >= c.d.recycleBlocks() {
		c.d.background.want(wantJournal)
	}
}

// takeMarks are the marks of the turns before: the partitions' D.
func (c *committer) takeMarks() []mark {
	if len(c.marks) == 0 || c.j.cutsAlone() {
		return nil
	}
	marks := make([]mark, 0, len(c.marks))
	for _, p := range c.marks {
		if !p.gone.Load() {
			marks = append(marks, mark{p: p, s: p.commit.durable})
		}
	}
	c.dropMarks()
	return marks
}

// dropMarks forgets the marks that wait, so that time brings no more commits.
func (c *committer) dropMarks() {
	for _, p := range c.marks {
		p.commit.queued = false
	}
	clear(c.marks)
	c.marks = c.marks[:0]
}

// syncFiles syncs the segments of the items, and the folders of new ones.
func (c *committer) syncFiles(items []*item) error {
	c.awaitWritten() // a sync covers what was written before it
	var segs []*segment
	for _, it := range items {
		segs = append(segs, it.segments...)
	}
	return c.d.parallel(len(segs), c.d.cfg.SyncLanes, func(i int) error {
		s := segs[i]
		if s.unlinked.Load() {
			return nil
		}
		c.d.counters.directSyncs.Add(1)
		return c.d.syncSegment(s, promiseSegment, promiseSegmentEntry)
	})
}

// complete answers for the items of the turn.
func (c *committer) complete() {
	for _, it := range c.turnOf {
		if len(it.entries) == 0 {
			for _, s := range it.segments {
				s.journaledIn = 0
			}
		}
		if it.upTo >= 0 {
			c.durable(it.p, min(it.upTo, it.p.voidFrom.Load()))
		}
		if it.logStart >= 0 {
			it.p.start.Store(it.logStart)
			c.d.startsChanged.Store(true)
		}
		if it.answerStart {
			c.answer(it.p, seglog.Done{Kind: seglog.LogStarted, UpTo: it.logStart})
		}
		for _, s := range it.doomed {
			c.d.background.put(job{kind: jobDoomSegment, segment: s})
		}
	}
	c.send()
	c.arm()
}

// durable raises D.
func (c *committer) durable(p *Partition, upTo int64) {
	if upTo > p.commit.durable {
		p.commit.durable = upTo
	}
	if !p.commit.queued && p.commit.durable != p.commit.marked {
		if len(c.marks) == 0 {
			c.marksAt = c.d.cfg.Clock.Mono()
		}
		p.commit.queued = true
		c.marks = append(c.marks, p)
	}
	p.commit.marked = p.commit.durable
	c.answer(p, seglog.Done{Kind: seglog.Durable, UpTo: upTo})
}

func (c *committer) answer(p *Partition, d seglog.Done) {
	if b := p.bound.Load(); b != nil {
		if b.box.commit == nil {
			b.box.commit = make([]Completion, 0, max(1, len(c.turnOf)))
		}
		b.box.commit = append(b.box.commit, Completion{Key: b.key, Done: d})
	}
}

// send gives the answers to the sinks.
func (c *committer) send() {
	for _, b := range c.d.outboxes() {
		if len(b.commit) > 0 {
			list := b.commit
			b.commit = nil
			b.sink.DiskDone(list)
		}
	}
}

// arm starts the timer when marks wait.
func (c *committer) arm() {
	if len(c.marks) > 0 && !c.armed {
		delay := c.marksDelay()
		if delay <= 0 { // no room for them
			delay = markDelay
		}
		c.armed = true
		c.timer.Reset(delay)
	}
}

// marksDelay is how long the marks that wait may still do so.
func (c *committer) marksDelay() time.Duration {
	if len(c.marks) == 0 {
		return 0
	}
	return c.marksAt.Add(markDelay).Sub(c.d.cfg.Clock.Mono())
}

// syncSegment makes a segment's bytes and its name durable.
func (d *Dir) syncSegment(s *segment, bytes, entry syncPromise) error {
	f, err := d.handles.acquire(s)
	if err != nil {
		return err
	}
	err = d.sync(f, bytes)
	d.handles.release(s)
	if err == nil && !s.entryDurable.Load() {
		if err = d.syncDir(s.p.path(), entry); err == nil {
			s.entryDurable.Store(true)
		}
	}
	return err
}

// parallel runs fn for 0..n-1 on at most lanes goroutines and returns the
// first error. A call that does not return (a crash of the simulated process)
// counts as failed.
func (d *Dir) parallel(n, lanes int, fn func(i int) error) error {
	if n == 1 {
		return fn(0)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, min(n, lanes))
	for k := range errs {
		errs[k] = ErrOffline
		wg.Add(1)
		go func() {
			defer wg.Done()
			var err error
			for err == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					break
				}
				err = fn(i)
			}
			errs[k] = err
		}()
	}
	wg.Wait()
	return firstError(errs...)
}
