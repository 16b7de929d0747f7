package fault

import (
	"math"
	"sync"
	"time"

	"github.com/moldau/moldau/sim/world"
)

// Inject lets a swarm's faults happen until stop closes, and returns when each
// has healed what it did. Nodes that a fault took down are up again, or
// starting, but for those that end by themselves again and again.
func Inject(w *world.World, swarm Swarm, clients []string, stop <-chan struct{}) {
	keys := newKeepers(w)
	var wg sync.WaitGroup
	for _, f := range swarm.Faults {
		site := &Site{
			World: w, Clients: clients, Rand: w.Streams().Stream("fault/" + f.Name), Stop: stop, name: f.Name, keys: keys,
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			for site.Hold(wait(site, f.Every)) {
				nodes := w.Nodes()
				site.Node = nodes[site.Rand.IntN(len(nodes))]
				f.Strike(site)
			}
		}()
	}
	for _, n := range w.Nodes() {
		wg.Add(1)
		go func() {
			defer wg.Done()
			revive(w, keys, n, stop)
		}()
	}
	wg.Wait()
}

// wait draws the time to the next strike: exponential, at most five times the mean.
func wait(s *Site, mean time.Duration) time.Duration {
	return time.Duration(math.Min(s.Rand.ExpFloat64(), 5) * float64(mean))
}
