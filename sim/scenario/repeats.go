package scenario

import (
	"time"

	"github.com/moldau/moldau/sim/workload"
)

// restartWait is how long a node may take to serve again.
const restartWait = 20 * time.Second

// lateSegmentBytes bounds segments, so that what follows a batch pushes it out of
// the newest one: its segment is deleted with it.
const lateSegmentBytes = 4 << 10

// lateRepeat has producers repeat a batch after all records of its partition were
// deleted and the node was started anew.
func lateRepeat() Scenario {
	return Scenario{
		Name:  "late-repeat",
		About: "a batch comes again after its records were deleted and the node restarted: it is not appended twice, and its producer goes on",
		Plan: func(d *Draw) Plan {
			restarts := make(chan chan struct{})
			over := make(chan struct{})
			topics := synced(d.Rand, 2)
			for i := range topics {
				topics[i].Partitions = 1
			}
			nodes := oneNode(d.Rand)
			nodes[0].Settings.Tuning.SegmentBytesMax = lateSegmentBytes
			return Plan{
				Nodes: nodes, Topics: topics, Net: anyNet(d.Rand), Faults: d.swarm("net-delay", "net-fragments", "net-lost-replies"),
				Clients: func(topics []*workload.Topic) []workload.Actor {
					restart := func() {
						done := make(chan struct{})
						select {
						case restarts <- done:
							<-done
						case <-over:
						}
					}
					return []workload.Actor{
						workload.Latecomer{
							Topic: topics[0], Every: pace(d.Rand), Timeout: clientTimeout, Between: restart,
							Push: OneOf(d.Rand, 0, 2*lateSegmentBytes),
						},
						workload.Latecomer{Topic: topics[1], Every: pace(d.Rand), Timeout: clientTimeout},
						reader(d.Rand, topics[1:]),
					}
				},
				Script: func(s *Stage) {
					defer close(over)
					serveRestarts(s, restarts)
				},
			}
		},
	}
}

// serveRestarts starts the node anew whenever it is asked to, one way or another.
func serveRestarts(s *Stage, restarts <-chan chan struct{}) {
	node := s.World.Nodes()[0]
	faults := named("kill", "power", "stop")
	for {
		select {
		case done := <-restarts:
			f := faults[s.Rand.IntN(len(faults))]
			f.Strike(s.Injector.Site(f.Name, node))
			s.World.Await(node.Ready(), restartWait)
			close(done)
		case <-s.Stop:
			return
		}
	}
}
