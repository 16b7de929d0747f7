package broker_test

import (
	"slices"
	"testing"

	"github.com/moldau/moldau/broker/kafka"
)

// TestAQuietTopicMoves: what was written before a move is read after it, though
// nothing is written any more.
func TestAQuietTopicMoves(t *testing.T) {
	c := replicated(t)
	c.any().client().createTopicRF("t", 1)
	c.append("t", "a")
	for _, replicas := range [][]int32{{2, 3, 1}, {3}, {1}} {
		if code := c.nodes[2].reassign("t", replicas); code != kafka.ErrNone {
			t.Fatalf("to %v: %s", replicas, code)
		}
		c.await("the move", func() bool {
			p := c.seen("t")
			return slices.Equal(p.Replicas, replicas) && len(p.ISR) == len(replicas) && slices.Contains(replicas, p.Leader)
		})
		c.await("the record at the leader", func() bool {
			n := c.nodes[c.seen("t").Leader]
			cl := n.client()
			defer cl.conn.Close()
			a := cl.fetchAt("t", 0)
			return a.ErrorCode == 0 && len(a.RecordBatches) > 0
		})
	}
	c.stopAll()
}
