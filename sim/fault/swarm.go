package fault

import (
	"math/rand/v2"
	"time"
)

// Swarm is what a seed lets happen: a subset of the faults, each with its rate.
type Swarm struct {
	Faults []Rated
}

// Rated is a fault and the mean time between its strikes.
type Rated struct {
	Fault
	Every time.Duration
}

// Draw draws a swarm out of candidates: each by its weight, with a rate of a
// third to three times its own. beyond allows faults that destroy more than the
// promise must survive.
func Draw(draw *rand.Rand, candidates []Fault, beyond bool) (s Swarm) {
	for _, f := range candidates {
		in, factor := draw.IntN(100) < f.Weight, 0.33+draw.Float64()*2.67
		if in && (beyond || !f.Beyond) {
			s.Faults = append(s.Faults, Rated{Fault: f, Every: time.Duration(float64(f.Every) * factor)})
		}
	}
	return s
}

// Names are those of the swarm's faults.
func (s Swarm) Names() (names []string) {
	for _, f := range s.Faults {
		names = append(names, f.Name)
	}
	return names
}

// With returns the swarm with the faults added, at their own rates, unless it
// has them.
func (s Swarm) With(faults ...Fault) Swarm {
	out := Swarm{Faults: append([]Rated(nil), s.Faults...)}
	for _, f := range faults {
		if !out.has(f.Name) {
			out.Faults = append(out.Faults, Rated{Fault: f, Every: f.Every})
		}
	}
	return out
}

// Without returns the swarm without the faults of the names.
func (s Swarm) Without(names ...string) (out Swarm) {
	for _, f := range s.Faults {
		keep := true
		for _, name := range names {
			keep = keep && f.Name != name
		}
		if keep {
			out.Faults = append(out.Faults, f)
		}
	}
	return out
}

func (s Swarm) has(name string) bool {
	for _, f := range s.Faults {
		if f.Name == name {
			return true
		}
	}
	return false
}
