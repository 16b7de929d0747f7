package shard

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/replica"
)

// FollowerFetch is the part of a follower's fetch that one shard answers. The
// shard fills the answers and counts Session down. Partitions that have nothing
// to read stay watched for the session, until something moves in them.
type FollowerFetch struct {
	Parts   []FollowerPart
	Session *FollowerSession
}

// FollowerPart is one partition of a FollowerFetch.
type FollowerPart struct {
	Handle   *Handle
	Position replica.Position
	Ask      replica.Fetch
	Answer   replica.FetchAnswer
	Index    int // the caller's, by which a Mark names the partition
}

// Mark says that a watched partition of a session has moved.
type Mark struct {
	Index int
}

// FollowerSession joins the shards' answers of a follower's fetch, and gathers
// what moves in its partitions afterwards. A follower's connection has one for
// each of its fetch sessions.
type FollowerSession struct {
	left  atomic.Int32
	ended atomic.Bool
	wake  chan struct{}

	mu    sync.Mutex
	marks []Mark
}

// NewFollowerSession returns a session that nothing is watched for.
func NewFollowerSession() *FollowerSession {
	return &FollowerSession{wake: make(chan struct{}, 1)}
}

// Arm prepares for the answers of shards messages; Wake fires when all are in.
func (w *FollowerSession) Arm(shards int) { w.left.Store(int32(shards)) }

// Answered says that every shard has answered.
func (w *FollowerSession) Answered() bool { return w.left.Load() <= 0 }

// Wake receives when all shards have answered, when there are marks, and after
// Interrupt.
func (w *FollowerSession) Wake() <-chan struct{} { return w.wake }

// Interrupt fires Wake.
func (w *FollowerSession) Interrupt() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// End says that nothing is to be marked any more, and that what is still on its way
// to the shards was said before what another session says.
func (w *FollowerSession) End() { w.ended.Store(true) }

// Marks takes what was marked, into dst; a partition may be in it twice.
func (w *FollowerSession) Marks(dst []Mark) []Mark {
	w.mu.Lock()
	defer w.mu.Unlock()
	dst = append(dst, w.marks...)
	w.marks = w.marks[:0]
	return dst
}

// Marked says that there are marks.
func (w *FollowerSession) Marked() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.marks) > 0
}

func (w *FollowerSession) mark(m Mark) {
	w.mu.Lock()
	w.marks = append(w.marks, m)
	w.mu.Unlock()
	w.Interrupt()
}

func (w *FollowerSession) answered() {
	if w.left.Add(-1) == 0 {
		w.Interrupt()
	}
}

// Send gives f to its shard; all parts have handles of that shard.
func (f *FollowerFetch) Send() {
	if !f.Parts[0].Handle.shard.in.Put(f) {
		for i := range f.Parts {
			f.Parts[i].Answer = notHere()
		}
		f.Session.answered()
	}
}

func notHere() replica.FetchAnswer {
	return replica.FetchAnswer{
		Code: kafka.ErrNotLeaderOrFollower, HighWatermark: -1, LastStable: -1, LogStart: -1,
		Diverging: replica.EpochEnd{Epoch: replica.NoEpoch, Offset: -1},
	}
}

func (f *FollowerFetch) on(s *Shard) {
	for i := range f.Parts {
		p := &f.Parts[i]
		if p.Handle.closed || f.Session.ended.Load() {
			p.Answer = notHere()
			continue
		}
		p.Answer = p.Handle.machine.FollowerFetch(s.now, p.Position, p.Ask, &s.ready)
		s.carryOut(p.Handle)
		p.Handle.watchFor(f.Session, p)
	}
	f.Session.answered()
}

// followerWatch is a session of a follower that has all that its leader has.
// There is one for each session, not for each follower: what an older connection
// of it brings late takes nothing from the one that it uses.
type followerWatch struct {
	session  *FollowerSession
	index    int
	seen     replica.Marks
	urgent   bool // to be marked when there is something to read
	progress bool // to be marked when the high watermark or the log start moved
}

