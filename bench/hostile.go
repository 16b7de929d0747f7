package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/moldau/moldau/bench/hostile"
	"github.com/moldau/moldau/bench/peer"
)

// hostileRecords are sent in each phase, hostileRoundsMin rounds are measured.
const (
	hostileRecords   = 1000
	hostileRoundsMin = 5
)

// hostile measures a good producer while a crowd attacks the node.
func (s *session) hostile(ctx context.Context) (err error) {
	emit, closeFile, err := s.lines(partHostile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeFile()) }()
	root, err := peer.Root()
	if err != nil {
		return err
	}
	cfg := hostile.Config{Rounds: max(s.rounds, hostileRoundsMin), Records: hostileRecords, OthersMax: s.othersMax}
	if s.quick {
		cfg.Rounds, cfg.Records = 1, hostileRecords/10
	}
	cfg.Emit = func(r hostile.Round) error {
		s.say("hostile: round %d: p99 %.2f ms quiet, %.2f ms under attack, ratio %.2f; peak RSS %.0f MB, others %.0f %%",
			r.Round+1, r.QuietP99Ms, r.AttackP99Ms, r.Ratio, float64(r.PeakRSSBytes)/1e6, 100*r.OthersShare)
		return emit(r)
	}
	if cfg.Crowd, err = hostile.Build(root); err != nil {
		return err
	}
	if cfg.Node, err = peer.Moldau(s.binary, filepath.Join(s.data, "hostile")); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cfg.Node.Stop()) }()
	if err := s.await(peer.Alone(cfg.Node)); err != nil {
		return err
	}
	rounds, err := hostile.Run(ctx, cfg)
	fmt.Fprintf(s.table, "\nA good producer under attack: lone records, without and with a crowd of hostile connections by turns\n")
	return errors.Join(err, hostile.Print(s.table, rounds))
}
