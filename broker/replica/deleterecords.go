package replica

import (
	"fmt"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/internal/guard"
)

// deleteWait is a DeleteRecords that waits until the log start is durable.
type deleteWait struct {
	offset int64
	token  uint64
}

// deletion is an order to delete segments, which the worker drops when an append
// before it fails. Once all below before is Written, none can.
type deletion struct {
	bases  []int64
	before int64
}

// DeleteRecords raises the log start to offset, -1 for the high watermark. The
// Ack comes when the log start is durable on the whole ISR and the ISR is as
// large as it must be (rule L7); its LogStart is the low watermark.
func (r *Replica) DeleteRecords(offset int64, token uint64, ready *Ready) {
	if code := r.standsFor(NoEpoch, true); code != kafka.ErrNone {
		r.refuse(token, code, fmt.Sprintf("broker %d does not serve the partition as its leader", r.cfg.NodeID), ready)
		return
	}
	if offset == -1 {
		offset = r.hw
	}
	switch {
	case r.cfg.Log.Compact && !r.cfg.Log.Delete:
		r.refuse(token, kafka.ErrPolicyViolation, "records of a topic that is only compacted cannot be deleted", ready)
	case offset < 0 || offset > r.hw:
		r.refuse(token, kafka.ErrOffsetOutOfRange, fmt.Sprintf("offset %d, the high watermark is %d", offset, r.hw), ready)
	case r.deletes.Len() >= DeletesWaitingMax:
		r.refuse(token, kafka.ErrRequestTimedOut, "too many deletions are under way", ready)
	default:
		r.raiseLogStart(offset, 0, ready)
		*r.deletes.Push() = deleteWait{offset: offset, token: token}
		r.releaseDeletes(ready)
	}
}

// raiseLogStart moves the log start, durably in time; segments are deleted with it.
func (r *Replica) raiseLogStart(offset int64, segments int, ready *Ready) {
	from := r.log.LogStart()
	if !r.log.SetLogStart(offset) {
		return
	}
	ready.Ops = append(ready.Ops, seglog.Op{Kind: seglog.OpLogStart, Offset: offset})
	ready.Events = append(ready.Events, LogStartMoved{Source: r.source(), From: from, To: offset, Segments: segments})
	ready.Advanced = true
}

// releaseDeletes answers the deletions that are done.
func (r *Replica) releaseDeletes(ready *Ready) {
	if r.deletes.Len() == 0 || !r.leading || len(r.role.ISR) < r.role.MinISR && !r.cfg.Out.Out(guard.L7MinISR) {
		return
	}
	start := r.startsDurable()
	for n := r.deletes.Len(); n > 0; n-- {
		w := *r.deletes.Front()
		r.deletes.PopFront()
		if w.offset > start {
			*r.deletes.Push() = w
			continue
		}
		ready.Acks = append(ready.Acks, Ack{
			Token: w.token, BaseOffset: -1, LastOffset: -1, LogAppendTime: -1, LogStart: start,
		})
	}
}

// startsDurable is the least durable log start over the maximal ISR, -1 while
// one is not known.
func (r *Replica) startsDurable() int64 {
	start := r.startDurable
	if !r.knowsISR() {
		return -1
	}
	if !r.cfg.Out.Out(guard.L7Whole) {
		for i := range r.followers {
			if f := &r.followers[i]; r.counted(f.broker) {
				start = min(start, f.logStart)
			}
		}
	}
	return start
}
