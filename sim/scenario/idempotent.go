package scenario

import (
	"slices"
	"time"

	"github.com/moldau/moldau/sim/workload"
)

// idempotentRetries has producers repeat themselves over crashes and lost
// answers: each batch is there once, in order, and no producer is forgotten.
func idempotentRetries() Scenario {
	return Scenario{
		Name:  "idempotent",
		About: "idempotent producers repeat what got no answer, over crashes, power loss and a bad network",
		Plan: func(d *Draw) Plan {
			return Plan{
				Nodes: oneNode(d.Rand), Topics: synced(d.Rand, 1+d.Rand.IntN(2)), Net: anyNet(d.Rand), Resettle: Settings,
				Faults: d.swarm(slices.Concat(processFaults[:], networkFaults[:])...).With(named("net-lost-replies")...),
				Clients: func(topics []*workload.Topic) (actors []workload.Actor) {
					for range 3 {
						p := idempotent(d.Rand, topics)
						p.KeepsID = true
						actors = append(actors, p)
					}
					return append(actors, reader(d.Rand, topics), workload.IDTaker{Every: 2 * time.Second, Timeout: clientTimeout})
				},
			}
		},
	}
}
