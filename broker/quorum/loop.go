package quorum

import (
	"fmt"
	"time"

	"github.com/hashicorp/raft"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/controller"
	"github.com/moldau/moldau/clock"
)

// loop is the state of the role. One goroutine owns it.
type loop struct {
	*Quorum
	machine *controller.Machine
	timer   clock.Timer

	office      *office // nil out of office
	electing    bool    // elected, but the image lacks entries of earlier terms
	handled     uint64  // raft's index up to which entries were looked at
	replayNoted bool    // Replayed was closed
	feed        feed
	backlog     []request // requests that wait for room in flight
	parked      []parkedFetch
	observers   map[observerKey]observer

	lastLeader   int32 // that the last turn knew
	changing     bool  // a change of voters is under way
	remakes      []remake
	parted       bool // raft must start anew on what the store has now
	snapshotting bool
	snapshotNext clock.Mono // no snapshot before
	snapshotAt   clock.Mono // when the last one ended, or this loop began
	stalled      bool

	stop     *stopping
	stopTill clock.Mono
}

func newLoop(q *Quorum) *loop {
	return &loop{Quorum: q, lastLeader: -1, snapshotAt: q.cfg.Clock.Mono(), machine: controller.New(q.cfg.Machine), observers: map[observerKey]observer{}}
}

// raft is the running instance's.
func (l *loop) raft() *raft.Raft { return l.inst.Load().raft }

func (l *loop) times() controller.Times {
	return controller.Times{Mono: l.cfg.Clock.Mono(), Wall: l.cfg.Clock.Wall()}
}

// run takes everything that waits in one turn: first whether the office was
// won or lost, then messages (heartbeats among them), only then time, so that
// a late turn does not end sessions whose heartbeats are here.
func (l *loop) run() {
	defer close(l.done)
	l.timer = l.cfg.Clock.NewTimer(l.cfg.Machine.HeartbeatInterval)
	defer l.timer.Stop()
	var buf []message
	l.noteReplay()
	for {
		leading, changed := false, false
		select {
		case leading = <-l.raft().LeaderCh():
			changed = true
		case <-l.inbox.Wake():
		case <-l.timer.C():
		case <-l.cfg.Life.Over():
			return
		}
		if !changed {
			select {
			case leading = <-l.raft().LeaderCh():
				changed = true
			default:
			}
		}
		if changed {
			l.officeChanged(leading)
		}
		buf, _ = l.inbox.Take(buf)
		for _, m := range buf {
			l.receive(m)
		}
		l.work()
		next := l.tick()
		l.remakeRaft()
		l.timer.Reset(next)
		if l.stop != nil && l.stopped() {
			return
		}
	}
}

func (l *loop) receive(m message) {
	switch m := m.(type) {
	case request:
		l.backlog = append(l.backlog, m)
	case applied:
		if m.life == l.inst.Load().life {
			l.committed(m)
		}
	case restored:
		if m.life == l.inst.Load().life {
			if m.installed {
				l.cfg.Events.Emit(SnapshotInstalled{Name: m.id.String()})
			}
			l.feed.restore(m.id)
			l.handled = max(l.handled, l.cfg.Store.Snapshots.LatestIndex())
			l.noteReplay()
			l.wakeFetches()
		}
	case remake:
		l.remakes = append(l.remakes, m)
	case parted:
		l.parted = l.parted || m.life == l.inst.Load().life
	case changed:
		l.changing = false
	case snapshotDone:
		l.snapshotEnded(m.err)
	case gone:
		l.machine.Disconnected(l.times(), m.broker, m.epoch)
	case stopping:
		l.stop, l.stopTill = &m, l.cfg.Clock.Mono().Add(stopWaitMax)
	}
}

// noteReplay tells who waits that the log of the start is in the image.
func (l *loop) noteReplay() {
	if !l.replayNoted && l.handled >= l.replayEnd {
		l.replayNoted = true
		close(l.replayed)
	}
}

// work serves the backlog while there is room in flight.
func (l *loop) work() {
	n := 0
	for n < len(l.backlog) && l.room() && l.stop == nil {
		l.serve(l.backlog[n])
		n++
	}
	clear(l.backlog[:n])
	l.backlog = l.backlog[n:]
	if len(l.backlog) == 0 {
		l.backlog = nil
	}
}

