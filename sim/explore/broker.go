package explore

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metarecord"
	"github.com/moldau/moldau/broker/replica"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/internal/guard"
	"github.com/moldau/moldau/internal/invariant"
)

// Brokers is how many there are, each with a replica of the one partition.
const Brokers = 3

// name is A, B or C.
func name(i int) string { return string(rune('A' + i)) }

// broker is one broker: its process, if it runs, and its disk.
type broker struct {
	up    bool
	epoch int64 // under which the process is registered
	r     *replica.Replica
	now   clock.Mono
	disk  disk
	hint  int64 // the checkpointed high watermark
	torn  bool  // recovery will find bytes that it has to cut
	clean bool  // the process stopped cleanly
	sound bool  // the disk kept all that was synced
	// asked are proposals that were not sent yet.
	asked []replica.Proposal
	// known is the role that the process had last, kept where rule L1Broker is out.
	known *replica.Role
	// deleted is the greatest log start that a DeleteRecords was told.
	deleted int64

	status replica.Status // of r
	wrong  string         // what this step did against the contract
	ready  replica.Ready  // empty between steps
}

func (b *broker) clone() *broker {
	c := *b
	c.disk, c.asked, c.ready = b.disk.clone(), slices.Clone(b.asked), replica.Ready{}
	if b.r != nil {
		c.r = b.r.Clone()
	}
	return &c
}

func (b *broker) times() replica.Times { return replica.Times{Wall: 1, Mono: b.now} }

// encode is all that decides what the broker will do.
func (b *broker) encode(dst []byte) []byte {
	dst = append(dst, flag(b.up), flag(b.torn), flag(b.clean), flag(b.sound), byte(len(b.asked)))
	dst = binary.AppendVarint(dst, b.epoch)
	dst = binary.AppendVarint(dst, b.hint)
	dst = binary.AppendVarint(dst, b.deleted)
	dst = b.disk.encode(dst)
	for i := range b.asked {
		newest, _ := b.r.Attempt()
		dst = append(appendProposal(dst, &b.asked[i]), byte(newest-b.asked[i].Attempt))
	}
	if b.known != nil {
		dst = appendRole(dst, b.known)
	}
	if b.up {
		dst = b.r.AppendState(dst, b.now)
	}
	return dst
}

func appendProposal(dst []byte, p *replica.Proposal) []byte {
	dst = append(dst, byte(p.LeaderEpoch), byte(p.PartitionEpoch), byte(len(p.ISR)), byte(len(p.Whole)), flag(p.Recovered))
	for _, m := range p.ISR {
		dst = append(dst, byte(m.Broker), byte(m.Epoch))
	}
	for _, id := range p.Whole {
		dst = append(dst, byte(id))
	}
	return dst
}

func appendRole(dst []byte, r *replica.Role) []byte {
	dst = append(dst, byte(r.Leader), byte(r.LeaderEpoch), byte(r.PartitionEpoch), byte(len(r.ISR)))
	for _, id := range r.ISR {
		dst = append(dst, byte(id))
	}
	return binary.AppendVarint(dst, r.BrokerEpoch)
}

// accuse notes the first thing that was done against the contract.
func (b *broker) accuse(format string, args ...any) {
	if b.wrong == "" {
		b.wrong = fmt.Sprintf(format, args...)
	}
}

// drive lets the machine take an event, and the disk carry out what it orders,
// until neither has anything to do.
func (b *broker) drive(w *World, event func(r *replica.Replica, ready *replica.Ready)) {
	before := b.status
	defer func() {
		switch v := recover().(type) {
		case nil:
		case invariant.Violation:
			b.accuse("%v", v)
		default:
			panic(v)
		}
	}()
	event(b.r, &b.ready)
	for rounds := 0; ; rounds++ {
		invariant.Check(rounds < roundsMax, "the machine does not come to rest")
		done := b.disk.carry(w, b.ready.Ops)
		b.heed()
		b.ready.Reset()
		for _, d := range done {
			b.r.Done(b.times(), d, &b.ready)
		}
		if len(done) == 0 {
			break
		}
	}
	b.status = b.r.Status()
	if b.status.HighWatermark < before.HighWatermark && !w.Unclean {
		b.accuse("the high watermark fell from %d to %d", before.HighWatermark, b.status.HighWatermark)
	}
}

