package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/moldau/moldau/bench/failover"
	"github.com/moldau/moldau/bench/peer"
)

// failoverRounds of each case make a distribution.
const failoverRounds = 30

// failover measures how long clients wait when a node fails.
func (s *session) failover(ctx context.Context) (err error) {
	emit, closeFile, err := s.lines(partFailover)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeFile()) }()
	cfg := failover.Config{Rounds: failoverRounds, Keep: filepath.Join(s.out, "failover")}
	if s.quick {
		cfg.Rounds = 2
	}
	cfg.Emit = func(r failover.Round) error {
		s.say("failover: round %d: %s %s (node %d): %.0f ms", r.Round+1, r.How, r.What, r.Node, r.Ms)
		return emit(r)
	}
	if cfg.Cluster, err = peer.MoldauCluster(s.binary, filepath.Join(s.data, "failover"), clusterNodes); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cfg.Cluster.Stop()) }()
	if err := s.await(cfg.Cluster); err != nil {
		return err
	}
	rounds, err := failover.Run(ctx, cfg)
	fmt.Fprintf(s.table, "\nFailover of three nodes: a leader's kill until the same producer's next ack, its pause until a new producer's first one,\n"+
		"the active controller's kill or pause until a new client has made a topic. Clients: %s\n", failover.Settings())
	return errors.Join(err, failover.Print(s.table, rounds))
}