func (l *loop) serve(r request) {
	switch req := r.req.(type) {
	case *kmsg.FetchRequest:
		l.fetch(req, r.reply)
	case *kmsg.DescribeQuorumRequest:
		r.reply(l.describeQuorum(req))
	case *kmsg.DescribeClusterRequest:
		r.reply(l.describeCluster(req))
	case *kmsg.AddRaftVoterRequest:
		l.addVoter(req, r.reply)
	case *kmsg.RemoveRaftVoterRequest:
		l.removeVoter(req, r.reply)
	default:
		l.handle(r)
	}
}

// tick does what time asks for and tells when it wants to be called again.
func (l *loop) tick() time.Duration {
	t := l.times()
	next := l.cfg.Machine.HeartbeatInterval
	l.watchStore()
	if l.office != nil && (l.raft().State() != raft.Leader || l.raft().CurrentTerm() != l.office.term) {
		l.lose()
	}
	if l.office == nil {
		l.machine.StandBy(t)
	}
	if l.office != nil && l.room() && l.stop == nil {
		before := l.machine.Image()
		var decisions [][]record
		decisions, next = l.machine.Tick(t)
		for _, records := range decisions {
			l.propose(records, before, t.Wall)
		}
	}
	if leader, _ := l.leader(); leader != l.lastLeader {
		l.lastLeader = leader
		l.wakeFetches()
	}
	next = min(next, l.expireFetches(t.Mono))
	l.maybeSnapshot(t.Mono)
	return max(next, time.Millisecond)
}

// watchStore closes raft's connections while a call of the store hangs, so that
// another voter takes the office, and gives it up here. A lone voter keeps it:
// nobody else could have it.
func (l *loop) watchStore() {
	stalled := l.cfg.Store.Guard().Busy() > l.cfg.StallLimit
	if stalled == l.stalled {
		return
	}
	l.stalled = stalled
	inst := l.inst.Load()
	inst.transport.Suspend(stalled)
	switch {
	case stalled && l.office != nil && inst.voters() > 1:
		l.lose()
	case !stalled && l.office == nil && inst.raft.State() == raft.Leader:
		l.electing = true // perhaps nobody else has it; raft knows soon
		l.maybeWin()
	}
	l.cfg.Events.Emit(StoreStalled{Stalled: stalled})
}

// remakeRaft ends a raft whose log is another now, or a lone voter's, and starts
// one with a cluster's times on the same stores. What is applied again is in the
// image already.
func (l *loop) remakeRaft() {
	if len(l.remakes) == 0 && !l.parted {
		return
	}
	defer func() {
		for _, m := range l.remakes {
			close(m.done)
		}
		l.remakes, l.parted = nil, false
	}()
	old := l.inst.Load()
	if !old.lone && !l.parted || l.stop != nil {
		return
	}
	if l.office != nil {
		l.lose()
	}
	l.electing = false
	err := old.shutdown().Error()
	var inst *instance
	if err == nil {
		l.feed, l.handled = feed{}, l.cfg.Store.Snapshots.LatestIndex()
		inst, err = l.newInstance(old.life+1, false)
	}
	if err != nil {
		l.cfg.OnFailure(fmt.Errorf("start raft anew: %w", err))
		return
	}
	l.inst.Store(inst)
}

// stopped ends the role if it may end now, and reports whether it did.
func (l *loop) stopped() bool {
	inFlight := l.office != nil && len(l.office.proposals) > 0
	if l.stop.clean && l.cfg.Clock.Mono() < l.stopTill && (inFlight || l.snapshotting) {
		return false
	}
	l.inbox.Close()
	if l.office != nil {
		l.lose()
	}
	rest, _ := l.inbox.Take(nil)
	for _, m := range rest {
		switch m := m.(type) {
		case request:
			l.backlog = append(l.backlog, m)
		case remake:
			l.remakes = append(l.remakes, m)
		}
	}
	for _, r := range l.backlog {
		r.reply(unavailable(r.req))
	}
	for _, p := range l.parked {
		p.reply(unavailable(p.req))
	}
	l.remakeRaft()
	return true
}
