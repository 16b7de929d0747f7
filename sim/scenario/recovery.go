package scenario

import (
	"time"

	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/sim/fault"
	"github.com/moldau/moldau/sim/workload"
)

// recovery kills the node again and again, above all while it recovers.
func recovery() Scenario {
	return Scenario{
		Name:  "recovery",
		About: "the node is killed, or loses power, at any call, and again while it recovers",
		Plan: func(d *Draw) Plan {
			return Plan{
				Nodes: oneNode(d.Rand), Topics: Topics(d.Rand, 2), Net: anyNet(d.Rand), Resettle: Settings,
				Faults: d.swarm("kill", "power", "kill-at", "crash-loop", "resettle", "disk-slow").With(often(8*time.Second, "kill-recovery")...),

				Clients: func(topics []*workload.Topic) []workload.Actor {
					return []workload.Actor{
						idempotent(d.Rand, topics), plain(d.Rand, topics), reader(d.Rand, topics), member(d.Rand, "g", topics),
						workload.IDTaker{Every: time.Second, Timeout: clientTimeout},
					}
				},
			}
		},
	}
}

// often are the faults of the names at a rate.
func often(every time.Duration, names ...string) []fault.Fault {
	found := named(names...)
	for i := range found {
		found[i].Every = every
	}
	return found
}

// journalPower cuts the power of a node whose journal is small and shared by many
// partitions.
func journalPower() Scenario {
	return Scenario{
		Name:  "journal-power",
		About: "power is lost while many partitions share a small journal whose blocks are used again and again",
		Plan: func(d *Draw) Plan {
			nodes := oneNode(d.Rand)
			tuning := &nodes[0].Settings.Tuning
			tuning.JournalBlockBytes = 64 << 10
			tuning.JournalBytes = 2 * tuning.JournalBlockBytes
			tuning.DirectFilesMax, tuning.InlineBytesMax = -1, 32<<10
			topics := synced(d.Rand, 2)
			for i := range topics {
				topics[i].Partitions = int32(4 + d.Rand.IntN(5))
			}
			return Plan{
				Nodes: nodes, Topics: topics, Net: anyNet(d.Rand),
				Faults: d.swarm("kill-at", "kill-recovery", "disk-slow").With(often(6*time.Second, "power")...),
				Clients: func(topics []*workload.Topic) []workload.Actor {
					large := plain(d.Rand, topics)
					large.Acks, large.ValueBytes = -1, 8<<10
					return []workload.Actor{idempotent(d.Rand, topics), idempotent(d.Rand, topics), large, reader(d.Rand, topics)}
				},
			}
		},
	}
}

// journalHang is journalPower with files that hang when the power goes: what was
// written and not made durable is much then.
func journalHang() Scenario {
	return Scenario{
		Name:  "journal-hang",
		About: "power is lost while calls on some files hang, the journal's often, and what waits for them is not durable yet",
		Plan: func(d *Draw) Plan {
			p := journalPower().Plan(d)
			p.Faults = p.Faults.Without("disk-hang", "power").With(often(2*time.Second, "disk-hang")...).With(often(3*time.Second, "power")...)
			return p
		},
	}
}

// rollPower cuts the power soon after new segments were begun: a file whose data
// is durable must be in its directory.
func rollPower() Scenario {
	return Scenario{
		Name:  "roll-power",
		About: "power is lost soon after a log has begun a new segment; directory entries that were not synced are gone",
		Plan: func(d *Draw) Plan {
			nodes := oneNode(d.Rand)
			tuning := &nodes[0].Settings.Tuning
			tuning.SegmentBytesMax, tuning.InlineBytesMax, tuning.DirectFilesMax = 2<<10, OneOf(d.Rand, 1, 200, 4<<10), 8
			tuning.MarksInterval = 200 * time.Millisecond
			topics := synced(d.Rand, 1)
			topics[0].Partitions = int32(1 + d.Rand.IntN(2))
			return Plan{
				Nodes: nodes, Topics: topics, Net: anyNet(d.Rand), Faults: d.swarm("kill", "disk-slow").With(often(3*time.Second, "power")...),
				Clients: func(topics []*workload.Topic) []workload.Actor {
					p := idempotent(d.Rand, topics)
					p.ValueBytes, p.Every = 600, 50*time.Millisecond
					q := plain(d.Rand, topics)
					q.Acks, q.ValueBytes = -1, 600
					return []workload.Actor{p, q, reader(d.Rand, topics)}
				},
			}
		},
	}
}

// syncErrorOnce lets one sync fail and drop what it was to write; the next
// succeeds. Then the power goes.
func syncErrorOnce() Scenario {
	return Scenario{
		Name:  "sync-error-once",
		About: "a sync fails once and drops its pages, the next one succeeds, and then the power goes",
		Plan: func(d *Draw) Plan {
			topics := synced(d.Rand, 2)
			for i := range topics {
				topics[i].Durability = OneOf(d.Rand, history.DurabilitySync, history.DurabilitySync, history.DurabilityOS)
			}
			return Plan{
				Nodes: oneNode(d.Rand), Topics: topics, Net: anyNet(d.Rand),
				Clients: func(topics []*workload.Topic) []workload.Actor {
					return []workload.Actor{idempotent(d.Rand, topics), plain(d.Rand, topics), reader(d.Rand, topics)}
				},
				Script: failThenPower,
			}
		},
	}
}

// failThenPower lets a sync fail and, a little later, the power.
func failThenPower(s *Stage) {
	node := s.World.Nodes()[0]
	broken, power := named("disk-sync-error")[0], named("power")[0]
	breaks, cuts := s.Injector.Site("disk-sync-error", node), s.Injector.Site("power", node)
	for s.World.Sleep(time.Duration(1+s.Rand.IntN(4))*time.Second, s.Stop) {
		broken.Strike(breaks)
		s.World.Sleep(time.Duration(s.Rand.IntN(3000))*time.Millisecond, s.Stop)
		power.Strike(cuts)
	}
}
