package quorum

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/raftmeta"
	"github.com/moldau/moldau/clock"
)

// Times of a change of the voters.
const (
	changeTimeoutDefault = 15 * time.Second // where the request names none
	changeTimeoutMax     = time.Minute
	changePoll           = 20 * time.Millisecond
)

// progress is how far the followers of this leader are, as their answers say.
type progress struct {
	mu   sync.Mutex
	list map[raft.ServerID]follower
}

type follower struct {
	lastIndex uint64
	heard     int64 // wall ms
	caughtUp  int64 // wall ms when its log was as long as the leader's, -1 never
}

// noteProgress takes the index of a follower's last entry.
func (q *Quorum) noteProgress(id raft.ServerID, lastIndex uint64) {
	end, _ := q.cfg.Store.Log.LastIndex()
	now := q.cfg.Clock.Wall()
	p := &q.progress
	p.mu.Lock()
	defer p.mu.Unlock()
	f, known := p.list[id]
	if !known {
		if len(p.list) >= progressMax || p.list == nil {
			p.list = map[raft.ServerID]follower{} // they all come again with their next answers
		}
		f.caughtUp = -1
	}
	f.lastIndex, f.heard = lastIndex, now
	if lastIndex >= end {
		f.caughtUp = now
	}
	p.list[id] = f
}

func (p *progress) of(id raft.ServerID) (follower, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f, ok := p.list[id]
	return f, ok
}

// voterError refuses a change of the voters.
func voterError(req kmsg.Request, code kafka.ErrorCode, format string, args ...any) kmsg.Response {
	message := fmt.Sprintf(format, args...)
	resp := req.ResponseKind()
	switch r := resp.(type) {
	case *kmsg.AddRaftVoterResponse:
		r.ErrorCode, r.ErrorMessage = int16(code), &message
	case *kmsg.RemoveRaftVoterResponse:
		r.ErrorCode, r.ErrorMessage = int16(code), &message
	}
	return resp
}

// changeRefused is the answer to a change that cannot begin now, or nil.
func (l *loop) changeRefused(req kmsg.Request, clusterID *string) kmsg.Response {
	switch {
	case clusterID != nil && *clusterID != l.cfg.Machine.ClusterID:
		return voterError(req, kafka.ErrInconsistentClusterID, "The request is for cluster %s, this is %s.", *clusterID, l.cfg.Machine.ClusterID)
	case l.office == nil || l.stop != nil:
		return voterError(req, kafka.ErrNotController, "The active controller is another node.")
	case l.changing:
		return voterError(req, kafka.ErrRequestTimedOut, "Another change of the voters is under way.")
	}
	return nil
}

// addVoter takes a controller among the voters (KIP-853): it follows as a
// non-voter until it has caught up.
func (l *loop) addVoter(req *kmsg.AddRaftVoterRequest, reply func(kmsg.Response)) {
	if refused := l.changeRefused(req, req.ClusterID); refused != nil {
		reply(refused)
		return
	}
	if req.VoterID < 0 || req.VoterDirectoryID == [16]byte{} {
		reply(voterError(req, kafka.ErrInvalidRequest, "A voter needs an id and a directory id."))
		return
	}
	id := raftmeta.ServerID(req.VoterID, req.VoterDirectoryID)
	servers, _ := l.inst.Load().servers()
	for _, s := range servers {
		if node, _, err := raftmeta.ParseServerID(s.ID); err == nil && node == req.VoterID && s.Suffrage == raft.Voter {
			reply(voterError(req, kafka.ErrDuplicateVoter, "Node %d is a voter already, as %s.", req.VoterID, s.ID))
			return
		}
	}
	timeout := time.Duration(req.TimeoutMillis) * time.Millisecond
	if timeout <= 0 {
		timeout = changeTimeoutDefault
	}
	l.change(req, reply, func() kmsg.Response { return l.Quorum.addVoter(req, id, min(timeout, changeTimeoutMax)) })
}

// change runs a change of the voters beside the loop, one at a time.
func (l *loop) change(req kmsg.Request, reply func(kmsg.Response), run func() kmsg.Response) {
	l.changing = true
	l.helpers.Add(1)
	go func() {
		defer l.helpers.Done()
		resp := run()
		if resp == nil {
			resp = req.ResponseKind()
		}
		resp.SetVersion(req.GetVersion())
		l.inbox.Offer(changed{})
		reply(resp)
	}()
}

