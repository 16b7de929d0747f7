package replica

import (
	"encoding/binary"
	"math"

	"github.com/moldau/moldau/clock"
)

// AppendState appends everything that decides what the replica will do from
// now on: two replicas of one configuration with the same bytes behave alike.
// Times count from now, and those past what they are waited for as past.
// Left out are tokens of requests, the number of the newest attempt (see
// Attempt), when retention and idle producers are looked at, and what is
// remembered only to read faster.
func (r *Replica) AppendState(b []byte, now clock.Mono) []byte {
	b = append(b, bits(r.offline, r.full, r.cutting, r.leading, r.isr.inFlight, r.isr.unsure, r.isr.renew, r.role.Recovering), byte(r.standing))
	if r.offline {
		return b[:len(b)-1]
	}
	b = r.log.AppendState(b)
	b = r.role.appendState(b)
	b = appendInts(b, r.hw, r.leo, r.durable, r.startDurable, r.leaderHW)
	b = appendInts(b, until(r.resumeAt, now))
	for i := range r.waits {
		q := &r.waits[i].ring
		b = appendInts(b, int64(q.Len()))
		for k := range q.Len() {
			b = appendInts(b, q.At(k).end)
		}
	}
	b = appendInts(b, int64(r.deletes.Len()), int64(len(r.deleted)))
	for i := range r.deletes.Len() {
		b = appendInts(b, r.deletes.At(i).offset)
	}
	if !r.leading {
		return b
	}
	b = appendInts(b, r.epochStart, int64(r.isr.begins), until(r.isr.retryAt, now))
	b = appendIDs(appendIDs(b, r.isr.adding), r.isr.removing)
	for i := range r.followers {
		b = r.appendFollower(b, &r.followers[i], now)
	}
	return b
}

func (r *Replica) appendFollower(b []byte, f *follower, now clock.Mono) []byte {
	b = appendInts(b, int64(f.broker), f.epoch, f.leo, f.durable, f.logStart)
	if f.durable >= r.leo {
		return b // its clock begins when LEO moves
	}
	age := func(t clock.Mono) int64 { return int64(min(now.Sub(t), r.cfg.LagMax+1)) }
	b = appendInts(b, age(f.caughtUp))
	if f.target == math.MaxInt64 {
		return append(b, 0)
	}
	return appendInts(append(b, 1), f.target, age(f.targetAt))
}

// Attempt is the newest proposal, and whether its answer is still waited for.
func (r *Replica) Attempt() (attempt uint64, waiting bool) { return r.isr.attempt, r.isr.inFlight }

func (role *Role) appendState(b []byte) []byte {
	b = appendInts(b, int64(role.Leader), int64(role.LeaderEpoch), int64(role.PartitionEpoch), int64(role.MinISR), role.BrokerEpoch)
	for _, ids := range [][]int32{role.ISR, role.ELR, role.Replicas, role.Doubted} {
		b = appendIDs(b, ids)
	}
	b = appendInts(b, int64(len(role.BrokerEpochs)))
	b = appendInts(b, role.BrokerEpochs...)
	return append(append(b, byte(len(role.Addable))), bits(role.Addable...))
}

// bits packs flags; beyond eight they are folded, which costs states, not truth.
func bits(flags ...bool) (b byte) {
	for i, f := range flags {
		if f {
			b ^= 1 << (i % 8)
		}
	}
	return b
}

// until is the time from now to t, 0 when t is past.
func until(t, now clock.Mono) int64 { return int64(max(t.Sub(now), 0)) }

func appendIDs(b []byte, ids []int32) []byte {
	b = append(b, byte(len(ids)))
	for _, id := range ids {
		b = binary.AppendVarint(b, int64(id))
	}
	return b
}

func appendInts(b []byte, ns ...int64) []byte {
	for _, n := range ns {
		b = binary.AppendVarint(b, n)
	}
	return b
}
