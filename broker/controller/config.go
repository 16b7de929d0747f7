package controller

import (
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/internal/guard"
)

// Config is what a Machine needs. Every field is required unless it says otherwise.
type Config struct {
	NodeID    int32
	ClusterID string
	// Configs knows the settings of topics and brokers.
	Configs ConfigValidator
	// Entropy draws topic ids.
	Entropy clock.Entropy
	// Seed begins the placement of replicas; it may be 0.
	Seed uint64

	// SessionTimeout ends a broker's session without heartbeats.
	SessionTimeout time.Duration
	// HeartbeatInterval is how often brokers send them; a Tick that comes later
	// than this restarts all sessions.
	HeartbeatInterval time.Duration
	// DisconnectGrace ends the session of a broker whose connection broke.
	DisconnectGrace time.Duration
	// RebalanceInterval is the time between checks for preferred leaders that
	// may take over (auto.leader.rebalance.enable); 0 for never.
	RebalanceInterval time.Duration

	// DefaultPartitions is num.partitions.
	DefaultPartitions int32
	// DefaultReplicationFactor is default.replication.factor; 0 means
	// min(3, registered brokers).
	DefaultReplicationFactor int16
	// RaisedTopics are the topics whose replication factor rises as brokers join,
	// up to what a new topic gets: internal ones whose own factor is not set.
	RaisedTopics []string
	// DeleteTopics is delete.topic.enable.
	DeleteTopics bool

	// Bootstrap are the features finalized in an empty cluster, metadata.version
	// among them; Supported bounds what UpdateFeatures may choose.
	Bootstrap []FeatureLevel
	Supported []FeatureRange

	// Out are rules that the explorer takes out; none in a program that is
	// built without its tag.
	Out guard.Set
}

// FeatureLevel is a feature at a level.
type FeatureLevel struct {
	Name  string
	Level int16
}

// FeatureRange is the levels of a feature that this program can run.
type FeatureRange struct {
	Name     string
	Min, Max int16
}

// BootstrapFeatures are the levels of a new cluster: those without their work
// yet stay at 0, so they have no record.
func BootstrapFeatures() []FeatureLevel {
	return []FeatureLevel{{metaimage.FeatureMetadataVersion, 30}, {metaimage.FeatureELR, 1}}
}

// SupportedFeatures are the levels that this program can run.
func SupportedFeatures() []FeatureRange {
	return []FeatureRange{{metaimage.FeatureMetadataVersion, 30, 30}, {metaimage.FeatureELR, 1, 1}}
}

// Validate reports the first field that is missing or out of range.
func (c *Config) Validate() error {
	switch {
	case c.ClusterID == "":
		return errors.New("controller config: no cluster id")
	case c.Configs == nil || c.Entropy == nil:
		return errors.New("controller config: Configs and Entropy are required")
	case c.SessionTimeout <= 0 || c.HeartbeatInterval <= 0 || c.DisconnectGrace <= 0:
		return errors.New("controller config: times must be positive")
	case c.DefaultPartitions < 1 || c.DefaultReplicationFactor < 0:
		return fmt.Errorf("controller config: %d partitions, replication factor %d", c.DefaultPartitions, c.DefaultReplicationFactor)
	case len(c.Bootstrap) == 0 || len(c.Supported) == 0:
		return errors.New("controller config: no features")
	}
	return nil
}

// Settings are settings by name, one layer of them.
type Settings interface {
	Get(name string) (value string, ok bool)
}

// TopicSettings are the layers that decide over a topic, the strongest first:
// what was set for it, what the controller derived for it, and what is set
// dynamically for all brokers. The validator adds the static ones.
type TopicSettings struct {
	Topic         Settings
	Derived       Settings
	DefaultBroker Settings
}

// TopicPolicy is what the machine itself needs to know of a topic.
type TopicPolicy struct {
	// MinInsync is min.insync.replicas, 0 where no layer sets it.
	MinInsync int
	// Unclean is unclean.leader.election.enable.
	Unclean    bool
	Durability kafka.Durability
}

// Setting is a name and its value.
type Setting struct{ Name, Value string }

// DescribedSetting is one setting as CreateTopics answers it.
type DescribedSetting struct {
	Name      string
	Value     *string // nil: none, or sensitive
	ReadOnly  bool
	Source    int8 // kmsg.ConfigSource
	Sensitive bool
}

// ConfigValidator is the table of settings, as the assembly gives it: it has no
// state and all its methods are pure. Errors are answered with INVALID_CONFIG
// and their text, or with the code of a *ConfigError.
type ConfigValidator interface {
	// ValidateTopic checks one setting of a topic.
	ValidateTopic(name, value string) error
	// ValidateTopicChange says whether a setting of an existing topic may change.
	ValidateTopicChange(name string) error
	// ValidateTopicSet checks that the settings of a topic fit together.
	ValidateTopicSet(s TopicSettings) error
	// ValidateBroker checks a dynamic setting of one broker, or of all.
	ValidateBroker(name, value string, all bool) error
	// ValidateBrokerChange says whether it may change while brokers run.
	ValidateBrokerChange(name string, all bool) error
	// Merge computes the value after SET, APPEND or SUBTRACT; current is nil
	// where nothing is set at this layer.
	Merge(typ metaimage.ResourceType, name string, current *string, op kmsg.IncrementalAlterConfigOp, operand string) (string, error)
	// CreationSettings are those that are fixed from a topic's creation on,
	// whoever set them: they are written with it.
	CreationSettings(s TopicSettings) []Setting
	// TopicPolicy resolves what the machine needs.
	TopicPolicy(s TopicSettings) TopicPolicy
	// DescribeTopic is the whole effective configuration, sorted by name.
	DescribeTopic(s TopicSettings) []DescribedSetting
}

// ConfigError is a refusal with another code than INVALID_CONFIG.
type ConfigError struct {
	Code    kafka.ErrorCode
	Message string
}

func (e *ConfigError) Error() string { return e.Message }
