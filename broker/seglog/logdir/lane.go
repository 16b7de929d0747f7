package logdir

import (
	"errors"
	"fmt"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/internal/inbox"
)

// laneMsg is what the append lane receives: the orders of a shard's turn, or a
// call that runs between turns, when every order before it is carried out.
type laneMsg struct {
	orders *[]Order // from Dir.orderLists
	call   func(*lane)
}

// lane is the append lane: one goroutine that writes what the shards order.
type lane struct {
	d       *Dir
	in      *inbox.Inbox[laneMsg]
	done    chan struct{}
	touched []*Partition // with orders left in this turn
	changed []*Partition // since the last marks
	cuts    []cutOrder   // of this turn, to be carried out together
	calls   []func(*lane)
	handed  []*Partition // with something for the committer
	plains  []*Partition // of a wide turn
	writing writing      // a wide turn's writes
	spare   []*item
	bufs    [][]byte
}

// laneInboxMax is the bound of Put; orders come by Offer, since the request
// memory budget has admitted their bytes already.
const laneInboxMax = 1 << 20

func (l *lane) loop() {
	defer close(l.done)
	var msgs []laneMsg
	for open := true; open; {
		<-l.in.Wake()
		// Until it is empty: a closed inbox wakes once.
		for msgs, open = l.in.Take(msgs); len(msgs) > 0; msgs, open = l.in.Take(msgs) {
			l.turn(msgs)
		}
	}
}

// turn carries out everything that waited.
func (l *lane) turn(msgs []laneMsg) {
	l.d.counters.turns.Add(1)
	for i := range msgs {
		if list := msgs[i].orders; list != nil {
			for k := range *list {
				l.queue((*list)[k].P, &(*list)[k].Op)
			}
			clear(*list)
			l.d.orderLists.Put(list)
		}
		if msgs[i].call != nil {
			l.calls = append(l.calls, msgs[i].call)
		}
	}
	l.carryOut()
	for _, call := range l.calls {
		call(l)
	}
	clear(l.calls)
	l.calls = l.calls[:0]
}

func (l *lane) queue(p *Partition, op *seglog.Op) {
	p.lane.queue = append(p.lane.queue, *op)
	if !p.lane.touched {
		p.lane.touched = true
		l.touched = append(l.touched, p)
	}
}

// carryOut works off the queues. Cuts of all partitions are made together,
// after what was queued before them; then the orders behind them follow.
func (l *lane) carryOut() {
	l.wide()
	for len(l.touched) > 0 {
		for _, p := range l.touched {
			l.partition(p)
		}
		l.answer()
		l.d.committer.handOver(l)
		l.d.committer.awaitSpace()
		left := l.touched[:0]
		for _, p := range l.touched {
			if len(p.lane.queue) > 0 {
				left = append(left, p)
			} else {
				p.lane.touched = false
			}
		}
		clear(l.touched[len(left):])
		l.touched = left
		if len(l.cuts) > 0 {
			l.cut()
			l.answer()
		}
	}
}

// partition carries out the orders of p up to the next cut.
func (l *lane) partition(p *Partition) {
	t := &p.lane
	n := 0
	for n < len(t.queue) {
		op := &t.queue[n]
		n++
		if l.d.failed() || p.gone.Load() || t.lost {
			l.lose(p, op)
			continue
		}
		if t.refusing && op.Kind != seglog.OpResume {
			op.Append.Data.Release()
			continue
		}
		switch op.Kind {
		case seglog.OpAppend:
			n += l.appendRun(p, t.queue[n-1:]) - 1
		case seglog.OpTruncate, seglog.OpRestartAt:
			l.cuts = append(l.cuts, cutOrder{p: p, op: *op})
			t.queue = append(t.queue[:0], t.queue[n:]...)
			return
		case seglog.OpDeleteSegments:
			l.deleteSegments(p, op.Bases)
		case seglog.OpLogStart:
			l.logStart(p, op.Offset)
		case seglog.OpSync:
			l.item(p).force(t)
		case seglog.OpResume:
			l.resume(p, op.Offset)
		}
	}
	clear(t.queue)
	t.queue = t.queue[:0]
}

// lose answers an order that comes when the directory or the partition's log is
// lost or the partition deleted: Failed, once.
func (l *lane) lose(p *Partition, op *seglog.Op) {
	err := l.d.Err()
	if err == nil {
		err = fmt.Errorf("%s-%d: %w", p.topic, p.id.Partition, ErrNotFound)
	}
	l.loseTo(p, op, err)
}