// roundsMax bounds how often machine and disk answer each other in one step.
const roundsMax = 100

// The tokens of requests.
const (
	tokenProduce = 1
	tokenDelete  = 2
)

// heed takes what the machine gave beside orders.
func (b *broker) heed() {
	b.asked = append(b.asked, b.ready.Proposals...)
	st := b.r.Status()
	for i := range b.ready.Acks {
		switch a := &b.ready.Acks[i]; {
		case a.Code != kafka.ErrNone:
		case a.Token == tokenDelete:
			b.deleted = max(b.deleted, a.LogStart)
		case a.LastOffset >= st.Durable:
			b.accuse("offset %d is acknowledged, durable here is %d", a.LastOffset, st.Durable)
		}
	}
	for _, e := range b.ready.Events {
		if e, ok := e.(replica.ReplicaOffline); ok {
			b.accuse("the replica stopped: %s", e.Reason)
		}
	}
}

// config is what a world's replicas are made with.
func (w *World) config(i int) replica.Config {
	cfg := replica.Config{
		ID: partitionID, Topic: topicName, NodeID: idOf(i), Log: seglog.DefaultConfig(), Durability: w.Durability, MinISR: w.MinISR,
		Out: w.Out,
	}
	cfg.Log.RetentionMs, cfg.Log.RetentionBytes = -1, -1
	return cfg
}

// start makes the process's replica of what the disk holds, and returns what
// recovery saw and how it judged.
func (b *broker) start(w *World, i int) (seglog.Evidence, seglog.Standing) {
	st := b.disk.state(seglog.Evidence{Clean: b.clean, Cut: b.torn}, b.hint)
	standing := w.classify(st.Evidence)
	if standing == seglog.Damaged && b.disk.recorded != seglog.Damaged && b.sound && w.Durability == kafka.DurabilitySync {
		b.accuse("P6: %s is called damaged, and its disk has all that was synced", name(i))
	}
	b.disk.recorded = max(b.disk.recorded, standing)
	b.disk.synced, b.disk.before, b.disk.cutting, b.disk.startSynced = len(b.disk.log), nil, false, b.disk.start
	b.r, b.up, b.torn, b.clean, b.sound, b.hint = replica.New(w.config(i), st), true, false, false, true, 0
	b.status = b.r.Status()
	return st.Evidence, standing
}

// apply takes the role that the metadata gives.
func (b *broker) apply(w *World, i int, c *control) {
	role := c.role(b.epoch)
	if w.Out.Out(guard.L1Broker) {
		b.known = &role
	}
	b.drive(w, func(r *replica.Replica, ready *replica.Ready) { r.Apply(b.times(), role, ready) })
	if slices.Contains(role.ISR, idOf(i)) && !slices.Contains(role.Doubted, idOf(i)) {
		b.disk.recorded = seglog.Intact // whole again
	}
}

// restart recovers, registers, takes its first role and is unfenced.
func (w *World) restart(c *control, i int, b *broker) *control {
	e, standing := b.start(w, i)
	end := metarecord.End(partitionID, e.LastEpoch, e.End)
	proof := metarecord.Proof{Ends: []metarecord.PartitionEnd{end}}
	switch standing {
	case seglog.Doubtful:
		proof.Doubtful = []metarecord.PartitionEnd{end}
	case seglog.Damaged:
		proof.Damaged = []metarecord.PartitionEnd{metarecord.End(partitionID, -1, -1)}
	}
	if w.Out.Out(guard.L1Broker) && b.known != nil {
		old := *b.known
		b.epoch = old.BrokerEpoch
		b.drive(w, func(r *replica.Replica, ready *replica.Ready) { r.Apply(b.times(), old, ready) })
		return c
	}
	c = w.register(c, i, &b.disk, proof)
	b.epoch = c.broker(i).BrokerEpoch
	b.apply(w, i, c)
	return w.heartbeat(c, i, false)
}

