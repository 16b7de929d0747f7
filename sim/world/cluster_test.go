package world_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moldau/moldau/broker"
	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/quorum"
	"github.com/moldau/moldau/internal/simcore"
	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/sim/world"
)

// servesAgain is by when a cluster serves of which all nodes run.
const servesAgain = 30 * time.Second

// TestClusterComesBack kills, pauses and takes the power of nodes of a cluster at
// any moment, its first start included: when all run they all serve, and nothing
// of an incarnation outlives it.
func TestClusterComesBack(t *testing.T) {
	installed := 0
	for seed := range uint64(6) {
		synctest.Test(t, func(t *testing.T) { installed += clusterComesBack(t, seed+1) })
	}
	if installed == 0 {
		t.Error("no voter was far enough behind to take the leader's snapshot")
	}
}

// clusterComesBack returns how many times a voter took the leader's snapshot.
func clusterComesBack(t *testing.T, seed uint64) (installed int) {
	rng := rand.New(rand.NewPCG(seed, 7))
	w := world.New(world.Config{
		Timebase: simcore.ProcessTime{}, Streams: simcore.NewStreams(seed),
		Trace: func(lane, what string) {
			if lane == "left" {
				t.Errorf("seed %d: left: %s", seed, what)
			}
			if strings.HasPrefix(what, quorum.SnapshotInstalled{}.Kind()) {
				installed++
			}
		},
		Event: func(e history.Event) {
			if e.Kind == history.EventOutlived {
				t.Errorf("seed %d: %s: %+v", seed, e.Name, e.Left)
			}
		},
	})
	var tuning broker.Tuning
	properties := []config.Property{{Name: "controller.quorum.voters", Value: "1@n1:9093,2@n2:9093,3@n3:9093"}}
	if seed%2 == 0 {
		properties = append(properties, crashSettings...)
		tuning.MetadataTrailingLen = -1 // a follower a little behind takes a snapshot
	}
	var nodes []*world.Node
	for id := int32(1); id <= 3; id++ {
		nodes = append(nodes, w.AddNode(world.NodeConfig{ID: id, Settings: world.Settings{Properties: properties, Tuning: tuning}}))
	}
	// Time is the bubble's here: it passes at once, and all the same each time.
	moment := func(limit time.Duration) { time.Sleep(time.Duration(rng.Int64N(int64(limit)))) }
	for round := range 5 {
		for range 4 {
			n := nodes[rng.IntN(len(nodes))]
			if !n.Running() {
				if err := n.Start(); err != nil {
					t.Fatal(err)
				}
				moment(time.Second)
				continue
			}
			switch rng.IntN(3) {
			case 0:
				n.Kill()
			case 1:
				n.PowerLoss()
			case 2:
				n.Pause()
				moment(time.Second)
				n.Resume()
			}
			moment(time.Second)
		}
		for _, n := range nodes {
			if !n.Running() {
				if err := n.Start(); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, n := range nodes {
			select {
			case <-n.Ready():
			case <-n.Ended():
				t.Fatalf("seed %d round %d: %s ended", seed, round, n.Host)
			case <-time.After(servesAgain):
				t.Fatalf("seed %d round %d: %s does not serve", seed, round, n.Host)
			}
		}
	}
	for _, n := range nodes {
		n.Kill()
	}
	time.Sleep(lookedAt) // the bubble's time
	return installed
}
