package replica

import (
	"fmt"
	"math"
	"slices"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/internal/guard"
)

// follow begins a leader epoch of somebody else, or of nobody.
func (r *Replica) follow(now Times, ready *Ready) {
	r.followers, r.leaderHW = nil, -1 // the new leader's log may have left this one's below its high watermark
	r.log.DropEmptyEpochs()
	if _, may := r.NextAsk(); may && r.hw < r.leo && r.cfg.Out.Out(guard.F1Diverge) {
		r.cut(now, r.hw, ready)
	}
	ready.Follow = true
}

// following reports whether there is a leader to fetch from.
func (r *Replica) following() bool {
	return !r.offline && !r.leading && r.role.Leader >= 0 && r.role.Leader != r.cfg.NodeID
}

// NextAsk is what to fetch next. False while there is nobody to fetch from, or
// the log is not ready: offline, full, appends outstanding, a truncation under way.
func (r *Replica) NextAsk() (Ask, bool) {
	if !r.following() || r.full || r.cutting || r.log.Outstanding() > 0 {
		return Ask{}, false
	}
	durable := r.committable()
	return Ask{
		Leader: r.role.Leader, LeaderEpoch: r.role.LeaderEpoch, Offset: r.leo, LastEpoch: r.log.EpochBefore(r.leo),
		Durable: durable, DurableEpoch: r.log.EpochBefore(durable), LogStart: r.startDurable,
		HighWatermark: r.hw, Incarnation: r.cfg.Incarnation,
	}, true
}

// Report is what to tell the leader in a DurableReport; its Broker and
// BrokerEpoch are the caller's to fill in. False while there is nobody to tell.
func (r *Replica) Report() (Position, bool) {
	if !r.following() || r.cutting {
		return Position{}, false
	}
	durable := r.committable()
	return Position{
		Broker: r.cfg.NodeID, BrokerEpoch: -1, LeaderEpoch: r.role.LeaderEpoch,
		LEO: r.leo, LastEpoch: r.log.EpochBefore(r.leo),
		Durable: durable, DurableEpoch: r.log.EpochBefore(durable), LogStart: r.startDurable,
	}, true
}

// Fetched applies a leader's answer. It is dropped unless the replica would ask
// for the same now: the incarnation, the leader's epoch, the end of the log and
// its last epoch (rule F2).
func (r *Replica) Fetched(now Times, a Answer, ready *Ready) {
	ask, ok := r.NextAsk()
	if !ok || !r.current(&ask, &a.Ask) {
		a.Data.Release()
		return
	}
	switch {
	case a.Code == kafka.ErrOffsetOutOfRange && (a.LogStart > r.leo || a.LogStart == r.leo && ask.LastEpoch != NoEpoch):
		a.Data.Release()
		r.restart(now, a.LogStart, ready)
	case a.Code != kafka.ErrNone:
		a.Data.Release()
		ready.Backoff = true
	case a.Diverging.Epoch >= 0:
		a.Data.Release()
		if r.cfg.Out.Out(guard.F5Diverging) {
			r.leaderHW = a.HighWatermark
			r.advance(ready)
		}
		r.diverged(now, a.Diverging, ready)
	default:
		r.take(now, &a, ready)
	}
	r.advance(ready)
}

// current reports whether an answer to the ask was is one to the ask is.
func (r *Replica) current(is, was *Ask) bool {
	out := r.cfg.Out
	return (was.Incarnation == is.Incarnation || out.Out(guard.F2Incarnation)) &&
		(was.Leader == is.Leader && was.LeaderEpoch == is.LeaderEpoch || out.Out(guard.F2LeaderEpoch)) &&
		(was.Offset == is.Offset && was.LastEpoch == is.LastEpoch || out.Out(guard.F2Position))
}

// take appends what an answer brings, and follows the leader's log start and
// high watermark (rules L7, F5).
func (r *Replica) take(now Times, a *Answer, ready *Ready) {
	if err := r.appendFetched(now, a, ready); err != nil {
		a.Data.Release()
		ready.Backoff = true
		ready.Events = append(ready.Events, AnswerRefused{
			Source: r.source(), Leader: a.Ask.Leader, Epoch: a.Ask.LeaderEpoch, Offset: a.Ask.Offset, Reason: err.Error(),
		})
		return
	}
	if a.LogStart > r.log.LogStart() {
		r.raiseLogStart(min(a.LogStart, r.leo), 0, ready)
		r.retentionSoon = true
	}
	r.leaderHW = a.HighWatermark
}

