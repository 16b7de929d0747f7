package main

import (
	"github.com/moldau/moldau/broker"
	"github.com/moldau/moldau/broker/observe"
)

// snapshots are the node's numbers for /metrics.
type snapshots struct{ node *broker.Broker }

// Snapshot implements observe.Source.
func (s snapshots) Snapshot(out *observe.Snapshot) {
	out.Version = buildVersion().Version
	s.node.Snapshot(out)
}
