package world_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/internal/simcore"
	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/sim/world"
)

// newWorld is a world that nobody looks at.
func newWorld(seed uint64) *world.World {
	return world.New(world.Config{
		Timebase: simcore.ProcessTime{}, Streams: simcore.NewStreams(seed),
		Trace: func(string, string) {}, Event: func(history.Event) {},
	})
}

var crashSettings = []config.Property{
	{Name: "offsets.topic.num.partitions", Value: "2"},
	{Name: "metadata.log.max.record.bytes.between.snapshots", Value: "1"}, // a snapshot whenever there is something
}

// growthMaxBytes is by how much the memory beside the node's disk may grow over
// all crashes.
const growthMaxBytes = 1 << 20

// crashes is how many incarnations of a node are ended in one bubble.
const crashes = 1000

// TestCrashesLeaveNothing ends incarnations at any of their seam calls, most
// of them while they start, and finds no goroutine and no memory left of them.
func TestCrashesLeaveNothing(t *testing.T) {
	rounds := crashes
	if testing.Short() {
		rounds = crashes / 10
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(1)
		n := w.AddNode(world.NodeConfig{ID: 1, Settings: world.Settings{Shards: 2, Properties: crashSettings}})
		draw := rand.New(rand.NewPCG(1, 2))
		start := func() {
			t.Helper()
			if err := n.Start(); err != nil {
				t.Fatal(err)
			}
		}
		start()
		<-n.Ready()
		var goroutines int
		var beside int64
		var dead remains
		for i := range rounds {
			dead.note(n)
			crashOnce(n, draw)
			<-n.Ended()
			synctest.Wait()
			time.Sleep(5 * time.Second) // raft's timers go by the process's clock
			synctest.Wait()
			if i == rounds/10 {
				goroutines, beside = inBubble(), besideDisk(n)
				dead.check(t)
			}
			if left := inBubble(); i > rounds/10 && left > goroutines {
				t.Fatalf("%d goroutines after %d crashes, %d after %d:\n%s", left, i+1, goroutines, rounds/10, stacks())
			}
			if i == rounds-1 {
				if now := besideDisk(n); now > beside+growthMaxBytes {
					t.Errorf("%d bytes in use beside the disk after %d crashes, %d after %d", now, rounds, beside, rounds/10)
				}
				dead.check(t)
			}
			start()
		}
		<-n.Ready()
		if err := n.Stop(time.Minute); err != nil {
			t.Error(err)
		}
		for _, m := range w.Marks.All() {
			t.Logf("%s %d", m.Name, m.Fired)
		}
	})
}

// crashOnce ends the process at a drawn place.
func crashOnce(n *world.Node, draw *rand.Rand) {
	ending := simcore.Kill
	if draw.IntN(2) == 0 {
		ending = simcore.PowerLoss
	}
	if draw.IntN(4) == 0 {
		time.Sleep(time.Duration(draw.Int64N(int64(time.Second))))
		n.Fence().Crash(ending)
		return
	}
	n.Fence().Arm(simcore.Trap{Nth: 1 + draw.IntN(600), Where: simcore.Where(draw.IntN(3)), Ending: ending})
	select {
	case <-n.Ended():
	case <-time.After(10 * time.Second):
		n.Fence().Crash(ending)
	}
}

// remains are of the processes that were ended.
type remains struct {
	fences []weak.Pointer[simcore.Fence] // which all seams of a process refer to
	disks  []weak.Pointer[memfs.FS]      // as each left it, of which the next one has a copy
}

func (r *remains) note(n *world.Node) {
	r.fences, r.disks = append(r.fences, weak.Make(n.Fence())), append(r.disks, weak.Make(n.Disk.Peek()))
}

// check wants nothing but the last process's fence to be there.
func (r *remains) check(t *testing.T) {
	fences, disks := 0, 0
	for i := range r.fences {
		if r.fences[i].Value() != nil {
			fences++
		}
		if r.disks[i].Value() != nil {
			disks++
		}
	}
	if fences > 1 || disks > 0 {
		t.Errorf("of %d processes that ended %d fences are referred to, and %d of the disks that they left", len(r.fences), fences, disks)
	}
}

// besideDisk is the memory in use, in bytes, less that of what is on the disk,
// of which a crash leaves more or less. Two collections empty the pools.
func besideDisk(n *world.Node) int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) - n.Disk.Peek().HeldBytes()
}

// inBubble counts the bubble's goroutines: the runtime's own come and go.
func inBubble() int {
	buf := make([]byte, 4<<20)
	return strings.Count(string(buf[:runtime.Stack(buf, true)]), "synctest bubble")
}

// stacks are those of all goroutines, alike ones counted.
func stacks() string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	counts, order := map[string]int{}, []string{}
	for _, g := range strings.Split(string(buf), "\n\n") {
		_, rest, _ := strings.Cut(g, "\n")
		if counts[rest]++; counts[rest] == 1 {
			order = append(order, rest)
		}
	}
	var b strings.Builder
	for _, s := range order {
		fmt.Fprintf(&b, "%d ×\n%s\n\n", counts[s], s)
	}
	return b.String()
}
