package fault

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/moldau/moldau/net/simnet"
	"github.com/moldau/moldau/sim/world"
)

// Config says where and when faults happen.
type Config struct {
	World *world.World
	Swarm Swarm
	// Clients are the hosts of clients.
	Clients []string
	// Link is how traffic between hosts fares when nothing is wrong.
	Link simnet.Link
	// Resettle draws the settings of a process that is started with others; nil
	// keeps them.
	Resettle func(*rand.Rand) world.Settings
	// Renewed is told of a node that was started anew because it had lost a log
	// directory; it may wait for stop.
	Renewed func(n *world.Node, stop <-chan struct{})
	// Stop ends all faults.
	Stop <-chan struct{}
}

// Injector lets faults happen. Make it with New.
type Injector struct {
	cfg    Config
	keys   *keepers
	layers *layers
}

// New returns an injector that does nothing yet.
func New(cfg Config) *Injector {
	return &Injector{cfg: cfg, keys: newKeepers(cfg.World), layers: newLayers(cfg.World, cfg.Link)}
}

// Site is where the fault of a name strikes node, which may be nil. Each call
// makes the name's stream anew.
func (in *Injector) Site(name string, node *world.Node) *Site {
	return &Site{
		World: in.cfg.World, Node: node, Clients: in.cfg.Clients, Rand: in.cfg.World.Streams().Stream("fault/" + name),
		Stop: in.cfg.Stop, name: name, keys: in.keys, layers: in.layers, resettle: in.cfg.Resettle,
	}
}

// Run lets the swarm's faults happen until Stop closes, and returns when each
// has healed what it did. Nodes that a fault took down are up again, or
// starting, but for those that end by themselves again and again.
func (in *Injector) Run() {
	nodes := in.cfg.World.Nodes()
	var wg sync.WaitGroup
	for _, f := range in.cfg.Swarm.Faults {
		site := in.Site(f.Name, nil)
		wg.Add(1)
		go func() {
			defer wg.Done()
			for site.Hold(wait(site, f.Every)) {
				site.Node = nodes[site.Rand.IntN(len(nodes))]
				f.Strike(site)
			}
		}()
	}
	for _, n := range nodes {
		wg.Add(1)
		go func() {
			defer wg.Done()
			in.supervise(n)
		}()
	}
	wg.Wait()
}

// wait draws the time to the next strike: exponential, at most five times the mean.
func wait(s *Site, mean time.Duration) time.Duration {
	return time.Duration(math.Min(s.Rand.ExpFloat64(), 5) * float64(mean))
}
