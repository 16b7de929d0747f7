package world_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moldau/moldau/disk/simfs"
	"github.com/moldau/moldau/sim/world"
)

// startDecided is by when a start has come to something, whatever fails.
const startDecided = 5 * time.Second

// TestFailedStartEnds fails each of the syncs of the metadata's files that a
// start makes: it ends at once, or serves; it waits for nobody who is gone.
func TestFailedStartEnds(t *testing.T) {
	for nth := range 16 {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(1)
			n := w.AddNode(world.NodeConfig{ID: 1})
			if err := n.Start(); err != nil {
				t.Fatal(err)
			}
			<-n.Ready()
			n.Kill()
			seen := 0
			cancel := n.Disk.Once(simfs.SyncError, func(name string) bool {
				if strings.Contains(name, "__cluster_metadata") {
					seen++
				}
				return seen > nth
			})
			if err := n.Start(); err != nil {
				t.Fatal(err)
			}
			late := time.After(startDecided)
			select {
			case <-n.Ready():
			case <-n.Ended():
			case <-late:
				t.Errorf("sync %d failed, and the node neither serves nor ends", nth+1)
			}
			cancel()
			n.Kill()
			time.Sleep(startDecided) // raft's timers go by the process's clock
		})
	}
}
