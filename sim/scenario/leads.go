package scenario

import (
	"sync"

	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/sim/world"
)

// leads is which nodes hold themselves for a partition's leader, and under which
// epochs: what is acknowledged by a leader alone may be lost when another one
// leads, whether the first knows of it or not.
type leads struct {
	mu     sync.Mutex
	newest map[folder]lead
	office int32            // the node that last became the active controller
	held   map[copyOf]int32 // the epoch under which a node leads as far as it knows
}

type lead struct {
	node  int32
	epoch int32
}

func newLeads() *leads { return &leads{newest: map[folder]lead{}, held: map[copyOf]int32{}} }

// begin notes that a node leads, and reports whether that is another one than
// before. One that is late, as a newer epoch has begun, is not.
func (l *leads) begin(node int32, f folder, epoch int32) (moved bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[copyOf{node, f}] = epoch
	before, there := l.newest[f]
	if there && before.epoch >= epoch {
		return false
	}
	l.newest[f] = lead{node, epoch}
	return !there || before.node != node
}

// end notes that a node knows that it leads no more, and reports whether another
// one had begun to.
func (l *leads) end(node int32, f folder) (stale bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := copyOf{node, f}
	epoch, held := l.held[at]
	delete(l.held, at)
	return held && l.newest[f].epoch > epoch
}

// dead lists the partitions that a node led, as far as it knew, when its process
// ended, though another one had begun to.
func (l *leads) dead(node int32) (stale []folder) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for at, epoch := range l.held { //det:ok each becomes an event of its own at one time
		if at.node != node {
			continue
		}
		if l.newest[at.folder].epoch > epoch {
			stale = append(stale, at.folder)
		}
		delete(l.held, at)
	}
	sortFolders(stale)
	return stale
}

// leader is the node that leads a partition, 0 before there was one.
func (l *leads) leader(f folder) int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.newest[f].node
}

// controls notes the active controller.
func (l *leads) controls(n *world.Node) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.office = n.ID
}

func (l *leads) controller() int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.office
}

// led tells the checkers of another leader.
func (r *run) led(n *world.Node, topic string, partition, epoch int32, leads bool) {
	f := folder{topic, partition}
	switch {
	case leads && r.leads.begin(n.ID, f, epoch):
		r.partitionEvent(history.EventLeader, n.ID, f)
	case !leads && r.leads.end(n.ID, f):
		r.staleLeader(n.ID, f)
	}
}

// processEnded tells the checkers of leaders that have ended without learning
// that others had taken over.
func (r *run) processEnded(node int32) {
	for _, f := range r.leads.dead(node) {
		r.staleLeader(node, f)
	}
}

func (r *run) staleLeader(node int32, f folder) {
	r.tellPartition(history.Event{Kind: history.EventLeader, Node: node, Name: history.StaleLeader}, f)
}
