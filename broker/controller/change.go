package controller

import (
	"slices"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
	"github.com/moldau/moldau/internal/guard"
)

// policy is what decides over a topic's partitions.
type policy struct {
	minInsync  int
	unclean    bool
	durability kafka.Durability
}

// change is one partition on its way to its next state. The steps that take
// members out and put marks on come first, settle last.
type change struct {
	topic  kafka.UUID
	p      *metaimage.Partition
	policy policy
	// live says who may lead and join an ISR once the change is made.
	live func(broker int32) bool
	out  guard.Set
	// dirsOf says which directories a broker has then.
	dirsOf func(broker int32) (online []kafka.UUID, known bool)
	// endOf is what a broker's registration says of its replica outside ISR.
	endOf func(broker int32) (metarecord.PartitionEnd, bool)

	replicas, adding, removing []int32

	isr, elr, lastKnown []int32
	doubtful            []metarecord.DoubtfulReplica
	leader              int32
	recovery            int8
	dirs                []kafka.UUID
	elected             bool // a leader epoch begins

	left   []int32 // members that left ISR by fencing, shutdown or lag
	struck bool    // the leader so far is damaged: it is not kept as the last known one

	byOperator bool // who asked for the election accepts that a log begins anew
}

func (x *turn) newChange(topic *metaimage.Topic, p *metaimage.Partition) *change {
	return &change{
		topic: topic.ID, p: p, policy: x.policyOf(topic, p),
		live: x.live, out: x.m.cfg.Out, dirsOf: x.dirsOf,
		endOf:    func(b int32) (metarecord.PartitionEnd, bool) { return x.endOf(b, topic.ID, p.ID) },
		replicas: p.Replicas, adding: p.Adding, removing: p.Removing,
		isr: p.ISR, elr: p.ELR, lastKnown: p.LastKnownELR, doubtful: p.Doubtful,
		leader: p.Leader, recovery: p.Recovery, dirs: p.Directories,
	}
}

func without(list []int32, broker int32) []int32 {
	if !slices.Contains(list, broker) {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), func(b int32) bool { return b == broker })
}

func with(list []int32, broker int32) []int32 {
	if slices.Contains(list, broker) {
		return list
	}
	return append(slices.Clone(list), broker)
}

// leave takes a member out of ISR for being fenced, stopped or late; settle
// decides whether it becomes an eligible leader (C3).
func (c *change) leave(broker int32) {
	if slices.Contains(c.isr, broker) {
		c.isr = without(c.isr, broker)
		c.left = append(c.left, broker)
	}
}

// strike takes a damaged replica out of ISR and ELR. The last member stays on
// record as the last known leader (C1).
func (c *change) strike(broker int32) {
	if c.out.Out(guard.S5Damaged) {
		c.leave(broker)
		return
	}
	was := slices.Contains(c.isr, broker) || slices.Contains(c.elr, broker)
	c.isr, c.elr = without(c.isr, broker), without(c.elr, broker)
	c.left = without(c.left, broker)
	c.struck = c.struck || broker == c.leader
	if was && len(c.isr)+len(c.elr)+len(c.left) == 0 {
		c.lastKnown = []int32{broker}
	}
}

// mark notes that a replica is doubtful, with what it kept.
func (c *change) mark(broker int32, lastEpoch int32, end int64) {
	m := metarecord.DoubtfulReplica{BrokerID: broker, LastEpoch: lastEpoch, End: end}
	if slices.ContainsFunc(c.doubtful, func(d metarecord.DoubtfulReplica) bool {
		return d.BrokerID == broker && d.LastEpoch == lastEpoch && d.End == end
	}) {
		return
	}
	c.unmark(broker)
	c.doubtful = append(slices.Clone(c.doubtful), m)
}

func (c *change) unmark(broker int32) {
	if _, ok := c.doubtOf(broker); ok {
		c.doubtful = slices.DeleteFunc(slices.Clone(c.doubtful), func(d metarecord.DoubtfulReplica) bool { return d.BrokerID == broker })
	}
}

func (c *change) doubtOf(broker int32) (metarecord.DoubtfulReplica, bool) {
	for _, d := range c.doubtful {
		if d.BrokerID == broker {
			return d, true
		}
	}
	return metarecord.DoubtfulReplica{}, false
}