// watchFor begins or ends the watch of a follower by what it was answered. A
// leader epoch that this broker has not heard of is waited for.
func (h *Handle) watchFor(session *FollowerSession, p *FollowerPart) {
	a := &p.Answer
	caughtUp := a.Code == kafka.ErrNone && a.Available == 0 && a.Diverging.Epoch < 0
	watch := caughtUp || a.Code == kafka.ErrUnknownLeaderEpoch
	i := slices.IndexFunc(h.followers, func(w followerWatch) bool { return w.session == session })
	switch {
	case i < 0 && !watch:
		return
	case i < 0:
		h.followers = append(h.followers, followerWatch{})
		i = len(h.followers) - 1
	}
	seen := h.machine.Marks()
	if caughtUp { // what is answered may be older than what the answer caused
		seen.HighWatermark, seen.LogStart = a.HighWatermark, a.LogStart
	}
	h.followers[i] = followerWatch{
		session: session, index: p.Index, seen: seen, urgent: watch, progress: caughtUp,
	}
}

// moved tells the followers of a replica that moved.
func (h *Handle) moved() {
	if len(h.followers) == 0 {
		return
	}
	now := h.machine.Marks()
	kept := h.followers[:0]
	for _, w := range h.followers {
		if w.session.ended.Load() {
			continue
		}
		switch {
		case w.urgent && (now.LEO != w.seen.LEO || now.LeaderEpoch != w.seen.LeaderEpoch || now.Leading != w.seen.Leading || h.closed):
			w.urgent, w.progress = false, false
			w.session.mark(Mark{Index: w.index})
		case w.progress && (now.HighWatermark != w.seen.HighWatermark || now.LogStart != w.seen.LogStart):
			w.progress = false
			w.session.mark(Mark{Index: w.index})
		}
		kept = append(kept, w)
	}
	clear(h.followers[len(kept):])
	h.followers = kept
}

// askAgain has the followers' positions looked at once more: one that counted
// for nothing may count in the newer role (rule L4).
func (h *Handle) askAgain() {
	for i := range h.followers {
		if w := &h.followers[i]; w.urgent && !w.session.ended.Load() {
			w.session.mark(Mark{Index: w.index})
		}
	}
}

// DurableReports are what a follower says between its fetches, to one shard.
type DurableReports struct {
	Parts   []ReportPart
	Session *FollowerSession // between whose fetches
}

// ReportPart is one partition of DurableReports.
type ReportPart struct {
	Handle   *Handle
	Position replica.Position
}

// Send gives d to its shard; all parts have handles of that shard.
func (d *DurableReports) Send() { d.Parts[0].Handle.shard.in.Put(d) }

func (d *DurableReports) on(s *Shard) {
	for i := range d.Parts {
		if p := &d.Parts[i]; !p.Handle.closed && !d.Session.ended.Load() {
			p.Handle.machine.DurableReport(s.now, p.Position, &s.ready)
			s.carryOut(p.Handle)
		}
	}
}

// Proposed is a change of ISR that a replica proposes to the controller.
// ProposalDone of its handle must follow.
type Proposed struct {
	Handle *Handle
	replica.Proposal
}

// ISRs sends proposals to the controller. It is called on a shard's goroutine
// and must not wait; the list is its own.
type ISRs interface {
	Propose(list []Proposed)
}

// ProposalDone brings what came of a proposal to the replica.
func (h *Handle) ProposalDone(d replica.ProposalResult) {
	h.shard.in.Offer(&proposalDone{h, d})
}

type proposalDone struct {
	h      *Handle
	result replica.ProposalResult
}

func (m *proposalDone) on(s *Shard) {
	if !m.h.closed {
		m.h.machine.ProposalDone(s.now, m.result, &s.ready)
		s.carryOut(m.h)
	}
}
