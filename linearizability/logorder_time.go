package linearizability

import (
	"github.com/moldau/moldau/linearizability/history"
)

// epochNode is a leader in one of its epochs, as a client knew it.
type epochNode struct {
	node  int32
	epoch int32
}

// highWatermarks: a leader's high watermark goes only forward within an epoch,
// by real time.
func (c *logOrder) highWatermarks() {
	best := map[epochNode]*history.Op{}
	key := func(op *history.Op) (epochNode, bool) {
		return epochNode{op.Node, op.Read.LeaderEpoch}, op.Read.LeaderEpoch >= 0 && op.Read.HighWatermark >= 0
	}
	sweep(c.p.reads, func(op *history.Op) {
		if k, known := key(op); known && (best[k] == nil || best[k].Read.HighWatermark < op.Read.HighWatermark) {
			best[k] = op
		}
	}, func(op *history.Op) {
		if k, known := key(op); known && best[k] != nil && best[k].Read.HighWatermark > op.Read.HighWatermark {
			c.violation("high-watermark-back", []*history.Op{best[k], op}, "%s node %d epoch %d: the high watermark went from %d back to %d",
				c.p, op.Node, op.Read.LeaderEpoch, best[k].Read.HighWatermark, op.Read.HighWatermark)
		}
	})
}

// shown is the end of what an operation showed to be committed, 0 if nothing.
func shown(op *history.Op) int64 {
	switch {
	case !op.OK():
	case op.Produce != nil && op.Produce.Acks == -1:
		if n := len(op.Produce.Records); ackedOffset(op, n-1) >= 0 {
			return ackedOffset(op, n-1) + 1
		}
	case op.Read != nil && op.Kind != history.KindScan:
		return max(op.Read.HighWatermark, lastOffset(op)+1)
	case op.ListOffsets != nil && op.ListOffsets.Target == history.Latest:
		return op.ListOffsets.Offset
	}
	return 0
}

// lastOffset is the greatest offset that a read returned, -1 if none.
func lastOffset(op *history.Op) int64 {
	if n := len(op.Read.Records); n > 0 {
		return op.Read.Records[n-1].Offset
	}
	return -1
}

// showing are the operations that can show what is committed, by invoke.
func (p *partition) showing() []*history.Op {
	ops := make([]*history.Op, 0, len(p.produces)+len(p.reads)+len(p.lists))
	ops = append(append(append(ops, p.produces...), p.reads...), p.lists...)
	sortOps(ops)
	return ops
}

// latest: an answer to "latest" is at or above all that was shown to be
// committed before it was asked for (KIP-207).
func (c *logOrder) latest() {
	if len(c.p.lists) == 0 {
		return
	}
	var best *history.Op
	sweep(c.p.showing(), func(op *history.Op) {
		if best == nil || shown(op) > shown(best) {
			best = op
		}
	}, func(op *history.Op) {
		if op.ListOffsets == nil || op.ListOffsets.Target != history.Latest || op.ListOffsets.Committed || best == nil || op.ListOffsets.Offset >= shown(best) {
			return
		}
		if c.staleLeader(c.p, op.Node, op.Return) {
			return // KIP-207 is about a new leader, not about one that is cut off
		}
		if !c.excused(c.p, c.p.committed(), c.began(best), op.Return) {
			c.violation("latest-back", []*history.Op{best, op}, "%s: the latest offset was %d after %d had been shown", c.p, op.ListOffsets.Offset, shown(best))
		}
	})
}

// began is when what an operation shows may first have been written: what
// struck before could not destroy it.
func (c *logOrder) began(op *history.Op) int64 {
	from := op.Invoke
	if end := shown(op); end > 0 {
		if s, there := c.ghost[end-1]; there {
			if a := c.appends[s.value]; a != nil {
				from = min(from, a.first.Invoke)
			}
		}
	}
	return from
}
