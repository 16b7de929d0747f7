package replica

import (
	"slices"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
)

// image is the partition's metadata and what concerns it of the brokers'.
type image struct {
	leader         int32
	leaderEpoch    int32
	partitionEpoch int32
	isr, elr       []int32
	epochs         [3]int64 // of the brokers' registrations
	live           [3]bool  // registered and not fenced
	marks          map[int32]mark
	minISR         int
	recovering     bool
}

// mark is a doubt mark: where the log ended at the registration.
type mark struct {
	lastEpoch int32
	end       int64
}

// plainController is the controller by the contract's section 7, in the fewest
// words. Each change makes an image; brokers learn them in order, late.
type plainController struct {
	images  []image
	next    int64 // the newest broker epoch
	unclean bool  // a replica outside of ISR and ELR may be elected
}

func (c *plainController) now() *image { return &c.images[len(c.images)-1] }

// change begins a new image.
func (c *plainController) change() *image {
	x := *c.now()
	x.isr, x.elr = slices.Clone(x.isr), slices.Clone(x.elr)
	marks := map[int32]mark{}
	for b, m := range x.marks {
		marks[b] = m
	}
	x.marks = marks
	c.images = append(c.images, x)
	return c.now()
}

func without(list []int32, b int32) []int32 {
	return slices.DeleteFunc(slices.Clone(list), func(x int32) bool { return x == b })
}

// leave takes b out of ISR (C3).
func (x *image) leave(b int32, eligible bool) {
	if !slices.Contains(x.isr, b) {
		return
	}
	x.isr = without(x.isr, b)
	if eligible && len(x.isr) < x.minISR {
		x.elr = append(x.elr, b)
	}
}

func (x *image) settle() {
	if len(x.isr) >= x.minISR {
		x.elr = nil
	}
	for b := range x.marks {
		if !slices.Contains(x.isr, b) && !slices.Contains(x.elr, b) {
			delete(x.marks, b)
		}
	}
}

// register takes a new incarnation in, and returns its epoch.
func (c *plainController) register(b int32, standing seglog.Standing, m mark) int64 {
	x := c.change()
	c.next++
	x.epochs[b], x.live[b] = c.next, true
	switch standing {
	case seglog.Damaged:
		x.leave(b, false)
		x.elr = without(x.elr, b)
	case seglog.Doubtful:
		x.marks[b] = m
	default:
		if _, marked := x.marks[b]; marked {
			x.marks[b] = m // it outlives restarts
		}
	}
	if x.leader == b {
		x.leader = -1
	}
	x.partitionEpoch++
	x.settle()
	c.elect(x)
	return c.next
}

// fence ends a broker's session.
func (c *plainController) fence(b int32) {
	x := c.change()
	x.live[b] = false
	x.leave(b, true)
	if x.leader == b {
		x.leader = -1
	}
	x.partitionEpoch++
	x.settle()
	c.elect(x)
}

func (c *plainController) unfence(b int32) {
	x := c.change()
	x.live[b] = true
	c.elect(x)
}

// mayLead is section 5's rule for marked members.
func (x *image) mayLead(b int32) bool {
	m, marked := x.marks[b]
	if !marked {
		return true
	}
	for _, o := range slices.Concat(x.isr, x.elr) {
		if o == b {
			continue
		}
		n, ok := x.marks[o]
		if !ok || n.lastEpoch > m.lastEpoch || n.lastEpoch == m.lastEpoch && n.end > m.end {
			return false
		}
	}
	return true
}

func (c *plainController) elect(x *image) {
	if x.leader >= 0 {
		return
	}
	for _, b := range slices.Concat(x.isr, x.elr) {
		if x.live[b] && x.mayLead(b) {
			if _, marked := x.marks[b]; marked && slices.ContainsFunc(slices.Concat(x.isr, x.elr), func(o int32) bool {
				_, m := x.marks[o]
				return !m && x.live[o]
			}) {
				continue
			}
			c.lead(x, b)
			return
		}
	}
	if !c.unclean {
		return
	}
	for b := range int32(3) {
		if x.live[b] {
			x.isr, x.elr, x.recovering = nil, nil, true
			c.lead(x, b)
			return
		}
	}
}

func (c *plainController) lead(x *image, b int32) {
	x.leader = b
	x.leaderEpoch++
	x.partitionEpoch++
	if !slices.Contains(x.isr, b) {
		x.isr = append(x.isr, b)
	}
	x.elr = without(x.elr, b)
	delete(x.marks, b)
	x.settle()
}

// alter is AlterPartition (C2).
func (c *plainController) alter(from int32, p *Proposal) ProposalResult {
	x := c.now()
	d := ProposalResult{Attempt: p.Attempt}
	switch {
	case p.LeaderEpoch != x.leaderEpoch || x.leader != from:
		d.Code = kafka.ErrFencedLeaderEpoch
	case p.PartitionEpoch != x.partitionEpoch:
		d.Code = kafka.ErrInvalidUpdateVersion
	case !p.Recovered && (len(p.ISR) > 1 || !x.recovering):
		d.Code = kafka.ErrInvalidRequest
	}
	for _, m := range p.ISR {
		if d.Code == kafka.ErrNone && (!x.live[m.Broker] || x.epochs[m.Broker] != m.Epoch) {
			d.Code = kafka.ErrIneligibleReplica
		}
	}
	if d.Code != kafka.ErrNone {
		return d
	}
	x = c.change()
	removed := x.isr
	x.isr = nil
	for _, m := range p.ISR {
		x.isr, x.elr, removed = append(x.isr, m.Broker), without(x.elr, m.Broker), without(removed, m.Broker)
	}
	x.elr = append(x.elr, removed...) // settle takes them out where ISR is large enough
	for _, b := range p.Whole {
		delete(x.marks, b)
	}
	x.recovering = x.recovering && !p.Recovered
	x.partitionEpoch++
	d.PartitionEpoch = x.partitionEpoch
	x.settle()
	return d
}

// role is what broker b is told by this image.
func (x *image) role(b int32, epoch int64) Role {
	r := Role{
		Leader: x.leader, LeaderEpoch: x.leaderEpoch, PartitionEpoch: x.partitionEpoch, ISR: x.isr, ELR: x.elr,
		Replicas: []int32{0, 1, 2}, BrokerEpochs: x.epochs[:], Addable: x.live[:], MinISR: x.minISR, BrokerEpoch: epoch, Recovering: x.recovering,
	}
	for o := range x.marks {
		r.Doubted = append(r.Doubted, o)
	}
	slices.Sort(r.Doubted)
	return r
}