// loseTo is lose for a reason.
func (l *lane) loseTo(p *Partition, op *seglog.Op, err error) {
	op.Append.Data.Release()
	if p.lane.lost {
		return
	}
	p.lane.lost = true
	l.done1(p, seglog.Done{Kind: seglog.Failed, UpTo: p.lane.end, Class: seglog.ClassOffline, Err: err})
}

// done1 keeps an answer for the end of the turn.
func (l *lane) done1(p *Partition, d seglog.Done) {
	if b := p.bound.Load(); b != nil {
		if b.box.lane == nil {
			b.box.lane = make([]Completion, 0, max(1, len(l.touched)))
		}
		b.box.lane = append(b.box.lane, Completion{Key: b.key, Done: d})
	}
}

// answer sends what was kept.
func (l *lane) answer() {
	for _, b := range l.d.outboxes() {
		if len(b.lane) > 0 {
			list := b.lane
			b.lane = nil
			b.sink.DiskDone(list)
		}
	}
}

// runBytesMax bounds how much goes out in one write.
const runBytesMax = 4 << 20

// appendRun writes the appends at the front of ops that continue one another
// in one segment, and returns how many that were.
func (l *lane) appendRun(p *Partition, ops []seglog.Op) int {
	n, bytes := 1, len(ops[0].Append.Data.Bytes)
	for n < len(ops) && ops[n].Kind == seglog.OpAppend && ops[n].Append.Roll == nil &&
		ops[n].Append.Segment == ops[0].Append.Segment && bytes < runBytesMax {
		bytes += len(ops[n].Append.Data.Bytes)
		n++
	}
	if err := l.write(p, ops[:n], int64(bytes)); err != nil {
		for i := range ops[:n] {
			ops[i].Append.Data.Release()
		}
		l.failWrite(p, &ops[0].Append, err)
	}
	return n
}

// write puts a run into its segment and accounts for it.
func (l *lane) write(p *Partition, ops []seglog.Op, bytes int64) error {
	first, t := &ops[0].Append, &p.lane
	position := t.active().Size
	segs := p.segments()
	s := segs[len(segs)-1]
	if first.Roll != nil {
		s, position = l.d.newSegment(p, first.Segment), 0
	}
	if s.base != first.Segment || position != first.Position || t.end != first.FirstOffset {
		return fmt.Errorf("order for segment %d, position %d, offset %d: the log is at %d, %d, %d",
			first.Segment, first.Position, first.FirstOffset, s.base, position, t.end)
	}
	f, err := l.d.pinned(s)
	if err == nil && bytes > 0 {
		err = writeBytes(f, ops, position, &l.bufs)
	}
	if err != nil {
		if first.Roll != nil {
			return errors.Join(err, l.undoSegment(s))
		}
		return err
	}
	if first.Roll != nil {
		l.roll(p, s, first.Roll)
	}
	if bytes == 0 { // a bare roll
		l.done1(p, seglog.Done{Kind: seglog.Written, UpTo: t.end})
		return nil
	}
	l.written(p, s, ops, bytes)
	return nil
}

// writeBytes writes the data of ops one after the other. bufs is reused.
func writeBytes(f vfs.File, ops []seglog.Op, position int64, bufs *[][]byte) error {
	if len(ops) == 1 {
		_, err := f.WriteAt(ops[0].Append.Data.Bytes, position)
		return err
	}
	list := (*bufs)[:0]
	for i := range ops {
		list = append(list, ops[i].Append.Data.Bytes)
	}
	_, err := f.WriteVecAt(list, position)
	clear(list)
	*bufs = list
	return err
}

// pinned is the active segment's file, which stays open as long as it is active.
func (d *Dir) pinned(s *segment) (vfs.File, error) {
	if s.pin != nil {
		return s.pin, nil
	}
	f, err := d.handles.acquireNew(s)
	if err == nil {
		s.pin = f
	}
	return f, err
}

// written accounts for a run that is in the file.
func (l *lane) written(p *Partition, s *segment, ops []seglog.Op, bytes int64) {
	flush, err := p.account(s, ops)
	l.accounted(p, s, len(ops), bytes, flush, err)
	if p.options.Load().Durability == kafka.DurabilitySync {
		l.item(p).add(s, ops, p.lane.end, l.d.cfg.InlineBytesMax)
		return
	}
	p.lane.unsynced = addSegment(p.lane.unsynced, s)
	for i := range ops {
		ops[i].Append.Data.Release()
	}
}

