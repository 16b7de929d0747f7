package replica

import (
	"math"
	"slices"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/internal/guard"
)

// follower is what the leader knows of one: all of it proved in this leader
// epoch, by positions sent under the broker epoch (rule L4).
type follower struct {
	broker   int32
	epoch    int64 // of the image, -1 while the broker is not registered
	leo      int64 // the newest; -1 for unknown, like the next two
	durable  int64 // the greatest D
	logStart int64 // the greatest durable one
	// caughtUp is when D last reached what was the leader's LEO: it had target
	// as LEO at targetAt, and D has not reached that yet.
	caughtUp clock.Mono
	target   int64
	targetAt clock.Mono
	member   bool // of the committed ISR
}

// renewFollowers brings the followers into line with the image. A new
// incarnation begins with nothing proved, and who joins ISR with a lag clock of
// its own: one that ran while it was away would take it out again at once.
func (r *Replica) renewFollowers(now Times) {
	had := r.followers
	r.followers = make([]follower, 0, max(len(r.role.Replicas)-1, 0))
	for _, b := range r.role.Replicas {
		if b == r.cfg.NodeID {
			continue
		}
		f := follower{broker: b, epoch: r.role.epochOf(b), leo: -1, durable: -1, logStart: -1, caughtUp: now.Mono, target: math.MaxInt64}
		if i := slices.IndexFunc(had, func(x follower) bool { return x.broker == b }); i >= 0 {
			switch {
			case had[i].epoch == f.epoch:
				f = had[i]
			case r.cfg.Out.Out(guard.L4Forget):
				had[i].epoch = f.epoch
				f = had[i]
			}
		}
		member := r.inISR(b)
		if member && !f.member {
			f.caughtUp, f.target = now.Mono, math.MaxInt64
		}
		f.member = member
		r.followers = append(r.followers, f)
	}
}

func (r *Replica) follower(broker int32) *follower {
	for i := range r.followers {
		if r.followers[i].broker == broker {
			return &r.followers[i]
		}
	}
	return nil
}

// FollowerFetch answers a follower's fetch: what may be read up to LEO (rule
// L2), or where its log left this one. Its position counts by rule L4.
func (r *Replica) FollowerFetch(now Times, p Position, f Fetch, ready *Ready) FetchAnswer {
	epoch := p.LeaderEpoch
	if r.cfg.Out.Out(guard.L4LeaderEpoch) {
		epoch = NoEpoch
	}
	if code := r.standsFor(epoch, true); code != kafka.ErrNone {
		return refusedFetch(code)
	}
	if r.follower(p.Broker) == nil {
		return refusedFetch(kafka.ErrNotLeaderOrFollower)
	}
	p.LEO, p.LastEpoch = f.Offset, f.LastFetchedEpoch
	if r.onLog(p.LEO, p.LastEpoch) || r.cfg.Out.Out(guard.L4Position) {
		p.Durable = min(p.Durable, p.LEO)
		r.prove(now, &p, ready)
	}
	return r.toFollower(&f)
}

// toFollower is the answer to a fetch of a replica.
func (r *Replica) toFollower(f *Fetch) FetchAnswer {
	a := FetchAnswer{
		HighWatermark: r.hw, LastStable: r.lastStable(), LogStart: r.log.LogStart(),
		Diverging: EpochEnd{Epoch: NoEpoch, Offset: -1},
	}
	switch {
	case f.Offset < a.LogStart, f.Offset == a.LogStart && !r.onLog(f.Offset, f.LastFetchedEpoch):
		// All that it has is deleted here, or might be of another history.
		a.Code = kafka.ErrOffsetOutOfRange
		return a
	case f.LastFetchedEpoch == NoEpoch && f.Offset > r.leo:
		a.Diverging = EpochEnd{Epoch: r.role.LeaderEpoch, Offset: r.leo}
		return a
	case f.LastFetchedEpoch != NoEpoch:
		epoch, end := r.log.EpochEnd(f.LastFetchedEpoch, r.leo)
		if epoch < 0 {
			return refusedFetch(kafka.ErrOffsetOutOfRange) // an epoch that no leader before this one can have had
		}
		if (epoch < f.LastFetchedEpoch || end < f.Offset) && !r.cfg.Out.Out(guard.L2Diverging) {
			a.Diverging.Epoch, a.Diverging.Offset = epoch, end
			return a
		}
	}
	r.plan(&a, f, r.leo)
	return a
}

// DurableReport takes what a follower says between fetches. Its D counts when
// the batch below it is this log's (rule L4).
func (r *Replica) DurableReport(now Times, p Position, ready *Ready) {
	if !r.leading || r.follower(p.Broker) == nil || p.LeaderEpoch != r.role.LeaderEpoch && !r.cfg.Out.Out(guard.L4LeaderEpoch) {
		return
	}
	if !r.onLog(p.Durable, p.DurableEpoch) && !r.cfg.Out.Out(guard.L4Report) {
		return
	}
	p.LEO = -1 // it is of no use here, and was not looked at
	r.prove(now, &p, ready)
}

