package replica

import (
	"slices"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/internal/guard"
)

// isrChange is what is under way to change ISR. A new partition epoch ends all
// of it: the controller takes no proposal of an older one (rule C2).
type isrChange struct {
	attempt  uint64 // of the newest proposal; the only field that outlives the epoch
	inFlight bool   // it is not answered
	// unsure: an earlier proposal of this partition epoch went unanswered. It
	// may have been taken, or may yet be.
	unsure bool
	renew  bool  // the committed ISR is to be proposed anew, which voids the others
	begins int32 // the partition epoch that an accepted proposal began; 0 for none
	// adding and removing are the members by which some proposal that may be in
	// force differs from the committed ISR. They are never changed in place.
	adding, removing []int32
	retryAt          clock.Mono
}

// propose asks for another ISR where one is due, one proposal at a time (rule
// L5): replicas that have proved enough join, those that lag leave, doubt marks
// go. What was accepted is waited for in the image.
func (r *Replica) propose(now Times, ready *Ready) {
	s := &r.isr
	if !r.leading || len(r.role.BrokerEpochs) == 0 || s.inFlight || s.begins > r.role.PartitionEpoch || now.Mono < s.retryAt {
		return
	}
	p := Proposal{ID: r.cfg.ID, LeaderEpoch: r.role.LeaderEpoch, PartitionEpoch: r.role.PartitionEpoch, Recovered: !r.role.Recovering}
	changed := s.renew || s.unsure
	var adding, removing []int32
	if !s.renew {
		adding, removing = r.joining(), r.leaving(now)
		p.Whole = r.whole()
	}
	if r.role.Recovering && (len(adding) > 0 || len(r.role.Replicas) == 1) {
		p.Recovered, changed = true, true
	}
	if !changed && len(adding)+len(removing)+len(p.Whole) == 0 {
		return
	}
	for _, b := range r.role.ISR {
		if !slices.Contains(removing, b) {
			p.ISR = append(p.ISR, r.member(b))
		}
	}
	for _, b := range adding {
		p.ISR = append(p.ISR, r.member(b))
	}
	s.adding, s.removing = union(s.adding, adding), union(s.removing, removing)
	s.attempt++
	s.inFlight, p.Attempt = true, s.attempt
	ready.Proposals = append(ready.Proposals, p)
	ready.Events = append(ready.Events, ISRProposed{
		Source: r.source(), Epoch: p.LeaderEpoch, Adding: adding, Removing: removing, Whole: p.Whole, Renewed: len(adding)+len(removing)+len(p.Whole) == 0,
	})
}

// member is a replica with the incarnation that its position was proved by.
func (r *Replica) member(broker int32) Member {
	if f := r.follower(broker); f != nil {
		return Member{Broker: broker, Epoch: f.epoch}
	}
	return Member{Broker: broker, Epoch: r.role.epochOf(broker)}
}

// joining are the replicas outside of ISR that may come in.
func (r *Replica) joining() (list []int32) {
	for i := range r.followers {
		f := &r.followers[i]
		if !r.inISR(f.broker) && r.addable(f.broker) && r.joins(f) {
			list = append(list, f.broker)
		}
	}
	return list
}

// leaving are the members of ISR that lag.
func (r *Replica) leaving(now Times) (list []int32) {
	for i := range r.followers {
		if f := &r.followers[i]; r.inISR(f.broker) && r.lags(now, f) {
			list = append(list, f.broker)
		}
	}
	return list
}

// whole are the members of ISR whose doubt mark can go.
func (r *Replica) whole() (list []int32) {
	for i := range r.followers {
		f := &r.followers[i]
		if r.inISR(f.broker) && slices.Contains(r.role.Doubted, f.broker) && r.joins(f) {
			list = append(list, f.broker)
		}
	}
	return list
}

func (r *Replica) addable(broker int32) bool {
	i := slices.Index(r.role.Replicas, broker)
	return i >= 0 && i < len(r.role.Addable) && r.role.Addable[i]
}

// joins reports whether a follower has proved, in this leader epoch and under
// its broker epoch, what a member of ISR must have on its disk: all below the
// high watermark and below the start of the epoch, and the log start.
func (r *Replica) joins(f *follower) bool {
	out := r.cfg.Out
	return f.epoch >= 0 && f.durable >= 0 &&
		(f.durable >= r.hw || out.Out(guard.L5HighWatermark)) &&
		(f.durable >= r.epochStart || out.Out(guard.L5EpochStart)) &&
		(f.logStart >= r.log.LogStart() || out.Out(guard.L5LogStart))
}

// ProposalDone takes the controller's answer to a Proposal. What an accepted
// one changed is taken from the image, with all else that belongs to it.
func (r *Replica) ProposalDone(now Times, d ProposalResult, ready *Ready) {
	s := &r.isr
	if !r.leading || !s.inFlight || d.Attempt != s.attempt {
		return
	}
	s.inFlight = false
	switch {
	case d.Unanswered:
		s.unsure, s.retryAt = true, now.Mono.Add(ProposalRetry)
	case d.Code == kafka.ErrNone:
		s.begins = d.PartitionEpoch
	default:
		s.retryAt = now.Mono.Add(ProposalRetry)
		// Refused, it was not taken; but an earlier one may be yet.
		if s.unsure && !r.cfg.Out.Out(guard.L5Unanswered) {
			s.renew = true
		} else {
			s.adding, s.removing = nil, nil
		}
		ready.Events = append(ready.Events, ISRRefused{Source: r.source(), Epoch: r.role.LeaderEpoch, Code: d.Code})
	}
	r.advance(ready)
	r.propose(now, ready)
}

// union is a with what b has more; a itself where that is nothing.
func union(a, b []int32) []int32 {
	u := slices.Clip(a)
	for _, x := range b {
		if !slices.Contains(u, x) {
			u = append(u, x)
		}
	}
	return u
}
