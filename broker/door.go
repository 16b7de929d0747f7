package broker

import (
	"errors"
	"sync"

	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/quorum"
	"github.com/moldau/moldau/broker/raftmeta"
	"github.com/moldau/moldau/broker/server"
	"github.com/moldau/moldau/net/transport"
)

// door is what stands behind the controller listener, which is open before the
// node knows its cluster: at first nobody, then the lobby in which a new
// cluster's voters find each other, then the controller. It implements
// server.Handler and server.Sniffer.
type door struct {
	events event.Sink

	mu      sync.Mutex
	handler server.Handler // of the running controller, nil before
	quorum  *quorum.Quorum
	lobby   *raftmeta.Lobby
	refused string // the last refusal that was reported
}

// wait lets a lobby answer from now on.
func (d *door) wait(l *raftmeta.Lobby) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lobby = l
}

// open lets the controller serve from now on.
func (d *door) open(h server.Handler, q *quorum.Quorum) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.handler, d.quorum, d.lobby = h, q, nil
}

func (d *door) behind() (server.Handler, *quorum.Quorum, *raftmeta.Lobby) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.handler, d.quorum, d.lobby
}

// errDoorClosed ends a connection that came too early; who made it tries again.
var errDoorClosed = errors.New("the controller does not run yet")

// Serve implements server.Handler.
func (d *door) Serve(req *server.Request) (server.Body, bool, error) {
	h, _, _ := d.behind()
	if h == nil {
		return nil, false, errDoorClosed
	}
	return h.Serve(req)
}

// Gone implements server.Handler.
func (d *door) Gone(c *server.Conn) {
	if h, _, _ := d.behind(); h != nil {
		h.Gone(c)
	}
}

// Take implements server.Sniffer: raft's connections, and questions.
func (d *door) Take(tc transport.Conn, first []byte) {
	switch _, q, lobby := d.behind(); {
	case q != nil:
		q.AcceptRaft(tc, first)
	case lobby != nil:
		if err := lobby.Accept(tc, first); err != nil {
			d.report(err)
		}
	default:
		_ = tc.Close() // who made it tries again
	}
}

// report tells of a refusal, once where it repeats.
func (d *door) report(err error) {
	d.mu.Lock()
	again := d.refused == err.Error()
	d.refused = err.Error()
	d.mu.Unlock()
	if !again {
		d.events.Emit(quorum.RaftRefused{Err: err})
	}
}