// account takes a run that is in the file into the partition's own state;
// flush says that index entries should be written.
func (p *Partition) account(s *segment, ops []seglog.Op) (flush bool, err error) {
	for i := range ops {
		ap := &ops[i].Append
		aborted, takeErr := p.lane.take(ap)
		if takeErr == nil && len(aborted) > 0 {
			takeErr = p.d.appendTxnIndex(s, aborted)
		}
		if takeErr != nil {
			err = firstError(err, fmt.Errorf("%s-%d: %w", p.topic, p.id.Partition, takeErr))
		}
		flush = s.indexes.add(ap.Index, ap.Time) || flush
	}
	s.size.Store(p.lane.active().Size)
	return flush, err
}

// accounted does what follows account and concerns the whole directory.
func (l *lane) accounted(p *Partition, s *segment, appends int, bytes int64, flush bool, err error) {
	if err != nil {
		l.d.fail(err)
	}
	if flush {
		// Without space the entries wait in memory, which the segment's size bounds.
		if err := s.flushIndexes(l.d.cfg.FS, false); err != nil && !errors.Is(err, vfs.ErrNoSpace) {
			l.d.fail(err)
		}
	}
	l.change(p)
	l.d.sinceMarks.Add(bytes)
	l.d.counters.appends.Add(uint64(appends))
	l.d.counters.appendedBytes.Add(uint64(bytes))
	l.done1(p, seglog.Done{Kind: seglog.Written, UpTo: p.lane.end})
}

// change notes that p differs from its last marks.
func (l *lane) change(p *Partition) {
	p.lane.used = true
	if !p.lane.changed {
		p.lane.changed = true
		l.changed = append(l.changed, p)
	}
}

// appendTxnIndex adds aborted transactions to the segment's transaction index.
func (d *Dir) appendTxnIndex(s *segment, txns []seglog.AbortedTxn) error {
	var buf []byte
	for _, t := range txns {
		buf = seglog.AppendTxnEntry(buf, t)
	}
	f, err := openOrCreate(d.cfg.FS, s.name(seglog.TxnIndexSuffix))
	if err != nil {
		return err
	}
	size, err := f.Size()
	if err == nil {
		_, err = f.WriteAt(buf, size)
	}
	return firstError(err, f.Close())
}

// failWrite ends what failed: ENOSPC cuts the file back to its last whole
// batch and refuses until OpResume; anything else costs the directory.
func (l *lane) failWrite(p *Partition, ap *seglog.Append, err error) {
	l.done1(p, l.failed(p, ap, err))
}

// failed is failWrite without its answer, which it returns.
func (l *lane) failed(p *Partition, ap *seglog.Append, err error) seglog.Done {
	err = fmt.Errorf("append %s-%d at offset %d: %w", p.topic, p.id.Partition, ap.FirstOffset, err)
	if !errors.Is(err, vfs.ErrNoSpace) {
		l.d.fail(err)
		p.lane.lost = true
		return seglog.Done{Kind: seglog.Failed, UpTo: ap.FirstOffset, Class: seglog.ClassOffline, Err: err}
	}
	if cutErr := l.cutBack(p); cutErr != nil {
		l.d.fail(errors.Join(err, cutErr))
	}
	p.lane.refusing = true
	l.d.cfg.Events.Emit(NoSpace{Dir: l.d.cfg.Path, Topic: p.topic, Partition: p.id.Partition, Offset: p.lane.end})
	return seglog.Done{Kind: seglog.Failed, UpTo: p.lane.end, Class: seglog.ClassNoSpace, Err: err}
}

// cutBack takes what a failed write left behind off the active segment.
func (l *lane) cutBack(p *Partition) error {
	segs := p.segments()
	s := segs[len(segs)-1]
	if s.pin == nil {
		return nil // the file was never opened, nothing was written
	}
	return s.pin.Truncate(p.lane.active().Size)
}

// resume ends the refusal; the machine goes on at offset.
func (l *lane) resume(p *Partition, offset int64) {
	if offset != p.lane.end {
		l.d.fail(fmt.Errorf("resume of %s-%d at offset %d: the log ends at %d", p.topic, p.id.Partition, offset, p.lane.end))
		return
	}
	p.lane.refusing = false
}
