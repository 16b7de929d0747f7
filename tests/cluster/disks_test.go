package cluster

import (
	"testing"
	"time"

	"github.com/moldau/moldau/internal/peer"
	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/tests/node"
)

const (
	// syncSlow is how much longer a sync of a slow disk takes, and diskStruck how
	// long a disk is slow or hangs: longer than a follower may lag.
	syncSlow   = 300 * time.Millisecond
	diskStruck = 10 * time.Second
)

// TestChaosOfDisks has the disk of one node after the other hang or take long to
// sync, leaders and controllers among them: appends go on, and nothing is lost
// that was acknowledged.
func TestChaosOfDisks(t *testing.T) {
	c := newChaos(t, "disks", false)
	c.strace = peer.Program(t, "strace")
	heal, err := node.SlowDisk(c.strace, c.cluster.Node(1).PID, 0)
	if err != nil {
		peer.Skip(t, "strace", err.Error())
	}
	if err := heal(); err != nil {
		t.Fatal(err)
	}
	c.create(&topic{name: "few", partitions: 3, durability: history.DurabilitySync}, &topic{name: "one", partitions: 1, durability: history.DurabilitySync})
	c.run(lasting(t, disksDuration))
}

// strikeDisk strikes one node's disk. All others get on without it; what it led
// and what it decided, others do.
func (c *chaos) strikeDisk(id int32, what string) {
	c.t.Helper()
	how, by := "disk hangs", 2*patience
	if c.strikes%2 == 0 {
		how, by = "disk slow", syncSlow
	}
	c.note(how, what, id)
	heal, err := node.SlowDisk(c.strace, c.cluster.Node(id).PID, by)
	if err != nil {
		c.t.Fatal(err)
	}
	c.load.record.event(history.Event{Kind: history.EventFault, Node: id, Name: how})
	over := time.After(diskStruck)
	c.getOn()
	<-over
	if err := heal(); err != nil {
		c.t.Fatal(err)
	}
	c.acked(1 + c.rng.IntN(acksMax))
	c.whole()
}
