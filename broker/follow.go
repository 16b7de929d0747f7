package broker

import (
	"fmt"

	"github.com/moldau/moldau/broker/fetcher"
	"github.com/moldau/moldau/broker/shard"
	"github.com/moldau/moldau/broker/uplink"
)

// startFetcher makes what fetches for the replicas that follow.
func (b *Broker) startFetcher() error {
	set := b.cfg.Settings
	f, err := fetcher.New(fetcher.Config{
		NodeID: set.NodeID, Clock: b.cfg.Clock, Network: b.cfg.Network, Entropy: b.cfg.Entropy, Events: b.cfg.Events,
		Listener: set.InterBroker, BrokerEpoch: b.uplink.BrokerEpoch, WaitMax: set.ReplicaFetchWaitMax,
		MinBytes: int32(set.ReplicaFetchMinBytes), PartitionBytes: int32(set.ReplicaFetchMaxBytes),
		AnswerBytes: int32(set.ReplicaFetchResponseMaxBytes), BackoffMax: set.ReplicaFetchBackoff,
		Timeout: set.ReplicaSocketTimeout, Life: b.life,
	})
	if err != nil {
		return fmt.Errorf("follow other brokers: %w", err)
	}
	b.fetcher = f
	return nil
}

// proposals sends changes of ISR to the controller.
type proposals struct{ uplink *uplink.Uplink }

// Propose implements shard.ISRs.
func (p proposals) Propose(list []shard.Proposed) {
	out := make([]uplink.Alteration, len(list))
	for i := range list {
		out[i] = uplink.Alteration{Proposal: list[i].Proposal, Done: list[i].Handle}
	}
	p.uplink.Alter(out)
}
