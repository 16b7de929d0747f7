package scenario

import (
	"slices"
	"time"

	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/sim/workload"
	"github.com/moldau/moldau/sim/world"
)

// groups has members come, go and die while the node does.
func groups() Scenario {
	return Scenario{
		Name:  "groups",
		About: "members of groups leave, die and come back, some of them static; partitions are added; the node crashes",
		Plan: func(d *Draw) Plan {
			return Plan{
				Nodes: groupNode(d), Topics: synced(d.Rand, 1+d.Rand.IntN(2)), Net: anyNet(d.Rand), Settle: true,
				Faults: d.swarm(slices.Concat(processFaults[:], networkFaults[:], clockFaults[:], []string{"disk-slow"})...).Without("resettle"),
				Clients: func(topics []*workload.Topic) []workload.Actor {
					actors := []workload.Actor{idempotent(d.Rand, topics)}
					for range 2 + d.Rand.IntN(2) {
						actors = append(actors, member(d.Rand, "g", topics))
					}
					static := member(d.Rand, "g", topics)
					static.InstanceID, static.Leaves = "static", 0
					return append(actors, static, workload.Admin{
						Topics: topics, Groups: []string{"g"}, Every: time.Second, Timeout: clientTimeout, AddPartitions: int32(4 + d.Rand.IntN(3)),
					})
				},
			}
		},
	}
}

// groupNode is a node whose groups do not wait long for their first members.
func groupNode(d *Draw) []world.NodeConfig {
	nodes := oneNode(d.Rand)
	nodes[0].Settings.Properties = append(nodes[0].Settings.Properties,
		config.Property{Name: "group.initial.rebalance.delay.ms", Value: OneOf(d.Rand, "0", "500", "3000")})
	return nodes
}

// silentMember has members join and never sync: they must not hold up the others
// for longer than the rebalance timeout.
func silentMember() Scenario {
	return Scenario{
		Name:  "silent-member",
		About: "a member of a group joins and never syncs, though its heart beats; the others get on without it",
		Plan: func(d *Draw) Plan {
			return Plan{
				Nodes: groupNode(d), Topics: synced(d.Rand, 1), Net: anyNet(d.Rand), Settle: true, Faults: d.swarm("net-delay", "net-fragments", "clock-jump"),
				Clients: func(topics []*workload.Topic) []workload.Actor {
					steady := member(d.Rand, "g", topics)
					steady.Deaths, steady.Leaves = 0, 0
					mute := member(d.Rand, "g", topics)
					mute.Mute = true
					return []workload.Actor{idempotent(d.Rand, topics), steady, steady, mute, mute}
				},
			}
		},
	}
}
