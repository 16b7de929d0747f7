package replica

import (
	"time"
)

// restAfter is how long a log takes no append before the places of its recent
// batches are forgotten and its queues' memory is given back.
const restAfter = time.Minute

// Tick does what is due by the clock: retention, expiry of producers, the end
// of a refusal for want of space. It is cheap when nothing is due.
func (r *Replica) Tick(now Times, ready *Ready) {
	if r.offline {
		return
	}
	if !r.ticking {
		r.schedule(now)
	}
	if r.full && now.Mono >= r.resumeAt {
		r.resume(ready)
	}
	if now.Mono >= r.nextRetention || r.retentionSoon {
		r.nextRetention = now.Mono.Add(r.cfg.RetentionCheck)
		r.retain(now, ready)
	}
	if now.Mono >= r.nextProducers {
		r.nextProducers = now.Mono.Add(ProducerCheck)
		r.log.Producers().Expire(now.Wall, r.cfg.Log.ProducerExpirationMs)
	}
	if now.Mono >= r.nextRest {
		r.nextRest = now.Mono.Add(restAfter)
		if r.restNext == r.log.Next() {
			r.rest()
		}
		r.restNext = r.log.Next()
	}
	r.propose(now, ready)
}

// rest gives memory back that only a busy log needs.
func (r *Replica) rest() {
	r.log.Forget()
	for i := range r.waits {
		if q := &r.waits[i].ring; q.Len() == 0 {
			q.Reset()
		}
	}
}

// schedule begins the intervals at now.
func (r *Replica) schedule(now Times) {
	r.ticking = true
	r.nextRetention = now.Mono.Add(r.cfg.RetentionCheck)
	r.nextProducers = now.Mono.Add(ProducerCheck)
	r.nextRest = now.Mono.Add(restAfter)
}

// retain deletes what has expired. The leader alone decides; a follower
// deletes what lies below the log start that it was told (rule L7).
func (r *Replica) retain(now Times, ready *Ready) {
	if r.full || r.cutting {
		return
	}
	if !r.leading {
		if bases := r.log.BelowStart(); len(bases) > 0 {
			r.deleteSegments(bases, ready)
		}
		return
	}
	x := r.log.Expired(now.Wall, r.hw)
	r.retentionSoon = r.retentionSoon && len(x.Bases) == 0 && r.log.Outstanding() > 0
	if len(x.Bases) > 0 {
		r.raiseLogStart(x.LogStart, len(x.Bases), ready)
		r.deleteSegments(x.Bases, ready)
	}
	if x.Roll {
		op := r.log.Roll(now.Wall)
		ready.Ops = append(ready.Ops, op)
		r.rolled(op.Append.Roll, op.Append.Segment, ready)
		r.retentionSoon = true
	}
}

func (r *Replica) deleteSegments(bases []int64, ready *Ready) {
	ready.Ops = append(ready.Ops, r.log.Delete(bases))
	if r.log.Outstanding() > 0 {
		r.deleted = append(r.deleted, deletion{bases: bases, before: r.log.Next()})
	}
}
