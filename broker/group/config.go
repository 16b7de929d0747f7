package group

import (
	"fmt"
	"math"
	"time"
)

// Config is what the coordinator of one partition is told. The names in the
// comments are Kafka's broker configs.
type Config struct {
	// SessionTimeoutMin and SessionTimeoutMax bound a member's session:
	// group.min.session.timeout.ms (6 s), group.max.session.timeout.ms (30 min).
	SessionTimeoutMin, SessionTimeoutMax time.Duration
	// InitialRebalanceDelay is how long an empty group waits for more members
	// after its first: group.initial.rebalance.delay.ms (3 s).
	InitialRebalanceDelay time.Duration
	// MaxSize bounds the members of one group: group.max.size (2147483647).
	MaxSize int
	// OffsetMetadataMaxBytes bounds the text that a commit carries:
	// offset.metadata.max.bytes (4096). As in Kafka it counts UTF-16 units.
	OffsetMetadataMaxBytes int
	// OffsetsRetention is how long an offset outlives its group:
	// offsets.retention.minutes (7 days).
	OffsetsRetention time.Duration
	// OffsetsRetentionCheckInterval is the time between two looks for what has
	// expired: offsets.retention.check.interval.ms (10 min).
	OffsetsRetentionCheckInterval time.Duration
	// MaxMessageBytes is the topic's max.message.bytes (1048588): what one
	// decision may append.
	MaxMessageBytes int
}

// DefaultConfig holds Kafka's defaults.
func DefaultConfig() Config {
	return Config{
		SessionTimeoutMin:             6 * time.Second,
		SessionTimeoutMax:             30 * time.Minute,
		InitialRebalanceDelay:         3 * time.Second,
		MaxSize:                       math.MaxInt32,
		OffsetMetadataMaxBytes:        4096,
		OffsetsRetention:              7 * 24 * time.Hour,
		OffsetsRetentionCheckInterval: 10 * time.Minute,
		MaxMessageBytes:               1048588,
	}
}

// messageBytesMin is the least MaxMessageBytes: a group of the longest id must
// be able to become empty.
const messageBytesMin = 128 << 10

// Validate reports what cannot work.
func (c Config) Validate() error {
	switch {
	case c.SessionTimeoutMin <= 0 || c.SessionTimeoutMax < c.SessionTimeoutMin:
		return fmt.Errorf("group session timeouts: min %v, max %v", c.SessionTimeoutMin, c.SessionTimeoutMax)
	case c.InitialRebalanceDelay < 0:
		return fmt.Errorf("group initial rebalance delay %v is negative", c.InitialRebalanceDelay)
	case c.MaxSize < 1:
		return fmt.Errorf("group max size %d is below 1", c.MaxSize)
	case c.OffsetMetadataMaxBytes < 0:
		return fmt.Errorf("offset metadata max bytes %d is negative", c.OffsetMetadataMaxBytes)
	case c.OffsetsRetention <= 0 || c.OffsetsRetentionCheckInterval <= 0:
		return fmt.Errorf("offsets retention %v, checked every %v: both must be positive", c.OffsetsRetention, c.OffsetsRetentionCheckInterval)
	case c.MaxMessageBytes < messageBytesMin:
		return fmt.Errorf("max message bytes %d of the offsets topic is below %d", c.MaxMessageBytes, messageBytesMin)
	}
	return nil
}
