package fault

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/moldau/moldau/sim/world"
)

// Fault is one kind of thing that happens.
type Fault struct {
	Name string
	// About says what happens, how it heals, and what must hold all the same.
	About string
	// Marks are the counters of which at least one proves that it hit.
	Marks []string
	// Weight is how likely a swarm has it, in percent.
	Weight int
	// Every is the mean time between the end of one strike and the next, before
	// the swarm's own factor.
	Every time.Duration
	// Strike lets it happen once, and returns when it has healed.
	Strike func(s *Site)
	// Beyond says that it destroys more than one copy may lose: a swarm has it
	// only where the run allows that.
	Beyond bool
}

// Site is where a fault strikes.
type Site struct {
	World *world.World
	// Node is the one that was drawn for this strike.
	Node *world.Node
	// Clients are the hosts of clients.
	Clients []string
	// Rand is the fault's own stream.
	Rand *rand.Rand
	// Stop is closed when faults are to end; who waits then heals at once.
	Stop <-chan struct{}

	name     string
	keys     *keepers
	layers   *layers
	resettle func(*rand.Rand) world.Settings
}

// Trace says what the injector does.
func (s *Site) Trace(format string, args ...any) {
	s.World.Trace("inject", s.name+": "+fmt.Sprintf(format, args...))
}

// Hold waits for d, or until faults are to end, which it reports as false.
func (s *Site) Hold(d time.Duration) bool { return s.World.Sleep(d, s.Stop) }

// Between draws a time from least to most.
func (s *Site) Between(least, most time.Duration) time.Duration {
	return least + time.Duration(s.Rand.Int64N(int64(most-least)+1))
}

// Peer draws who the node talks to: a client's host, or another node's.
func (s *Site) Peer() string {
	hosts := slices.Clone(s.Clients)
	for _, n := range s.World.Nodes() {
		if n != s.Node {
			hosts = append(hosts, n.Host)
		}
	}
	return hosts[s.Rand.IntN(len(hosts))]
}

// Names lists all faults' names.
func Names() []string {
	var names []string
	for _, f := range All() {
		names = append(names, f.Name)
	}
	return names
}

// Find returns the faults of the names. A wrong name is an error that names
// the valid ones.
func Find(names ...string) ([]Fault, error) {
	var found []Fault
	all := All()
	for _, name := range names {
		i := slices.IndexFunc(all, func(f Fault) bool { return f.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("no fault %q; there are %s", name, strings.Join(Names(), ", "))
		}
		found = append(found, all[i])
	}
	return found, nil
}
