package workload

import (
	"math/rand/v2"

	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/net/transport"
)

// Env is what one actor runs on. All fields but Calm are required; actors do
// not share an Env.
type Env struct {
	Network   transport.Network // the view of the client's host
	Clock     clock.Clock       // the client's own, true
	Rand      *rand.Rand        // of this actor alone
	Recorder  *Recorder
	Bootstrap []string // addresses, host:port
	Name      string   // of the client, in operations; unique in a run
	// Calm, when it is closed, ends what an actor does to itself: members stay
	// in their groups, admins take no topic away, producers keep on. From the
	// mark that all is healed the world keeps it closed. nil never closes.
	Calm <-chan struct{}
	// Stop, when it is closed, ends the starting of operations. Those under way
	// end within their time limits, and then Run returns.
	Stop <-chan struct{}
}

// Actor is one client of a run.
type Actor interface {
	// Run works until env.Stop closes, and leaves nothing behind.
	Run(env *Env)
}

// stopping reports whether no operation is to be started any more.
func (e *Env) stopping() bool { return closed(e.Stop) }

// calm reports whether the actor leaves itself alone.
func (e *Env) calm() bool { return e.Calm != nil && closed(e.Calm) }

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// trace writes a line of the actor's lane.
func (e *Env) trace(what string) { e.Recorder.Trace(e.Name, what) }