// addVoter is nil when it succeeds.
func (q *Quorum) addVoter(req kmsg.Request, id raft.ServerID, timeout time.Duration) kmsg.Response {
	until := q.cfg.Clock.Mono().Add(timeout)
	if q.inst.Load().lone {
		m := remake{make(chan struct{})}
		if !q.inbox.Put(m) {
			return unavailable(req)
		}
		select {
		case <-m.done:
		case <-q.cfg.Life.Over():
			return unavailable(req)
		}
	}
	r := q.inst.Load().raft
	address := raft.ServerAddress(id)
	err := q.configure(until, func() raft.Future { return r.AddNonvoter(id, address, 0, changeTimeoutMax) })
	if err != nil {
		return voterError(req, kafka.ErrNotController, "%s was not added: %v.", id, err)
	}
	if !q.caughtUp(r, id, until) {
		_ = q.configure(until, func() raft.Future { return r.RemoveServer(id, 0, changeTimeoutMax) }) // as it was; else it stays without a vote
		return voterError(req, kafka.ErrRequestTimedOut, "%s did not catch up within %s; it must run with the controller role and be reachable.", id, timeout)
	}
	err = q.configure(until, func() raft.Future { return r.AddVoter(id, address, 0, changeTimeoutMax) })
	if err != nil {
		return voterError(req, kafka.ErrNotController, "%s was added without a vote: %v.", id, err)
	}
	return nil
}

// caughtUp waits until a follower's log is as long as this leader's.
func (q *Quorum) caughtUp(r *raft.Raft, id raft.ServerID, until clock.Mono) bool {
	began := q.cfg.Clock.Wall()
	for q.cfg.Clock.Mono() < until && r.State() == raft.Leader {
		if f, ok := q.progress.of(id); ok && f.heard >= began && f.caughtUp >= began {
			return true
		}
		if !q.cfg.Clock.Sleep(changePoll, q.done) {
			return false
		}
	}
	return false
}

// errChangeLate: raft did not commit a configuration in time.
var errChangeLate = errors.New("it was not committed in time; it may be yet")

// configure has raft commit a configuration. A raft that was started just now
// has no leader yet, and is asked again.
func (q *Quorum) configure(until clock.Mono, begin func() raft.Future) error {
	for {
		err := q.outcome(begin(), until)
		if !errors.Is(err, raft.ErrNotLeader) || q.cfg.Clock.Mono() >= until {
			return err
		}
		if !q.cfg.Clock.Sleep(changePoll, q.done) {
			return err
		}
	}
}

// outcome waits for a future of raft's, at most until a time.
func (q *Quorum) outcome(f raft.Future, until clock.Mono) error {
	result := make(chan error, 1)
	go func() { result <- f.Error() }()
	timer := q.cfg.Clock.NewTimer(until.Sub(q.cfg.Clock.Mono()))
	defer timer.Stop()
	select {
	case err := <-result:
		return err
	case <-timer.C():
		return errChangeLate
	case <-q.cfg.Life.Over():
		return raft.ErrRaftShutdown
	}
}

// removeVoter takes a voter out (KIP-853). The last one stays.
func (l *loop) removeVoter(req *kmsg.RemoveRaftVoterRequest, reply func(kmsg.Response)) {
	if refused := l.changeRefused(req, req.ClusterID); refused != nil {
		reply(refused)
		return
	}
	id := raftmeta.ServerID(req.VoterID, req.VoterDirectoryID)
	inst := l.inst.Load()
	servers, _ := inst.servers()
	known, voter := false, false
	for _, s := range servers {
		if s.ID == id {
			known, voter = true, s.Suffrage == raft.Voter
		}
	}
	switch {
	case !known:
		reply(voterError(req, kafka.ErrVoterNotFound, "%s is no voter.", id))
		return
	case voter && inst.voters() == 1:
		reply(voterError(req, kafka.ErrInvalidRequest, "%s is the only voter.", id))
		return
	}
	until := l.cfg.Clock.Mono().Add(changeTimeoutDefault)
	l.change(req, reply, func() kmsg.Response {
		err := l.configure(until, func() raft.Future { return inst.raft.RemoveServer(id, 0, changeTimeoutMax) })
		if err != nil {
			return voterError(req, kafka.ErrNotController, "%s was not removed: %v.", id, err)
		}
		return nil
	})
}