// updateELR follows C3: who left while ISR fell below min.insync.replicas
// still holds all that is committed; ISR at that number empties the list.
func (c *change) updateELR() {
	if len(c.isr) >= c.policy.minInsync {
		c.left = nil
		if !c.out.Out(guard.C3Empty) {
			c.elr = nil
		}
	}
	for _, b := range c.left {
		if !c.out.Out(guard.C3Enter) {
			c.elr = with(c.elr, b)
		}
	}
	c.left = nil
	for _, b := range c.isr {
		c.elr = without(c.elr, b)
	}
}

// settle computes ELR, elects a leader if there is none that can be, and drops
// marks of replicas that are neither in ISR nor in ELR.
func (c *change) settle() {
	c.updateELR()
	if c.leader == metaimage.NoLeader || !c.live(c.leader) || !slices.Contains(c.isr, c.leader) {
		c.electAny(c.policy.unclean)
	}
	c.dropMarks()
	c.rehome()
}

// dirOf is where metadata has the replica of a broker.
func (c *change) dirOf(broker int32) kafka.UUID {
	if i := slices.Index(c.replicas, broker); i >= 0 && i < len(c.dirs) {
		return c.dirs[i]
	}
	return kafka.DirUnassigned
}

// away reports whether the directory of a replica is not there at the moment:
// what it holds may come back with it.
func (c *change) away(broker int32) bool {
	dir := c.dirOf(broker)
	online, known := c.dirsOf(broker)
	return known && !slices.Contains(online, dir) && (dir == kafka.DirLost || !reservedDir(dir))
}

// rehome lets replicas whose directory is away begin anew in another one, where
// a leader has what they held. Without a leader their place is remembered: with
// the directory the log comes back.
func (c *change) rehome() {
	if c.leader == metaimage.NoLeader {
		return
	}
	for _, b := range c.replicas {
		if c.away(b) && c.dirOf(b) != kafka.DirLost {
			c.move(b)
		}
	}
}

// move gives the replica of a broker another directory.
func (c *change) move(broker int32) {
	if i := slices.Index(c.replicas, broker); i >= 0 && i < len(c.dirs) {
		online, _ := c.dirsOf(broker)
		c.dirs = slices.Clone(c.dirs)
		c.dirs[i] = defaultDir(online)
	}
}

func (c *change) dropMarks() {
	stale := func(d metarecord.DoubtfulReplica) bool {
		return !slices.Contains(c.isr, d.BrokerID) && !slices.Contains(c.elr, d.BrokerID)
	}
	if slices.ContainsFunc(c.doubtful, stale) {
		c.doubtful = slices.DeleteFunc(slices.Clone(c.doubtful), stale)
	}
}

// record is the change as a record, nil if there is none. force makes one of
// an unchanged partition too.
func (c *change) record(force bool) *metarecord.PartitionChange {
	r := metarecord.NewPartitionChange()
	r.PartitionID, r.TopicID = c.p.ID, c.topic
	changed := force
	lists := []struct {
		from, to []int32
		dst      *[]int32
	}{
		{c.p.Replicas, c.replicas, &r.Replicas},
		{c.p.Adding, c.adding, &r.AddingReplicas},
		{c.p.Removing, c.removing, &r.RemovingReplicas},
		{c.p.ISR, c.isr, &r.ISR},
		{c.p.ELR, c.elr, &r.EligibleLeaderReplicas},
		{c.p.LastKnownELR, c.lastKnown, &r.LastKnownELR},
	}
	for _, l := range lists {
		if !slices.Equal(l.from, l.to) {
			*l.dst, changed = notNil(l.to), true
		}
	}
	if !slices.Equal(c.p.Directories, c.dirs) {
		r.Directories, changed = notNil(c.dirs), true
	}
	if !slices.EqualFunc(c.p.Doubtful, c.doubtful, sameDoubt) {
		r.Doubtful, changed = notNil(c.doubtful), true
	}
	if c.leader != c.p.Leader || c.elected {
		r.Leader, changed = c.leader, true
	}
	if c.recovery != c.p.Recovery {
		r.LeaderRecoveryState, changed = c.recovery, true
	}
	if !changed {
		return nil
	}
	if force && r.ISR == nil {
		r.ISR = notNil(c.isr)
	}
	return r
}

func sameDoubt(a, b metarecord.DoubtfulReplica) bool {
	return a.BrokerID == b.BrokerID && a.LastEpoch == b.LastEpoch && a.End == b.End
}

func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
