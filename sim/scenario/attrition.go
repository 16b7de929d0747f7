package scenario

import (
	"fmt"
	"runtime"
	"time"
	"weak"

	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/internal/simcore"
	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/sim/workload"
	"github.com/moldau/moldau/sim/world"
)

// Times and bounds of attrition.
const (
	attritionLife = 400 * time.Millisecond // a process lives for up to so long before its end is prepared
	attritionTrap = time.Second            // and meets the call at which it ends within so long
	attritionDown = 200 * time.Millisecond // the next one is started within so long
	attritionCall = 600                    // calls that the prepared end lets pass, at most
	attritionWarm = 30                     // crashes before memory is looked at for the first time
	// attritionQuiet passes between the last crash and a look at memory: what a
	// process leaves behind may last so long.
	attritionQuiet = 11 * time.Second
	// attritionPeers connections of a client, at most, are to processes that have
	// ended: it does not use them again, and has not closed them.
	attritionPeers = 2
	// attritionGrowthBytes is by how much the memory of everything but the disk
	// may differ between two looks.
	attritionGrowthBytes = 4 << 20
)

// attrition ends processes one after the other, thousands if the run is long,
// under clients that keep on, and weighs what they leave in memory.
func attrition() Scenario {
	return Scenario{
		Name:  "attrition",
		About: "processes end one after the other, at any call, while clients work; what they leave in memory does not grow",
		Plan: func(d *Draw) Plan {
			topics := Topics(d.Rand, 3)
			for i := range topics {
				topics[i].RetentionMs, topics[i].RetentionBytes = 10_000, 40_000
			}
			return Plan{
				Nodes: oneNode(d.Rand), Topics: topics, Net: anyNet(d.Rand),
				Faults: d.swarm("disk-slow", "net-delay", "net-fragments", "net-resets"),
				Clients: func(topics []*workload.Topic) []workload.Actor {
					return []workload.Actor{
						idempotent(d.Rand, topics), plain(d.Rand, topics), reader(d.Rand, topics), sessions(d.Rand, topics),
						member(d.Rand, "g", topics), member(d.Rand, "g", topics),
					}
				},
				Script: wearDown,
			}
		},
	}
}

// wearDown ends processes until the run is over.
func wearDown(s *Stage) {
	node := s.World.Nodes()[0]
	var dead remains
	first, crashes := int64(0), 0
	for s.World.Sleep(time.Duration(s.Rand.Int64N(int64(attritionLife))), s.Stop) {
		dead.note(node)
		endSomewhere(s, node)
		if crashes++; crashes == attritionWarm {
			s.World.Sleep(attritionQuiet, nil)
			first = besideDisk(node)
		}
		s.World.Sleep(time.Duration(s.Rand.Int64N(int64(attritionDown))), s.Stop)
		if err := node.Start(); err != nil {
			s.World.Trace("inject", err.Error())
		}
	}
	dead.note(node)
	node.Kill()
	s.World.Sleep(attritionQuiet, nil)
	last := besideDisk(node)
	s.World.Trace("inject", fmt.Sprintf("%d processes ended: %d bytes beside the disk after %d, %d now", crashes, first, attritionWarm, last))
	if crashes < attritionWarm {
		return
	}
	s.Leave(history.Leftover{What: "bytes of memory more than after the first crashes", Count: max(last-first, 0), Allowed: attritionGrowthBytes})
	for _, left := range dead.left(attritionPeers * len(s.Clients)) {
		s.Leave(left)
	}
}

// endSomewhere ends the node's process at a call that is drawn, or soon after.
func endSomewhere(s *Stage, node *world.Node) {
	ending := OneOf(s.Rand, simcore.Kill, simcore.PowerLoss)
	disarm := node.Fence().Arm(simcore.Trap{Nth: 1 + s.Rand.IntN(attritionCall), Where: simcore.Where(s.Rand.IntN(3)), Ending: ending})
	defer disarm()
	if !s.World.Await(node.Ended(), attritionTrap) {
		node.Fence().Crash(ending)
	}
}

// remains are of the processes that were ended.
type remains struct {
	fences []weak.Pointer[simcore.Fence] // which all seams of a process refer to
	disks  []weak.Pointer[memfs.FS]      // as each left it; the next process has a copy
}

func (r *remains) note(n *world.Node) {
	r.fences, r.disks = append(r.fences, weak.Make(n.Fence())), append(r.disks, weak.Make(n.Disk.Peek()))
}

// left counts what is still referred to. The world knows the last fence, and so
// many connections of clients to ended processes theirs.
func (r *remains) left(connections int) []history.Leftover {
	fences, disks := int64(0), int64(0)
	for i := range r.fences {
		if r.fences[i].Value() != nil {
			fences++
		}
		if r.disks[i].Value() != nil {
			disks++
		}
	}
	return []history.Leftover{
		{What: "processes in memory", Count: fences, Allowed: int64(1 + connections)}, {What: "disks of ended processes in memory", Count: disks, Allowed: 0},
	}
}

// besideDisk is the memory in use, in bytes, less that of what is on the disk.
// Two collections empty the pools.
func besideDisk(n *world.Node) int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) - n.Disk.Peek().HeldBytes()
}
