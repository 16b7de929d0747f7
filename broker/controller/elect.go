package controller

import (
	"cmp"
	"slices"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
	"github.com/moldau/moldau/internal/guard"
)

// electAny elects by C1: from ISR, then from ELR, both in the order of the
// replicas; then, of a topic without clean candidates, the last known leader
// under durability os; then, if unclean is allowed, any live replica. Without
// a candidate the partition has no leader.
//
// Nobody is elected whose directory is away, as that would be the end of what
// it holds, unless the operator says so and there is nobody else.
func (c *change) electAny(unclean bool) {
	if b, ok := c.candidate(c.isr); ok {
		c.lead(b)
		return
	}
	if b, ok := c.candidate(c.elr); ok && !c.out.Out(guard.C1ELR) {
		c.lead(b)
		return
	}
	if b, ok := c.candidate(c.replicas); ok && c.out.Out(guard.C1Clean) {
		c.lead(b)
		return
	}
	clean := len(c.isr)+len(c.elr) > 0
	if !clean && c.policy.durability == kafka.DurabilityOS && !c.out.Out(guard.C1LastKnown) && len(c.lastKnown) > 0 && c.live(c.lastKnown[0]) && !c.away(c.lastKnown[0]) {
		c.leadUnclean(c.lastKnown[0])
		return
	}
	if unclean {
		there := func(b int32) bool { return c.live(b) && !c.away(b) }
		b, ok := c.uncleanCandidate(there)
		if !ok && c.byOperator {
			b, ok = c.uncleanCandidate(c.live)
		}
		if ok {
			c.leadUnclean(b)
			return
		}
	}
	if c.leader != metaimage.NoLeader {
		if clean && !c.struck {
			c.lastKnown = []int32{c.leader}
		}
		c.leader, c.elected = metaimage.NoLeader, true
	}
}

// candidate is the first replica that is in members and may be elected.
func (c *change) candidate(members []int32) (int32, bool) {
	for _, b := range c.replicas {
		if slices.Contains(members, b) && c.electable(b) {
			return b, true
		}
	}
	return 0, false
}

// electable is the rule for marked members (section 5 of the contract): an
// intact one may be elected; a doubtful one only if all other members of ISR
// and ELR, down ones included, are marked too and none kept more.
func (c *change) electable(b int32) bool {
	if !c.live(b) {
		return false
	}
	own, marked := c.doubtOf(b)
	if !marked || c.out.Out(guard.S5Marked) {
		return true
	}
	for _, members := range [][]int32{c.isr, c.elr} {
		for _, other := range members {
			if other == b {
				continue
			}
			theirs, marked := c.doubtOf(other)
			if !marked || compareEnds(theirs, own) > 0 {
				return false
			}
		}
	}
	return true
}

func compareEnds(a, b metarecord.DoubtfulReplica) int {
	return cmp.Or(cmp.Compare(a.LastEpoch, b.LastEpoch), cmp.Compare(a.End, b.End))
}

// lead makes b the leader by a clean election. It joins ISR, and its own mark
// comes off.
func (c *change) lead(b int32) {
	c.isr, c.elr = with(c.isr, b), without(c.elr, b)
	c.unmark(b)
	c.leader, c.elected, c.lastKnown = b, true, nil
	c.updateELR()
}

// leadUnclean makes b the leader of a log that may lack committed records:
// what the others hold counts no more.
func (c *change) leadUnclean(b int32) {
	if c.away(b) {
		c.move(b) // it begins anew, with nothing
	}
	c.isr, c.elr, c.lastKnown, c.doubtful = []int32{b}, nil, nil, nil
	c.leader, c.elected, c.recovery = b, true, metaimage.Recovering
}

// uncleanCandidate is the last known leader if it may lead, else the replica
// with the greatest last epoch and end of those that may.
func (c *change) uncleanCandidate(may func(broker int32) bool) (best int32, found bool) {
	for _, b := range c.lastKnown {
		if may(b) {
			return b, true
		}
	}
	var bestEnd metarecord.DoubtfulReplica
	for _, b := range c.replicas {
		if !may(b) {
			continue
		}
		end := metarecord.DoubtfulReplica{LastEpoch: -1, End: -1}
		if e, ok := c.endOf(b); ok {
			end.LastEpoch, end.End = e.LastEpoch, e.End
		} else if d, ok := c.doubtOf(b); ok {
			end = d
		}
		if !found || compareEnds(end, bestEnd) > 0 {
			best, bestEnd, found = b, end, true
		}
	}
	return best, found
}

// electPreferred moves the leadership to the first replica, if it may lead.
func (c *change) electPreferred() bool {
	b := c.replicas[0]
	if c.leader == b || !slices.Contains(c.isr, b) || !c.electable(b) {
		return false
	}
	c.lead(b)
	return true
}
