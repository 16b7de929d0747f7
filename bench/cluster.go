package main

import (
	"context"
	"path/filepath"

	"github.com/moldau/moldau/bench/compare"
	"github.com/moldau/moldau/bench/peer"
)

// clusterNodes is how many nodes each system has in the part cluster.
const clusterNodes = 3

// cluster runs the loads against three nodes of each system.
func (s *session) cluster(ctx context.Context) error {
	title := "Three Moldau nodes beside three of Apache Kafka 4.4.0, 3 replicas, min.insync.replicas 2"
	return s.loads(ctx, partCluster, s.options.cluster, title, func() (compare.Config, error) {
		var c compare.Config
		var err error
		if c.Moldau, err = peer.MoldauCluster(s.binary, filepath.Join(s.data, "moldau-cluster"), clusterNodes); err == nil && s.kafka != nil {
			c.Kafka, err = s.kafka.StartCluster(filepath.Join(s.data, "kafka-cluster"), clusterNodes)
		}
		return c, err
	})
}