// crash ends the process. Of what was written and not synced, keep batches are
// there afterwards.
func (b *broker) crash(w *World, keep int, torn bool) {
	b.halt(w)
	k := &b.disk
	b.torn, b.sound = torn, keep >= k.synced
	k.log, k.synced, k.start = k.log[:keep], keep, min(k.startSynced, k.base+int64(keep))
}

// cutShort is a recovery that ends after it changed the log, before anybody is
// told of it.
func (b *broker) cutShort(w *World, i int) {
	b.start(w, i)
	if w.Out.Out(guard.S5Recorded) {
		b.disk.recorded = seglog.Intact
	}
	b.halt(w)
}

// halt takes everything that the process had in memory.
func (b *broker) halt(w *World) {
	if w.Hints {
		b.hint = b.status.HighWatermark
	}
	b.up, b.r, b.epoch, b.asked, b.deleted, b.now, b.status = false, nil, 0, nil, 0, 0, replica.Status{}
}

// position is what a follower says of itself in a fetch.
func (b *broker) position(i int, a *replica.Ask) replica.Position {
	return replica.Position{
		Broker: idOf(i), BrokerEpoch: b.epoch, LeaderEpoch: a.LeaderEpoch, LEO: a.Offset, LastEpoch: a.LastEpoch,
		Durable: a.Durable, DurableEpoch: a.DurableEpoch, LogStart: a.LogStart,
	}
}

// serve answers a follower's fetch with at most one batch.
func (b *broker) serve(w *World, p replica.Position, ask replica.Ask) replica.Answer {
	answer := replica.Answer{Ask: ask, Diverging: replica.EpochEnd{Epoch: replica.NoEpoch, Offset: -1}}
	fetch := replica.Fetch{Offset: ask.Offset, CurrentLeaderEpoch: ask.LeaderEpoch, LastFetchedEpoch: ask.LastEpoch, MaxBytes: 1, AtLeastOne: true}
	var a replica.FetchAnswer
	b.drive(w, func(r *replica.Replica, ready *replica.Ready) { a = r.FollowerFetch(b.times(), p, fetch, ready) })
	answer.Code, answer.HighWatermark, answer.LogStart, answer.Diverging = a.Code, a.HighWatermark, a.LogStart, a.Diverging
	if e, ok := b.disk.at(a.Plan.From); a.Code == kafka.ErrNone && a.Available > 0 && ok && a.Plan.From < a.Plan.UpTo {
		batch, data := e.batchAt(a.Plan.From)
		answer.Batches, answer.Data = []seglog.Batch{batch}, data
	}
	return answer
}

// take gives the follower an answer. Its bytes are copied, since an answer that
// was held back may be given to many states.
func (b *broker) take(w *World, a replica.Answer) {
	a.Data = buffer.Own(slices.Clone(a.Data.Bytes))
	b.drive(w, func(r *replica.Replica, ready *replica.Ready) { r.Fetched(b.times(), a, ready) })
}

// answered tells the leader what came of a proposal. It proposes again later.
func (b *broker) answered(w *World, result replica.ProposalResult) {
	b.drive(w, func(r *replica.Replica, ready *replica.Ready) { r.ProposalDone(b.times(), result, ready) })
	if result.Unanswered || result.Code != kafka.ErrNone {
		b.pass(w, replica.ProposalRetry)
	}
}

// pass lets time go by.
func (b *broker) pass(w *World, d time.Duration) {
	b.now = b.now.Add(d)
	b.drive(w, func(r *replica.Replica, ready *replica.Ready) { r.Tick(b.times(), ready) })
}

// lag lets so much time go by that followers who are behind are late.
func (b *broker) lag(w *World) {
	b.pass(w, 0)
	b.pass(w, replica.LagMaxDefault+time.Millisecond)
}
