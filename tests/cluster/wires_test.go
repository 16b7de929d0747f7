package cluster

import (
	"runtime"
	"testing"
	"time"

	"github.com/moldau/moldau/internal/peer"
	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/tests/node"
)

// delayMax is the longest time by which a strike delays what a node sends.
const delayMax = 300 * time.Millisecond

// TestChaosOfWires is TestChaos with strikes at the connections beside: nodes are
// cut off from each other, from clients, from all, one way or both, without a
// word; connections are delayed and broken off.
func TestChaosOfWires(t *testing.T) {
	if runtime.GOOS != "linux" {
		peer.Skip(t, "Linux", "who connects is found by its table of sockets")
	}
	c := newChaos(t, "wires", true)
	c.create(&topic{name: "few", partitions: 3, durability: history.DurabilitySync}, &topic{name: "one", partitions: 1, durability: history.DurabilitySync})
	c.run(lasting(t, wiresDuration))
}

// strikeWires does one thing to what goes to and from a node, and takes it back.
// The others are a majority and get on without it.
func (c *chaos) strikeWires(id int32, what string) {
	c.t.Helper()
	a, b := id%node.Nodes+1, (id+1)%node.Nodes+1
	both := func(others ...int32) {
		for _, other := range others {
			c.wires.Cut(id, other)
			c.wires.Cut(other, id)
		}
	}
	how := ""
	kind, healed := history.EventNetworkCut, history.EventNetworkHeal
	switch c.rng.IntN(8) {
	case 0:
		how = "cut off from nodes"
		both(a, b)
	case 1:
		how = "cut off from all"
		both(a, b, node.Client)
	case 2:
		how = "cut off from one"
		both(a)
	case 3:
		how = "unheard"
		c.wires.Cut(id, a)
		c.wires.Cut(id, b)
	case 4:
		how = "deaf"
		c.wires.Cut(a, id)
		c.wires.Cut(b, id)
	case 5:
		how = "unheard by one"
		c.wires.Cut(id, a)
	case 6:
		how = "delayed"
		by := time.Duration(c.rng.Int64N(int64(delayMax)))
		c.wires.Delay(id, a, by)
		c.wires.Delay(id, b, by)
	default:
		how = "reset"
		c.wires.Reset(id)
	}
	c.note(how, what, id)
	c.load.record.event(history.Event{Kind: kind, Node: id, Name: how})
	c.getOn()
	c.wires.Heal()
	c.load.record.event(history.Event{Kind: healed, Node: id})
	c.acked(1 + c.rng.IntN(acksMax))
	if c.rng.IntN(2) == 0 {
		c.whole()
	}
}
