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
	held   map[copyOf]int32 // the epoch under which a node leads as far as it knows
}

type lead struct {
	node  int32
	epoch int32
}

func newLeads() *leads { return &leads{newest: map[folder]lead{}, held: map[copyOf]int32{}} }

// begin notes that a node leads, and reports whether that is another one than
// before.
func (l *leads) begin(node int32, f folder, epoch int32) (moved bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[copyOf{node, f}] = epoch
	before, there := l.newest[f]
	if there && before.epoch >= epoch {
		return true // late, but it has led
	}
	l.newest[f] = lead{node, epoch}
	return there && before.node != node
}

// end notes that a node knows that it leads no more, and reports whether it did.
func (l *leads) end(node int32, f folder) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := copyOf{node, f}
	_, held := l.held[at]
	delete(l.held, at)
	return held
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

// led tells the checkers of another leader.
func (r *run) led(n *world.Node, topic string, partition, epoch int32, leads bool) {
	f := folder{topic, partition}
	if leads && r.leads.begin(n.ID, f, epoch) || !leads && r.leads.end(n.ID, f) {
		r.partitionEvent(history.EventLeader, n.ID, f)
	}
}

// processEnded tells the checkers of leaders that have ended without learning
// that others had taken over.
func (r *run) processEnded(node int32) {
	for _, f := range r.leads.dead(node) {
		r.partitionEvent(history.EventLeader, node, f)
	}
}