// onLog reports whether a log that ends at offset, with a last batch of that
// epoch, is a prefix of this one. A log without batches is.
func (r *Replica) onLog(offset int64, epoch int32) bool {
	switch start := r.log.LogStart(); {
	case offset < start || offset > r.leo:
		return false
	case epoch == NoEpoch:
		return true
	case offset == start && r.log.KnowsEpoch(epoch):
		return true // an epoch may begin there
	}
	return r.log.EpochBefore(offset) == epoch
}

// prove takes a position in that lies on this log.
func (r *Replica) prove(now Times, p *Position, ready *Ready) {
	f := r.follower(p.Broker)
	switch {
	case p.LeaderEpoch != r.role.LeaderEpoch && !r.cfg.Out.Out(guard.L4LeaderEpoch),
		(p.BrokerEpoch != f.epoch || f.epoch < 0) && !r.cfg.Out.Out(guard.L4BrokerEpoch):
		return
	}
	if r.cfg.Out.Out(guard.L4Durable) {
		p.Durable = max(p.Durable, p.LEO)
	}
	if p.LEO >= 0 {
		f.leo = p.LEO
	}
	f.durable, f.logStart = max(f.durable, p.Durable), max(f.logStart, p.LogStart)
	switch {
	case f.durable >= r.leo:
		f.caughtUp, f.target = now.Mono, math.MaxInt64
	case f.target == math.MaxInt64:
		f.target, f.targetAt = r.leo, now.Mono
	case f.durable >= f.target:
		f.caughtUp = max(f.caughtUp, f.targetAt)
		f.target, f.targetAt = r.leo, now.Mono
	}
	r.advance(ready)
	r.propose(now, ready)
}

// outrun is called before LEO moves: who has all of the log has been caught up
// until now.
func (r *Replica) outrun(now Times) {
	for i := range r.followers {
		if f := &r.followers[i]; f.durable >= r.leo {
			f.caughtUp = now.Mono
		}
	}
}

// lags reports whether a follower's D has not reached, within the time that it
// may lag, what was the leader's LEO.
func (r *Replica) lags(now Times, f *follower) bool {
	return f.durable < r.leo && now.Mono.Sub(f.caughtUp) > r.cfg.LagMax
}

// isrEnd is the least D over the maximal ISR, the leader's own included. It is
// unknown, and the high watermark stands, while this broker does not lead, the
// ISR is below min.insync.replicas (KIP-966), or a member's D is not known or in
// doubt (rule L3).
func (r *Replica) isrEnd() (int64, bool) {
	if !r.leading || r.offline || len(r.role.ISR) < r.role.MinISR && !r.cfg.Out.Out(guard.L3MinISR) {
		return 0, false
	}
	end := r.committable()
	if r.cfg.Out.Out(guard.L3Own) {
		end = r.leo
	}
	for i := range r.followers {
		f := &r.followers[i]
		if !r.counted(f.broker) {
			continue
		}
		if f.durable < 0 || slices.Contains(r.role.Doubted, f.broker) && !r.cfg.Out.Out(guard.L3Marks) {
			return 0, false
		}
		end = min(end, f.durable)
	}
	return end, r.knowsISR()
}

// knowsISR reports whether all members of ISR are among Replicas, as they must be.
func (r *Replica) knowsISR() bool {
	for _, b := range r.role.ISR {
		if b != r.cfg.NodeID && r.follower(b) == nil {
			return false
		}
	}
	return true
}

// counted reports whether a follower belongs to the maximal ISR: the committed
// one and the pending additions.
func (r *Replica) counted(broker int32) bool {
	if r.inISR(broker) {
		return !r.cfg.Out.Out(guard.L3Removal) || !slices.Contains(r.isr.removing, broker)
	}
	return slices.Contains(r.isr.adding, broker) && !r.cfg.Out.Out(guard.L3Pending)
}

// Followers is what this leader knows of its followers, in the order of
// Replicas; none for a replica that does not lead.
func (r *Replica) Followers() []FollowerState {
	if !r.leading {
		return nil
	}
	list := make([]FollowerState, len(r.followers))
	for i, f := range r.followers {
		list[i] = FollowerState{Broker: f.broker, LEO: f.leo, Durable: f.durable, LogStart: f.logStart, InISR: r.inISR(f.broker)}
	}
	return list
}

// plan fills in what may be read below upTo.
func (r *Replica) plan(a *FetchAnswer, f *Fetch, upTo int64) {
	if f.Offset >= upTo {
		return
	}
	a.Available = r.log.BytesBetween(f.Offset, upTo)
	a.Plan = seglog.ReadPlan{
		From: f.Offset, UpTo: upTo, MaxBytes: f.MaxBytes, AtLeastOne: f.AtLeastOne,
		Start: r.log.StartOf(f.Offset), End: r.log.EndOf(upTo),
	}
}