// appendFetched appends an answer's batches.
func (r *Replica) appendFetched(now Times, a *Answer, ready *Ready) error {
	if len(a.Batches) == 0 {
		a.Data.Release()
		return nil
	}
	if len(a.Batches) > seglog.OutstandingMax {
		return fmt.Errorf("%d batches, at most %d are taken at once", len(a.Batches), seglog.OutstandingMax)
	}
	epochMax := a.Ask.LeaderEpoch
	if r.cfg.Out.Out(guard.F2Epochs) {
		epochMax = math.MaxInt32
	}
	op, err := r.log.AppendFollower(now.Wall, epochMax, a.Batches, a.Data)
	if err != nil {
		return err
	}
	ready.Ops = append(ready.Ops, op)
	if op.Append.Roll != nil {
		r.rolled(op.Append.Roll, op.Append.FirstOffset, ready)
	}
	return nil
}

// diverged cuts the log where it left the leader's: at the end that the leader
// named, or at the end of that epoch here, if that is lower (rule F1).
func (r *Replica) diverged(now Times, d EpochEnd, ready *Ready) {
	to := d.Offset
	if epoch, end := r.log.EpochEnd(d.Epoch, r.leo); epoch >= 0 {
		to = min(to, end)
	}
	empty := r.leo == r.log.LogStart() // but for what is deleted, which may be of another history
	switch {
	case to < 0 || to >= r.leo && !empty:
		ready.Backoff = true
		ready.Events = append(ready.Events, AnswerRefused{
			Source: r.source(), Leader: r.role.Leader, Epoch: r.role.LeaderEpoch, Offset: r.leo,
			Reason: fmt.Sprintf("diverging at epoch %d, offset %d", d.Epoch, d.Offset),
		})
	case !r.mayCut(to):
		r.stop(fmt.Sprintf("the leader's log ends at offset %d of epoch %d, below the high watermark %d", to, d.Epoch, r.hw), ready)
	default:
		r.cut(now, min(to, r.leo), ready)
	}
}

// cut cuts the log at to. One of which nothing stays begins anew, so that the
// batches that are deleted are not before what comes, either.
func (r *Replica) cut(now Times, to int64, ready *Ready) {
	if to <= r.log.LogStart() {
		r.restart(now, to, ready)
		return
	}
	r.truncate(to, ready)
}

// mayCut reports whether the log may be cut at to. What is committed goes only
// after an election that may lose it. A replica that is outside of ISR and ELR
// was perhaps away while that happened; nobody counts on what it has.
func (r *Replica) mayCut(to int64) bool {
	return to >= r.hw || r.role.Recovering || r.cfg.Out.Out(guard.F1Committed) ||
		!r.inISR(r.cfg.NodeID) && !slices.Contains(r.role.ELR, r.cfg.NodeID)
}

// truncate orders the cut. Nothing above it is shown or told any more; offsets
// are used again when it is durable (rule F3).
func (r *Replica) truncate(to int64, ready *Ready) {
	ready.Events = append(ready.Events, LogTruncated{r.loses(to)})
	ready.Ops = append(ready.Ops, seglog.Op{Kind: seglog.OpTruncate, Offset: to})
	r.cutTo(to, min(r.durable, to), min(r.hw, to), ready)
}

// restart orders that the log begins anew at offset, empty. From below the
// leader's log start this loses nothing: all that was here is deleted there.
// The high watermark follows when it is done: a crash may bring the old log
// back, of which it says nothing.
func (r *Replica) restart(now Times, offset int64, ready *Ready) {
	ready.Events = append(ready.Events, LogRestarted{r.loses(offset)})
	ready.Ops = append(ready.Ops, r.log.RestartAt(now.Wall, offset))
	r.deleted = nil
	r.cutTo(offset, offset, min(r.hw, offset), ready)
}

// cutTo is the state until the order to cut is carried out.
func (r *Replica) cutTo(leo, durable, hw int64, ready *Ready) {
	r.cutting, r.leaderHW = true, -1
	r.leo, r.durable, r.hw = leo, durable, hw
	r.log.Producers().HighWatermark(hw)
	ready.Advanced, ready.Follow = true, true
}

// truncated ends a truncation: the log goes on where it was cut, with the
// leader or as the leader.
func (r *Replica) truncated(now Times, d seglog.Done, ready *Ready) {
	if d.Last != nil {
		r.log.Truncated(d.UpTo, *d.Last)
		r.startDurable, r.hw = min(r.startDurable, d.UpTo), min(r.hw, d.UpTo)
	} else {
		r.startDurable, r.hw = d.UpTo, d.UpTo
	}
	r.cutting = false
	r.leo, r.durable = d.UpTo, min(r.durable, d.UpTo)
	r.log.Producers().HighWatermark(r.hw)
	ready.Advanced = true
	r.log.DropEmptyEpochs()
	r.takeRole(now, false, ready)
	ready.Follow = true
	r.propose(now, ready)
}
