package clients

import (
	"testing"

	"github.com/moldau/moldau/tests/node"
)

// quickGroups spares each new group its wait for more members.
var quickGroups = []string{"--set", "group.initial.rebalance.delay.ms=0"}

// three starts three nodes whose topics have three replicas, two of which have to
// be in sync, and returns one of them to ask first.
func three(t *testing.T) (*node.Cluster, *node.Node) {
	t.Helper()
	c := node.StartCluster(t, append([]string{"--set", "default.replication.factor=3", "--set", "min.insync.replicas=2"}, quickGroups...)...)
	return c, c.Node(1)
}

// everywhere runs a test against one node, and against three. The test gets the
// node to ask first and their number.
func everywhere(t *testing.T, test func(t *testing.T, n *node.Node, nodes int)) {
	t.Run("one", func(t *testing.T) { test(t, node.Start(t, node.Options{Flags: quickGroups}), 1) })
	t.Run("three", func(t *testing.T) {
		_, n := three(t)
		test(t, n, node.Nodes)
	})
}
