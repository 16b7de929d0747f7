// Package quorumtest is what tests of the controller role and of its users
// need: settings without rules, and a listener for its requests.
package quorumtest

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/controller"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/clock"
)

// MachineConfig is a controller's with short times and settings without rules.
func MachineConfig(node int32, clusterID string, entropy clock.Entropy) controller.Config {
	return controller.Config{
		NodeID: node, ClusterID: clusterID, Configs: settings{}, Entropy: entropy,
		SessionTimeout: 300 * time.Millisecond, HeartbeatInterval: 50 * time.Millisecond,
		DisconnectGrace: 100 * time.Millisecond, DefaultPartitions: 1, DeleteTopics: true,
		Bootstrap: controller.BootstrapFeatures(), Supported: controller.SupportedFeatures(),
	}
}

// settings accepts every setting and knows none.
type settings struct{}

func (settings) ValidateTopic(string, string) error              { return nil }
func (settings) ValidateTopicChange(string) error                { return nil }
func (settings) ValidateTopicSet(controller.TopicSettings) error { return nil }
func (settings) ValidateBroker(string, string, bool) error       { return nil }
func (settings) ValidateBrokerChange(string, bool) error         { return nil }
func (settings) CreationSettings(controller.TopicSettings) []controller.Setting {
	return nil
}

func (settings) Merge(_ metaimage.ResourceType, _ string, _ *string, _ kmsg.IncrementalAlterConfigOp, operand string) (string, error) {
	return operand, nil
}

func (settings) TopicPolicy(controller.TopicSettings) controller.TopicPolicy {
	return controller.TopicPolicy{MinInsync: 1, Durability: kafka.DurabilitySync}
}

func (settings) DescribeTopic(controller.TopicSettings) []controller.DescribedSetting { return nil }
