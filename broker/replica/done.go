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
		r.written(now, d.UpTo, ready)
		r.log.Written(d.UpTo)
		ready.Follow = ready.Follow || r.following() && r.log.Outstanding() == 0
	case seglog.Durable:
		r.synced(now, d.UpTo, ready)
	case seglog.LogStarted:
		r.logStarted(d.UpTo, ready)
	case seglog.Truncated:
		r.truncated(now, d, ready)
	case seglog.Failed:
		r.failed(now, d, ready)
		return
	default:
		invariant.Unreachable("%s: an answer of kind %d, which no order asked for", r.cfg.ID, d.Kind)
	}
	r.advance(ready)
}

// written moves LEO.
func (r *Replica) written(now Times, upTo int64, ready *Ready) {
	if r.cutting {
		return // told by a sync that began before the truncation (rule F3)
	}
	if upTo > r.log.Next() {
		invariant.Unreachable("%s: written up to %d of %d", r.cfg.ID, upTo, r.log.Next())
	}
	if upTo > r.leo {
		r.outrun(now)
		r.leo = upTo
		// Consumers wait for the high watermark, only followers for the LEO.
		ready.Advanced = ready.Advanced || r.leading && len(r.role.Replicas) > 1
	}
	for len(r.deleted) > 0 && r.deleted[0].before <= upTo {
		r.deleted = r.deleted[1:]
	}
}

// synced moves D. A sync that began before a truncation proves nothing above
// the cut (rule F3).
func (r *Replica) synced(now Times, upTo int64, ready *Ready) {
	r.written(now, upTo, ready)
	if r.cutting {
		upTo = min(upTo, r.leo)
	} else {
		r.log.Durable(upTo)
		ready.Follow = ready.Follow || r.following() && r.log.Outstanding() == 0
	}
	if upTo > r.durable {
		r.durable = upTo
		ready.Reports = ready.Reports || r.following()
	}
}

// logStarted: the log start is on disk.
func (r *Replica) logStarted(offset int64, ready *Ready) {
	if offset > r.startDurable && offset <= r.log.LogStart() {
		r.startDurable = offset
		ready.Reports = ready.Reports || r.following()
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
	r.full, r.resumeAt, ready.Follow = true, now.Mono.Add(FullRetry), true
	r.failWaits(d.UpTo, kafka.ErrKafkaStorageError, reason, ready)
	if r.leading {
		r.log.AssignEpoch(r.role.LeaderEpoch)
		r.epochStart = min(r.epochStart, d.UpTo)
	} else {
		r.log.DropEmptyEpochs()
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
	ready.Follow = ready.Follow || r.following()
}
