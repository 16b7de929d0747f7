package scenario

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/sim/workload"
	"github.com/moldau/moldau/sim/world"
)

// shape is the layout of a cluster: nodes with the identifiers from 1 on, of which
// the first ones vote on the metadata.
type shape struct {
	nodes, voters int
	dedicated     bool // those that vote are no brokers
}

// three nodes, each of which is a broker and a voter.
var three = shape{nodes: 3, voters: 3}

// machines draws the nodes of a cluster. Those without a vote learn of the
// cluster from the voters.
func (s shape) machines(draw *rand.Rand) (nodes []world.NodeConfig) {
	var voters, addresses []string
	for id := 1; id <= s.voters; id++ {
		voters = append(voters, fmt.Sprintf("%d@n%d:%d", id, id, world.ControllerPort))
		addresses = append(addresses, fmt.Sprintf("n%d:%d", id, world.ControllerPort))
	}
	brokers := s.nodes
	if s.dedicated {
		brokers -= s.voters
	}
	groups := fmt.Sprint(min(3, brokers))
	for id := 1; id <= s.nodes; id++ {
		own := []config.Property{
			{Name: "offsets.topic.replication.factor", Value: groups},
			{Name: "group.initial.rebalance.delay.ms", Value: "500"},
		}
		var roles world.Roles
		switch {
		case id > s.voters:
			roles = world.BrokerOnly
			own = append(own, config.Property{Name: "controller.quorum.bootstrap.servers", Value: strings.Join(addresses, ",")})
		case s.dedicated:
			roles = world.ControllerOnly
			fallthrough
		default:
			own = append(own, config.Property{Name: "controller.quorum.voters", Value: strings.Join(voters, ",")})
		}
		nodes = append(nodes, world.NodeConfig{ID: int32(id), Own: own, Roles: roles, Settings: clusterSettings(draw)})
	}
	return nodes
}

// clusterSettings are Settings without those that all nodes must share, and often
// with snapshots for whoever is late.
func clusterSettings(draw *rand.Rand) world.Settings {
	set := Settings(draw)
	set.Properties = slices.DeleteFunc(set.Properties, func(p config.Property) bool { return p.Name == "offsets.topic.num.partitions" })
	set.Properties = append(set.Properties, config.Property{Name: "offsets.topic.num.partitions", Value: "1"})
	set.Tuning.MetadataTrailingLen, set.Tuning.MetadataTrailingBytes = OneOf(draw, -1, 5, 0), OneOf[int64](draw, -1, 1000, 0)
	return set
}

// lan draws how traffic fares in one room.
func lan(draw *rand.Rand) Net {
	return Net{Delay: time.Duration(draw.IntN(1000)) * time.Microsecond, Jitter: time.Duration(1+draw.IntN(1000)) * time.Microsecond}
}

// replicated draws n topics that keep everything, on so many replicas.
func replicated(draw *rand.Rand, n int, replicas int16, minInsync int) []workload.TopicSpec {
	specs := Topics(draw, n)
	for i := range specs {
		specs[i].Replicas, specs[i].MinInsync = replicas, minInsync
	}
	return specs
}

// clusterFaults are those that a node, of several, may meet at any time.
var clusterFaults = slices.Concat(processFaults[:], networkFaults[:], clockFaults[:], []string{"disk-slow", "disk-hang"})

// clusterClients are a handful of clients that follow the leaders.
func clusterClients(draw *rand.Rand, topics []*workload.Topic) []workload.Actor {
	return []workload.Actor{
		idempotent(draw, topics), plain(draw, topics), reader(draw, topics), sessions(draw, topics), member(draw, "g", topics),
	}
}

// cluster is three nodes that are all there is, and anything that goes wrong
// with them and between them.
func cluster() Scenario {
	return Scenario{
		Name:  "cluster",
		About: "three nodes, each broker and controller, three replicas, any settings, faults of processes, networks and clocks",
		Plan: func(d *Draw) Plan {
			return Plan{
				Nodes: three.machines(d.Rand), Topics: replicated(d.Rand, 1+d.Rand.IntN(2), 3, OneOf(d.Rand, 2, 2, 1)),
				Net: lan(d.Rand), Faults: d.swarm(clusterFaults...), Resettle: clusterSettings,
				Clients: func(topics []*workload.Topic) []workload.Actor { return clusterClients(d.Rand, topics) },
			}
		},
	}
}
