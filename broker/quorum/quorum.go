package quorum

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/controller"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/raftmeta"
	"github.com/moldau/moldau/internal/inbox"
	"github.com/moldau/moldau/net/transport"
)

// Quorum is a running controller role. Make it with New, end it with Stop or Kill.
type Quorum struct {
	cfg      Config
	inst     atomic.Pointer[instance] // the loop replaces it
	progress progress
	inbox    *inbox.Inbox[message]

	endOnce sync.Once
	endErr  error
	done    chan struct{} // closed when the loop has ended

	replayed  chan struct{}  // closed when handled reaches replayEnd
	replayEnd uint64         // raft's index of the last record entry at the start
	helpers   sync.WaitGroup // the snapshot and the change of voters under way

	forgetLife func()
	unclean    atomic.Uint64 // see UncleanElections
	told       atomic.Int32  // see NoteActive
}

// UncleanElections is how many this node decided upon as the active controller
// since it started; it counts those that were committed.
func (q *Quorum) UncleanElections() uint64 { return q.unclean.Load() }

// NoteActive says who the active controller is, as this node's broker was told.
// Raft tells it to voters alone; an observer, and a voter that was removed, name
// this one to who asks.
func (q *Quorum) NoteActive(node int32) { q.told.Store(node) }

// message is what the loop receives.
type message interface{ isMessage() }

// request is a request of the controller listener.
type request struct {
	req   kmsg.Request
	reply func(kmsg.Response)
}

// applied: committed entries are in the published image.
type applied struct {
	life    int // of the instance that applied them
	entries []raftmeta.Applied
	handled uint64 // raft's index looked at
}

// restored: the committed log begins behind a snapshot.
type restored struct {
	life      int
	id        raftmeta.SnapshotID
	installed bool // it came from the leader
}

// remake asks for raft with a cluster's times; done is closed when it runs.
type remake struct{ done chan struct{} }

// parted: a snapshot took the place of a log that had gone another way, which raft
// notices when it starts anew.
type parted struct{ life int }

// changed: the change of voters that was under way ended.
type changed struct{}

// snapshotDone: the snapshot that the loop asked for ended.
type snapshotDone struct{ err error }

// gone: the connection of a broker broke.
type gone struct {
	broker int32
	epoch  int64
}

// stopping asks the loop to end, after what is in flight if clean.
type stopping struct{ clean bool }

func (request) isMessage()      {}
func (applied) isMessage()      {}
func (restored) isMessage()     {}
func (snapshotDone) isMessage() {}
func (gone) isMessage()         {}
func (stopping) isMessage()     {}
func (remake) isMessage()       {}
func (changed) isMessage()      {}
func (parted) isMessage()       {}

// New starts the role: raft on the store, and the loop. A lone voter is the
// active controller some milliseconds later. The store belongs to the Quorum
// from then on, also when New fails.
func New(cfg Config) (*Quorum, error) {
	if err := cfg.validate(); err != nil {
		return nil, closing(cfg, err)
	}
	q := &Quorum{cfg: cfg, inbox: inbox.New[message](inboxLenMax), done: make(chan struct{}), replayed: make(chan struct{})}
	q.replayEnd = cfg.Store.Log.LastCommand()
	q.told.Store(-1)
	l := newLoop(q)
	if err := q.startRaft(); err != nil {
		return nil, closing(cfg, err)
	}
	// Who waits for raft's main goroutine, as a snapshot does, hears from the
	// shutdown alone that a store that failed has ended it.
	cfg.Store.Guard().OnFailed(func() { q.inst.Load().shutdown() })
	q.forgetLife = cfg.Life.OnEnd(q.abandon)
	l.handled = cfg.Store.Snapshots.LatestIndex()
	go l.run()
	return q, nil
}

func closing(cfg Config, err error) error {
	if cfg.Store == nil {
		return err
	}
	return errors.Join(err, cfg.Store.Close())
}

// errStoreEnded: the store ended raft's goroutine; it has told the node why.
var errStoreEnded = errors.New("the metadata store failed")

// newRaft starts raft. Its stores end a goroutine that they cannot serve, so
// that raft does not panic.
func newRaft(cfg *raft.Config, fsm raft.FSM, st *raftmeta.Store, trans raft.Transport) (r *raft.Raft, err error) {
	err = errStoreEnded
	done := make(chan struct{})
	go func() {
		defer close(done)
		r, err = raft.NewRaft(cfg, fsm, st.Log, st.Stable, st.Snapshots, trans)
	}()
	<-done
	return r, err
}

