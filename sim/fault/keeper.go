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

// superviseAfter passes before a process that ended by itself, or lost a log
// directory, is started anew.
const superviseAfter = time.Second

// supervise starts a node again whose process ended by itself, or lost a log
// directory, as its operator would.
func (in *Injector) supervise(n *world.Node) {
	w, slot, stop := in.cfg.World, in.keys.held[n], in.cfg.Stop
	for {
		select {
		case <-stop:
			return
		case <-n.Ended():
		case <-n.Lacking():
		}
		if !w.Sleep(superviseAfter, stop) {
			return
		}
		select {
		case slot <- struct{}{}:
		case <-stop:
			return
		}
		lacked := Renew(w, n)
		<-slot
		if lacked && in.cfg.Renewed != nil {
			in.cfg.Renewed(n, stop)
		}
	}
}

// Renew starts a node whose process is gone, and starts one anew that has lost
// a log directory, which it reports.
func Renew(w *world.World, n *world.Node) (lacked bool) {
	select {
	case <-n.Lacking():
		lacked = true
		if n.Running() && n.Stop(gracefulMax) != nil {
			n.Kill()
		}
	default:
	}
	if n.Running() {
		return lacked
	}
	if err := n.Start(); err != nil {
		w.Trace("inject", err.Error())
	}
	return lacked
}
