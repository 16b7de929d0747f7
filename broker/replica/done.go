package replica

import (
	"fmt"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/internal/invariant"
)

// Done takes the disk worker's answer.
func (r *Replica) Done(now Times, d seglog.Done, ready *Ready) {
	if r.offline {
		return
	}
	switch d.Kind {
	case seglog.Written:
		r.written(d.UpTo, ready)
		r.log.Written(d.UpTo)
	case seglog.Durable:
		r.written(d.UpTo, ready)
		r.log.Durable(d.UpTo)
		r.durable = max(r.durable, d.UpTo)
	case seglog.LogStarted:
		r.startDurable = max(r.startDurable, d.UpTo)
	case seglog.Failed:
		r.failed(now, d, ready)
		return
	default:
		invariant.Unreachable("%s: an answer of kind %d, which no order asked for", r.cfg.ID, d.Kind)
	}
	r.advance(ready)
}

// written moves LEO.
func (r *Replica) written(upTo int64, ready *Ready) {
	if upTo > r.log.Next() {
		invariant.Unreachable("%s: written up to %d of %d", r.cfg.ID, upTo, r.log.Next())
	}
	if upTo > r.leo {
		r.leo = upTo
		// Consumers wait for the high watermark, only followers for the LEO.
		ready.Advanced = ready.Advanced || len(r.role.Replicas) > 1
	}
	for len(r.deleted) > 0 && r.deleted[0].before <= upTo {
		r.deleted = r.deleted[1:]
	}
}

// failed undoes the append that failed and all after it.
func (r *Replica) failed(now Times, d seglog.Done, ready *Ready) {
	reason := fmt.Sprintf("write at offset %d failed", d.UpTo)
	if d.Err != nil {
		reason += ": " + d.Err.Error()
	}
	if d.Class != seglog.ClassNoSpace {
		r.stop(reason, ready)
		return
	}
	invariant.Check(d.UpTo >= r.leo && !r.full, "%s: failed at %d below LEO %d, full %t", r.cfg.ID, d.UpTo, r.leo, r.full)
	r.log.Void(d.UpTo)
	r.full, r.resumeAt = true, now.Mono.Add(FullRetry)
	r.failWaits(d.UpTo, kafka.ErrKafkaStorageError, reason, ready)
	if r.leading {
		r.log.AssignEpoch(r.role.LeaderEpoch)
		r.epochStart = min(r.epochStart, d.UpTo)
	}
	ready.Events = append(ready.Events, AppendsRefused{Source: r.source(), Offset: d.UpTo, Reason: reason})
	r.advance(ready)
}

// resume ends the refusal that followed a full disk: appends go on at Next.
// Orders that were dropped with the failed append are given again.
func (r *Replica) resume(ready *Ready) {
	r.full = false
	r.retentionSoon = true // it may give space back
	ready.Ops = append(ready.Ops, seglog.Op{Kind: seglog.OpResume, Offset: r.log.Next()})
	if start := r.log.LogStart(); start > r.startDurable {
		ready.Ops = append(ready.Ops, seglog.Op{Kind: seglog.OpLogStart, Offset: start})
	}
	for _, x := range r.deleted {
		ready.Ops = append(ready.Ops, seglog.Op{Kind: seglog.OpDeleteSegments, Bases: x.bases})
	}
	ready.Events = append(ready.Events, AppendsResumed{Source: r.source(), Offset: r.log.Next()})
}
