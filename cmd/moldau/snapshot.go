package main

import (
	"github.com/moldau/moldau/broker"
	"github.com/moldau/moldau/broker/observe"
)

// snapshots are the numbers for /metrics: the node's and the process's.
type snapshots struct {
	node *broker.Broker
	logs *logQueue
}

// Snapshot implements observe.Source.
func (s snapshots) Snapshot(out *observe.Snapshot) {
	out.Version = buildVersion().Version
	out.LogLinesDropped = s.logs.Dropped()
	s.node.Snapshot(out)
}
