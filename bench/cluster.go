package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/moldau/moldau/bench/compare"
	"github.com/moldau/moldau/bench/peer"
	"github.com/moldau/moldau/bench/replicas"
)

// clusterNodes is how many nodes each system has in the parts cluster and replicas.
const clusterNodes = 3

// cluster runs the loads against three nodes of each system.
func (s *session) cluster(ctx context.Context) error {
	title := "Three Moldau nodes beside three of Apache Kafka 4.4.0, 3 replicas, min.insync.replicas 2"
	return s.loads(ctx, partCluster, s.options.cluster, title, func() (compare.Config, error) {
		var c compare.Config
		var err error
		if c.Moldau, err = s.moldaus(filepath.Join(s.data, "moldau-cluster")); err == nil && s.kafka != nil {
			c.Kafka, err = s.kafkas(filepath.Join(s.data, "kafka-cluster"))
		}
		return c, err
	})
}

func (s *session) moldaus(data string) (*peer.Cluster, error) {
	return peer.MoldauCluster(s.binary, data, clusterNodes)
}

func (s *session) kafkas(data string) (*peer.Cluster, error) {
	return s.kafka.StartCluster(data, clusterNodes)
}

// Partitions of the part replicas, and how long their nodes rest.
const (
	replicasPartitions = 3000
	replicasQuick      = 60
	replicasIdle       = 10 * time.Second
)

// replicas measures many partitions on three nodes, the systems by turns.
func (s *session) replicas(ctx context.Context) (err error) {
	emit, closeFile, err := s.lines(partReplicas)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeFile()) }()
	c := replicas.Config{Partitions: replicasPartitions, Idle: replicasIdle, OthersMax: s.othersMax}
	if s.quick {
		c.Partitions, c.Idle = replicasQuick, time.Second
	}
	var results []replicas.Result
	for round := range s.rounds {
		for turn := range 2 {
			if c.System, c.Start = "moldau", s.moldaus; (turn+round)%2 == 1 {
				c.System, c.Start = "kafka", s.kafkas
			}
			if c.System == "kafka" && s.kafka == nil {
				continue
			}
			r, err := c.Round(ctx, round, filepath.Join(s.data, c.System+"-replicas"))
			if err != nil {
				return fmt.Errorf("replicas of %s: %w", c.System, err)
			}
			s.say("replicas: %-6s round %d: created in %.0f ms, served in %.0f, written in %.0f; %.1f KB RSS a replica, %.1f live; back after %.0f ms, in sync after %.0f; others %.0f %%",
				r.System, round+1, r.AnsweredMs, r.ServedMs, r.WrittenMs, r.RSSPerReplica/1e3, r.LivePerReplica/1e3, r.BackMs, r.InSyncMs, 100*r.OthersShare)
			results = append(results, r)
			if err := emit(r); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(s.table, "\n%d partitions with 3 replicas on three nodes: medians of %d round(s)\n", c.Partitions, s.rounds)
	return replicas.Print(s.table, results)
}
