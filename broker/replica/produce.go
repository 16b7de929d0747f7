package replica

import (
	"fmt"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
)

// Produce appends a batch, or refuses it with an Ack. Rules of the answer: acks=1
// waits until the batch is durable here (rule P5; under `os`, written), acks=all
// until the high watermark passes it, acks=0 gets none. A duplicate is not
// appended; it is answered, when the batch that it repeats would be, with that
// one's offsets.
func (r *Replica) Produce(now Times, p Produce, ready *Ready) {
	if code, message := r.mayAppend(&p); code != kafka.ErrNone {
		p.Data.Release()
		r.refuse(p.Token, code, message, ready)
		return
	}
	if p.Batch.ProducerID >= 0 {
		switch c := r.log.Producers().Check(&p.Batch, !p.Coordinator); c.Verdict {
		case seglog.Accept:
		case seglog.Duplicate:
			p.Data.Release()
			r.await(&p, wait{base: c.BaseOffset, end: c.LastOffset + 1, token: p.Token, appendTime: c.Timestamp}, ready)
			return
		default:
			p.Data.Release()
			code, message := r.sequenceError(&p.Batch, c)
			r.refuse(p.Token, code, message, ready)
			return
		}
	}
	w := wait{base: r.log.Next(), token: p.Token, appendTime: -1}
	if p.Batch.AppendTime {
		w.appendTime = p.Batch.MaxTimestamp
	}
	ready.Ops = append(ready.Ops, r.log.Append(now.Wall, p.Batch, r.role.LeaderEpoch, p.Data))
	w.end = r.log.Next()
	if roll := ready.Ops[len(ready.Ops)-1].Append.Roll; roll != nil {
		r.rolled(roll, w.base, ready)
	}
	r.await(&p, w, ready)
}

// mayAppend says why a batch cannot be appended now whatever it is.
func (r *Replica) mayAppend(p *Produce) (kafka.ErrorCode, string) {
	switch {
	case r.offline:
		return kafka.ErrKafkaStorageError, "the replica is offline"
	case !r.leading:
		return kafka.ErrNotLeaderOrFollower, fmt.Sprintf("broker %d does not lead the partition", r.cfg.NodeID)
	case p.LeaderEpoch != NoEpoch && p.LeaderEpoch != r.role.LeaderEpoch:
		return kafka.ErrNotLeaderOrFollower, fmt.Sprintf("leader epoch is %d, the writer has %d", r.role.LeaderEpoch, p.LeaderEpoch)
	case p.Acks == AcksAll && len(r.role.ISR) < r.role.MinISR:
		return kafka.ErrNotEnoughReplicas, fmt.Sprintf("%d in-sync replicas, min.insync.replicas is %d", len(r.role.ISR), r.role.MinISR)
	case r.full:
		return kafka.ErrKafkaStorageError, "the log directory is full"
	case r.log.Outstanding() >= seglog.OutstandingMax || r.waiting() >= AcksWaitingMax:
		return kafka.ErrRequestTimedOut, "too many appends are under way"
	}
	return kafka.ErrNone, ""
}

// await queues w for its ack, or gives it if it is due.
func (r *Replica) await(p *Produce, w wait, ready *Ready) {
	if p.Acks == AcksNone {
		return
	}
	queue := queueOf(p.Acks)
	if w.end <= r.reached(queue) {
		r.acknowledge(w, ready)
		return
	}
	r.waits[queue].add(w)
}

// rolled tells of a new segment at base.
func (r *Replica) rolled(roll *seglog.Roll, base int64, ready *Ready) {
	ready.Events = append(ready.Events, SegmentRolled{Source: r.source(), Closed: roll.Closed, Base: base})
}

// sequenceError is the answer to a batch that the producer table does not take.
func (r *Replica) sequenceError(b *seglog.Batch, c seglog.Check) (kafka.ErrorCode, string) {
	switch c.Verdict {
	case seglog.OutOfOrder:
		return kafka.ErrOutOfOrderSequenceNumber, fmt.Sprintf("producer %d epoch %d: sequence %d after %d of epoch %d",
			b.ProducerID, b.ProducerEpoch, b.BaseSequence, c.LastSequence, c.Epoch)
	case seglog.InvalidEpoch:
		return kafka.ErrInvalidProducerEpoch, fmt.Sprintf("producer %d: epoch %d is older than %d", b.ProducerID, b.ProducerEpoch, c.Epoch)
	case seglog.CoordinatorFenced:
		return kafka.ErrTransactionCoordinatorFenced, fmt.Sprintf("producer %d: marker of an older coordinator, epoch %d", b.ProducerID, b.CoordinatorEpoch)
	}
	return kafka.ErrInvalidTxnState, fmt.Sprintf("producer %d: a batch outside of its open transaction", b.ProducerID)
}
