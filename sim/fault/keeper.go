package fault

import (
	"time"

	"github.com/moldau/moldau/sim/world"
)

// keepers lets one fault at a time start and end processes of a node.
type keepers struct {
	held map[*world.Node]chan struct{} // one slot
}

func newKeepers(w *world.World) *keepers {
	k := &keepers{held: map[*world.Node]chan struct{}{}}
	for _, n := range w.Nodes() {
		k.held[n] = make(chan struct{}, 1)
	}
	return k
}

// Keep takes the node's processes for this fault until release; false if
// another fault has them.
func (s *Site) Keep() (release func(), ok bool) {
	slot := s.keys.held[s.Node]
	select {
	case slot <- struct{}{}:
		return func() { <-slot }, true
	default:
		return nil, false
	}
}

// reviveAfter is how long a process that ended by itself stays down.
const reviveAfter = 500 * time.Millisecond

// revive starts a node again whose process ended by itself, as a supervisor does.
func revive(w *world.World, keys *keepers, n *world.Node, stop <-chan struct{}) {
	slot := keys.held[n]
	for {
		select {
		case <-stop:
			return
		case <-n.Ended():
		}
		if !w.Sleep(reviveAfter, stop) {
			return
		}
		select {
		case slot <- struct{}{}:
		case <-stop:
			return
		}
		if !n.Running() {
			if err := n.Start(); err != nil {
				w.Trace("inject", err.Error())
			}
		}
		<-slot
	}
}
