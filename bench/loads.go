package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/moldau/moldau/bench/compare"
	"github.com/moldau/moldau/bench/load"
	"github.com/moldau/moldau/bench/peer"
)

// compare runs the loads against one node of each system.
func (s *session) compare(ctx context.Context) error {
	return s.loads(ctx, partCompare, s.scenarios, "Moldau beside Apache Kafka 4.4.0", func() (compare.Config, error) {
		var c compare.Config
		node, err := peer.Moldau(s.binary, filepath.Join(s.data, "moldau"))
		if err != nil {
			return c, err
		}
		c.Moldau = peer.Alone(node)
		if s.kafka != nil {
			if node, err = s.kafka.Start(filepath.Join(s.data, "kafka")); err == nil {
				c.Kafka = peer.Alone(node)
			}
		}
		return c, err
	})
}

// loads starts the servers, runs the scenarios and prints their table.
func (s *session) loads(ctx context.Context, part string, scenarios []load.Scenario, title string, start func() (compare.Config, error)) (err error) {
	if len(scenarios) == 0 {
		return nil // none of the loads asked for is of this part
	}
	emit, closeFile, err := s.lines(part)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeFile()) }()
	c, err := start()
	for _, nodes := range []*peer.Cluster{c.Moldau, c.Kafka} {
		if nodes != nil {
			defer func() { err = errors.Join(err, nodes.Stop()) }()
		}
	}
	if err != nil {
		return err
	}
	c.Part, c.Rounds, c.Retries, c.OthersMax, c.Sync = part, s.rounds, s.retries, s.othersMax, s.sync
	c.Emit, c.Say = func(r compare.Run) error { return emit(r) }, s.say
	for _, nodes := range []*peer.Cluster{c.Moldau, c.Kafka} {
		if err := s.await(nodes); err != nil {
			return err
		}
	}
	if err := c.Warm(ctx, scenarios, s.warm); err != nil {
		return err
	}
	rows, failed := s.scenarioRows(ctx, &c, scenarios)
	fmt.Fprintf(s.table, "\n%s: medians of %d alternation(s); a run counts when others had at most %.0f %% of the machine\n",
		title, s.rounds, 100*s.othersMax)
	if s.rounds < compare.RoundsMin {
		fmt.Fprintf(s.table, "(smoke: verdicts need %d alternations)\n", compare.RoundsMin)
	}
	if s.kafka == nil {
		fmt.Fprintf(s.table, "SKIPPED: Apache Kafka: %s\n", s.why)
	}
	return errors.Join(failed, compare.Print(s.table, rows))
}

// scenarioRows runs the scenarios; one that fails does not keep the next ones back.
func (s *session) scenarioRows(ctx context.Context, c *compare.Config, scenarios []load.Scenario) (rows []compare.Row, failed error) {
	for _, scenario := range scenarios {
		runs, err := c.Scenario(ctx, scenario)
		failed = errors.Join(failed, err)
		rows = append(rows, compare.Summary(scenario, runs, s.rounds)...)
		if s.profile > 0 && err == nil {
			failed = errors.Join(failed, c.Profile(ctx, scenario, s.profile, s.out))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return rows, failed
}

// await waits until all nodes serve; nil is no cluster.
func (s *session) await(nodes *peer.Cluster) error {
	if nodes == nil {
		return nil
	}
	if err := nodes.Await(readyTimeout); err != nil {
		return err
	}
	s.say("%s serves on %v (processes %v)", nodes.Name, nodes.Addrs(), nodes.PIDs())
	return nil
}
