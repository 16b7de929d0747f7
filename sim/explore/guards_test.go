//go:build explore

package explore

import (
	"testing"

	"github.com/moldau/moldau/internal/guard"
)

// Each rule that shows soon is needed: without it, the contract is broken. The
// others are make explore GUARDS=1.
func TestGuards(t *testing.T) {
	seen := map[guard.Rule]bool{}
	for _, g := range Guards() {
		seen[g.Rule] = true
		if g.Idle != "" || g.Deep {
			continue
		}
		t.Run(g.Rule.String(), func(t *testing.T) {
			o := Options{StatesMax: 400_000}
			if g.Heal {
				o.ProbeEvery = 1
			}
			r := Explore(g.World, o)
			if r.Wrong == "" {
				t.Fatalf("nothing in %d states, depth %d, complete %t", r.States, r.Depth, r.Complete)
			}
			t.Logf("%s, after %d steps", r.Wrong, len(r.Steps))
		})
	}
	for r := range guard.Rules {
		if !seen[r] {
			t.Errorf("%s has no world", r)
		}
	}
}
