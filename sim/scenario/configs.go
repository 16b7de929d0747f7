package scenario

import (
	"slices"
	"time"

	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/sim/workload"
)

// configs changes settings under load.
func configs() Scenario {
	return Scenario{
		Name:  "configs",
		About: "settings of topics change, one value after another, while clients produce and read, and the node crashes",
		Plan: func(d *Draw) Plan {
			return Plan{
				Nodes: oneNode(d.Rand), Topics: Topics(d.Rand, 2), Net: anyNet(d.Rand), Resettle: Settings,
				Faults: d.swarm(slices.Concat(processFaults[:], networkFaults[:])...),
				Clients: func(topics []*workload.Topic) []workload.Actor {
					return []workload.Actor{
						idempotent(d.Rand, topics), plain(d.Rand, topics), reader(d.Rand, topics),
						workload.Admin{Topics: topics, Every: pace(d.Rand), Timeout: clientTimeout, Configs: true},
						workload.Setting{Topic: topics[0], Every: pace(d.Rand), Timeout: clientTimeout},
						workload.Setting{Topic: topics[0], Every: pace(d.Rand), Timeout: clientTimeout},
					}
				},
			}
		},
	}
}

// churn makes and deletes topics.
func churn() Scenario {
	return Scenario{
		Name:  "churn",
		About: "topics come and go, some under the same name again, beside others that stay",
		Plan: func(d *Draw) Plan {
			spec := workload.TopicSpec{
				Partitions: int32(1 + d.Rand.IntN(4)), Durability: OneOf(d.Rand, history.DurabilitySync, history.DurabilityOS), RetentionMs: -1, RetentionBytes: -1,
			}
			other, same := spec, spec
			other.Name, same.Name = "churn", "same"
			return Plan{
				Nodes: oneNode(d.Rand), Topics: Topics(d.Rand, 1), Net: anyNet(d.Rand), Resettle: Settings,
				Faults: d.swarm(slices.Concat(processFaults[:], networkFaults[:])...),
				Clients: func(topics []*workload.Topic) []workload.Actor {
					admin := workload.Admin{Every: 2 * paceLeast / 3, Timeout: clientTimeout, Churn: other}
					again := admin
					again.Churn, again.SameName = same, true
					all := admin
					all.Topics, all.Churn, all.DeleteRecords, all.Every = topics, workload.TopicSpec{}, d.Rand.IntN(2) == 0, time.Second
					return []workload.Actor{idempotent(d.Rand, topics), reader(d.Rand, topics), admin, admin2(admin), again, all}
				},
			}
		},
	}
}

// admin2 is an admin whose topics have other names.
func admin2(a workload.Admin) workload.Admin {
	a.Churn.Name += "-b"
	return a
}
