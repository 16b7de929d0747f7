package scenario

import (
	"slices"
	"time"

	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/sim/workload"
)

// retention takes records away under those who read them.
func retention() Scenario {
	return Scenario{
		Name:  "retention",
		About: "records go by age, by size and on request while clients read them, and clocks are wrong",
		Plan: func(d *Draw) Plan {
			nodes := oneNode(d.Rand)
			nodes[0].Settings.Tuning.SegmentBytesMax = OneOf[int64](d.Rand, 4<<10, 16<<10)
			nodes[0].Settings.Properties = append(nodes[0].Settings.Properties,
				config.Property{Name: "log.retention.check.interval.ms", Value: OneOf(d.Rand, "300", "2000")})
			topics := Topics(d.Rand, 2)
			for i := range topics {
				topics[i].RetentionMs = OneOf[int64](d.Rand, -1, 6_000, 20_000)
				topics[i].RetentionBytes = OneOf[int64](d.Rand, -1, 30_000, 100_000)
				topics[i].Configs = map[string]string{"file.delete.delay.ms": OneOf(d.Rand, "0", "1000"), "segment.ms": OneOf(d.Rand, "3000", "604800000")}
			}
			return Plan{
				Nodes: nodes, Topics: topics, Net: anyNet(d.Rand),
				Faults: d.swarm(slices.Concat(processFaults[:], networkFaults[:], clockFaults[:])...).Without("resettle"),
				Clients: func(topics []*workload.Topic) []workload.Actor {
					return []workload.Actor{
						idempotent(d.Rand, topics), plain(d.Rand, topics), reader(d.Rand, topics), sessions(d.Rand, topics),
						workload.Admin{Topics: topics, Every: 2 * time.Second, Timeout: clientTimeout, DeleteRecords: true},
					}
				},
			}
		},
	}
}
