package logdir

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
)

// A turn that appends a little to each of many partitions goes through the
// journal. Its commit does not need the bytes in the segments, nor the segments
// the commit; so the committer gets the items first, and the lane writes the
// segments while the commit is being made. Both must have happened before the
// committer answers (Durable never passes Written), before it runs a call, and
// so before a block can be recycled.
//
// A write that fails after its bytes were committed leaves entries in the
// journal that the log never had. A cut in a synced commit voids them before
// the failure is answered, and so before their offsets are used again.

// writing is what a wide turn writes into the segments, shared by those who write.
type writing struct {
	runs    []run
	next    atomic.Int64
	helpers sync.WaitGroup
}

// run is the appends of one partition to its active segment.
type run struct {
	p     *Partition
	s     *segment
	ops   []seglog.Op
	bytes int64
	flush bool
	done  bool  // the write returned
	err   error // of the write
	take  error // of the accounts
}

// runsAtOnce is how many runs a writer takes at once.
const runsAtOnce = 16

// wide carries out the plain appends of this turn, if they are of so many
// partitions that they will go through the journal.
func (l *lane) wide() {
	if l.d.failed() {
		return
	}
	for _, p := range l.touched {
		if l.plain(p) {
			l.plains = append(l.plains, p)
		}
	}
	if len(l.plains) > max(0, l.d.cfg.DirectFilesMax) {
		l.writeWide()
	}
	clear(l.plains)
	l.plains = l.plains[:0]
}

// plain reports whether the orders of p are nothing but small appends that
// continue its active segment.
func (l *lane) plain(p *Partition) bool {
	t := &p.lane
	if t.refusing || t.lost || t.item != nil || p.gone.Load() || p.options.Load().Durability != kafka.DurabilitySync {
		return false
	}
	base, position, next := t.active().Base, t.active().Size, t.end
	for i := range t.queue {
		ap := &t.queue[i].Append
		n := len(ap.Data.Bytes)
		if t.queue[i].Kind != seglog.OpAppend || ap.Roll != nil || n == 0 || n > l.d.cfg.InlineBytesMax ||
			ap.Segment != base || ap.Position != position || ap.FirstOffset != next {
			return false
		}
		position, next = position+int64(n), ap.LastOffset+1
	}
	return len(t.queue) > 0 && position-t.active().Size <= runBytesMax
}

// writeWide hands the plain appends to the committer, writes them, and answers.
func (l *lane) writeWide() {
	w, c := &l.writing, l.d.committer
	w.next.Store(0)
	for _, p := range l.plains {
		segs, ops := p.segments(), p.lane.queue
		r := run{p: p, s: segs[len(segs)-1], ops: ops}
		it := l.item(p)
		it.share(r.s, ops)
		r.bytes = it.bytes
		w.runs = append(w.runs, r)
	}
	c.handAhead(l, w)
	voids := l.carryOutWide(w)
	l.void(voids)
	for i := range w.runs {
		r := &w.runs[i]
		for k := range r.ops {
			r.ops[k].Append.Data.Release()
		}
		clear(r.ops)
		r.p.lane.queue = r.p.lane.queue[:0]
	}
	clear(w.runs)
	w.runs = w.runs[:0]
	c.awaitSpace()
}

// carryOutWide writes the runs, takes them into account, answers for those that
// are written, and returns the others.
func (l *lane) carryOutWide(w *writing) (voids []void) {
	c, finished := l.d.committer, false
	defer func() {
		if !finished { // a crash of the simulated process
			l.d.fail(ErrOffline)
		}
		c.landedAhead()
	}()
	l.d.writeRuns(w)
	c.closeWriting()
	w.helpers.Wait()
	voids = l.accountWide(w)
	l.answer()
	finished = true
	return voids
}

// help lets another goroutine write what waits to be written, while this one
// is about to wait for the disk.
func (c *committer) help() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.writing; w != nil && w.next.Load()+runsAtOnce < int64(len(w.runs)) {
		w.helpers.Add(1)
		go func() {
			defer w.helpers.Done()
			c.d.writeRuns(w)
		}()
	}
}

// closeWriting ends the time in which helpers may come.
func (c *committer) closeWriting() {
	c.mu.Lock()
	c.writing = nil
	c.mu.Unlock()
}

// writeRuns takes runs and writes them until none is left. The writes are short
// calls, between which Go's scheduler would not look for others on this
// processor: with all of them writing, the committer would learn that its sync has
// ended when the last write has. So others have their turn every few runs.
func (d *Dir) writeRuns(w *writing) {
	var bufs [][]byte
	for {
		end := int(w.next.Add(runsAtOnce))
		if end-runsAtOnce >= len(w.runs) {
			return
		}
		for i := end - runsAtOnce; i < min(end, len(w.runs)); i++ {
			d.writeRun(&w.runs[i], &bufs)
		}
		runtime.Gosched()
	}
}

// writeRun writes one run and takes it into the partition's own state.
func (d *Dir) writeRun(r *run, bufs *[][]byte) {
	f, err := d.pinned(r.s)
	if err == nil {
		err = writeBytes(f, r.ops, r.p.lane.active().Size, bufs)
	}
	if r.err = err; err == nil {
		r.flush, r.take = r.p.account(r.s, r.ops)
	}
	r.done = true
}

// void is a run that was handed to the committer and not written.
type void struct {
	p      *Partition
	answer seglog.Done
}

// accountWide takes the runs into the lane's state. Where a write failed, D
// stays below it.
func (l *lane) accountWide(w *writing) (voids []void) {
	for i := range w.runs {
		r := &w.runs[i]
		if !r.done { // a crash of the simulated process
			r.err = ErrOffline
		}
		if r.err == nil {
			l.accounted(r.p, r.s, len(r.ops), r.bytes, r.flush, r.take)
			continue
		}
		r.p.voidFrom.Store(r.p.lane.end)
		voids = append(voids, void{p: r.p, answer: l.failed(r.p, &r.ops[0].Append, r.err)})
	}
	return voids
}

// void makes the journal's entries of what was not written void, durably, and
// then answers that it failed.
func (l *lane) void(voids []void) {
	if len(voids) == 0 {
		return
	}
	cuts := make([]cutOrder, len(voids))
	for i := range voids {
		cuts[i] = cutOrder{p: voids[i].p, op: seglog.Op{Kind: seglog.OpTruncate, Offset: voids[i].p.lane.end}}
	}
	err := l.d.committer.call(func(c *committer) error {
		err := c.commitCuts(cuts)
		for i := range cuts {
			cuts[i].p.voidFrom.Store(math.MaxInt64)
		}
		return err
	})
	if err != nil {
		l.d.fail(err)
	}
	for i := range voids {
		l.done1(voids[i].p, voids[i].answer)
	}
	l.answer()
}