// Handles reports whether Dispatch serves requests of the key.
func Handles(key int16) bool {
	switch kmsg.Key(key) {
	case kmsg.Fetch, kmsg.FetchSnapshot, kmsg.DescribeQuorum, kmsg.DescribeCluster, kmsg.AddRaftVoter, kmsg.RemoveRaftVoter:
		return true
	}
	return controller.Handles(key)
}

// Dispatch takes a request of the controller listener; reply is called exactly
// once, from the loop or from this call, and must not wait. It reports false,
// without calling reply, for a key that this role does not serve (ApiVersions
// among them: the listener answers that itself).
func (q *Quorum) Dispatch(req kmsg.Request, reply func(kmsg.Response)) bool {
	if !Handles(req.Key()) {
		return false
	}
	if snap, ok := req.(*kmsg.FetchSnapshotRequest); ok {
		reply(q.fetchSnapshot(snap)) // reads a file: on the caller's goroutine
		return true
	}
	if !q.inbox.Put(request{req, reply}) {
		reply(unavailable(req))
	}
	return true
}

// Replayed is closed once the published image contains every record that the
// metadata log held when this node started. What a broker proves of its
// directories, and what it deletes as stray, must rest on no older image.
func (q *Quorum) Replayed() <-chan struct{} { return q.replayed }

// unavailable answers a request when the role has ended.
func unavailable(req kmsg.Request) kmsg.Response {
	switch req := req.(type) {
	case *kmsg.FetchRequest:
		return fetchError(req, kafka.ErrNotController)
	case *kmsg.DescribeQuorumRequest:
		return describeQuorumError(req, kafka.ErrNotController)
	case *kmsg.DescribeClusterRequest:
		return describeClusterError(req, kafka.ErrNotController, "This controller is stopping.")
	case *kmsg.AddRaftVoterRequest, *kmsg.RemoveRaftVoterRequest:
		return voterError(req, kafka.ErrNotController, "This controller is stopping.")
	}
	return controller.NotController(req)
}

// Gone says that the connection over which a broker incarnation sent its
// heartbeats broke: its session ends after a grace unless another brings them.
func (q *Quorum) Gone(broker int32, epoch int64) { q.inbox.Put(gone{broker, epoch}) }

// AcceptRaft takes over a connection whose first bytes are those of a raft
// preamble (the first int32 is negative). The connection is closed here.
func (q *Quorum) AcceptRaft(conn transport.Conn, first []byte) {
	if err := q.inst.Load().transport.AcceptRaft(conn, first); err != nil {
		q.cfg.Events.Emit(RaftRefused{Err: err})
	}
}

// Stop ends the role cleanly: what is decided is committed or dropped, a
// checkpoint is written at the last committed record, raft is shut down.
func (q *Quorum) Stop() error { return q.end(true) }

// Kill ends the role at once, as a crash would; no checkpoint is written.
func (q *Quorum) Kill() error { return q.end(false) }

func (q *Quorum) end(clean bool) error {
	q.endOnce.Do(func() {
		q.inbox.Offer(stopping{clean})
		<-q.done
		var err error
		inst := q.inst.Load()
		if clean {
			err = q.lastSnapshot()
			inst.handOver()
		}
		err = errors.Join(err, inst.shutdown().Error())
		q.helpers.Wait()
		q.endErr = errors.Join(err, q.cfg.Store.Close())
		q.forgetLife()
	})
	return q.endErr
}

// abandon ends what waits for the loop or for raft, and raft's goroutines.
func (q *Quorum) abandon() {
	q.inbox.Close()
	q.inst.Load().raft.Shutdown() // who would wait for it waits for goroutines that are gone
}

// lastSnapshot writes a checkpoint at the last committed record, unless the
// newest one is there already.
func (q *Quorum) lastSnapshot() error {
	img := q.cfg.Holder.Load()
	id, ok := q.cfg.Store.Snapshots.Latest()
	if img.Empty() || img.InTransaction() || ok && id.EndOffset == img.Offset()+1 {
		return nil
	}
	if err := q.inst.Load().raft.Snapshot().Error(); err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) {
		return fmt.Errorf("write the last checkpoint: %w", err)
	}
	return nil
}
