package shard

import (
	"slices"

	"github.com/moldau/moldau/broker/replica"
)

// Fetcher fetches for the replicas of this broker that follow. It is called on
// shards' goroutines and must not wait.
type Fetcher interface {
	// Moved says what changed in replicas that follow leader, in a turn of one
	// shard; the list is the fetcher's own.
	Moved(leader int32, list []Move)
}

// Move is where a replica that follows stands now.
type Move struct {
	Handle *Handle
	// Gone: it follows this leader no more. The other fields do not count.
	Gone bool
	// Ready: Ask is what to ask next.
	Ready bool
	Ask   replica.Ask
	// Done: it has applied the answer that was given last, or dropped it.
	Done bool
	// Backoff: the same request would get the same answer, which is of no use.
	Backoff bool
	// Report: Position has news for the leader.
	Report   bool
	Position replica.Position
}

// follower is what a shard knows of a replica that may follow.
type follower struct {
	leader  int32 // whom the fetcher was told of, noLeader for none
	listed  bool  // on the shard's list of this turn
	owes    bool  // an answer was given, and the fetcher waits to hear what is next
	reports bool  // there is news for the leader
	backoff bool
	told    replica.Ask // last, if ready
	ready   bool        // was told
}

const noLeader int32 = -1

// FollowAnswers are a leader's answers to one shard's replicas.
type FollowAnswers struct{ Parts []FollowAnswer }

// FollowAnswer is a leader's answer to one replica.
type FollowAnswer struct {
	Handle *Handle
	Answer replica.Answer
	// Owed: a Move with Done must follow.
	Owed bool
}

// Send gives f to its shard; all parts have handles of that shard.
func (f *FollowAnswers) Send() {
	if !f.Parts[0].Handle.shard.in.Put(f) {
		for i := range f.Parts {
			f.Parts[i].Answer.Data.Release()
		}
	}
}

func (f *FollowAnswers) on(s *Shard) {
	for i := range f.Parts {
		p := &f.Parts[i]
		if p.Handle.closed {
			p.Answer.Data.Release()
			continue
		}
		p.Handle.machine.Fetched(s.now, p.Answer, &s.ready)
		p.Handle.follower.owes = p.Handle.follower.owes || p.Owed
		s.list(p.Handle)
		s.carryOut(p.Handle)
	}
}

// list has the shard look at a replica that may follow at the turn's end.
func (s *Shard) list(h *Handle) {
	if !h.follower.listed {
		h.follower.listed = true
		s.following = append(s.following, h)
	}
}

// tellFetcher says what moved in the replicas that follow.
func (s *Shard) tellFetcher() {
	for _, h := range s.following {
		h.follower.listed = false
		if !h.closed {
			s.follow(h)
		}
	}
	clear(s.following)
	s.following = s.following[:0]
	for _, leader := range s.leaders {
		list := s.moves[leader]
		delete(s.moves, leader)
		s.fetcher.Moved(leader, list)
	}
	s.leaders = s.leaders[:0]
}

// follow compares where a replica stands with what the fetcher knows.
func (s *Shard) follow(h *Handle) {
	f := &h.follower
	ask, ready := h.machine.NextAsk()
	leader := h.machine.Marks().Leader
	if leader == s.node {
		leader = noLeader
	}
	if f.leader != leader {
		s.unfollow(h)
		f.leader = leader
	}
	if leader == noLeader {
		return
	}
	m := Move{Handle: h, Ready: ready, Ask: ask, Done: f.owes && ready, Backoff: f.backoff}
	if f.reports {
		m.Position, m.Report = h.machine.Report()
	}
	if m.Ready == f.ready && (!ready || ask == f.told) && !m.Done && !m.Report && !m.Backoff {
		return
	}
	if m.Done {
		f.owes = false
	}
	f.ready, f.told, f.reports, f.backoff = ready, ask, false, false
	s.move(leader, m)
}

// unfollow says that a replica does not follow its leader any more.
func (s *Shard) unfollow(h *Handle) {
	if h.follower.leader != noLeader {
		s.move(h.follower.leader, Move{Handle: h, Gone: true})
	}
	listed := h.follower.listed
	h.follower = follower{leader: noLeader, listed: listed}
}

func (s *Shard) move(leader int32, m Move) {
	if !slices.Contains(s.leaders, leader) {
		s.leaders = append(s.leaders, leader)
	}
	s.moves[leader] = append(s.moves[leader], m)
}
