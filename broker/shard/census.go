package shard

import (
	"slices"

	"github.com/moldau/moldau/broker/coord"
)

// census asks a shard what its coordinators hold.
type census struct{ done chan<- []coord.Count }

func (m *census) on(s *Shard) {
	var sum []coord.Count
	for _, h := range s.coords {
		sum = add(sum, h.coord.runtime.Census())
	}
	m.done <- sum
}

// Census is what the coordinators of this broker that serve hold together.
func (m *Manager) Census() []coord.Count {
	done := make(chan []coord.Count, len(m.shards))
	asked := 0
	for _, s := range m.shards {
		if s.in.Put(&census{done}) {
			asked++
		}
	}
	var sum []coord.Count
	for range asked {
		sum = add(sum, <-done)
	}
	return sum
}

// add sums counts by what they are of.
func add(sum, more []coord.Count) []coord.Count {
	for _, c := range more {
		at := slices.IndexFunc(sum, func(o coord.Count) bool { return o.What == c.What })
		if at < 0 {
			sum = append(sum, c)
			continue
		}
		sum[at].N += c.N
	}
	return sum
}
